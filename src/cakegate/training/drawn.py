"""Drawn pictures for training: from seeds that the demo does not use, and never for a figure."""

import msgspec
import numpy as np

from cakegate import drawings
from cakegate.adapters.pixels import preparing
from cakegate.domain import verdicts
from cakegate.training import data

ARCHIVE = "drawn"


def add(pictures: data.Pictures, *, count: int, side_pixels: int) -> data.Pictures:
    """`pictures` and `count` drawn cakes and as many other drawings."""
    model_input = verdicts.ModelInput(side_pixels=side_pixels, fit=verdicts.Fit.STRETCH)
    seeds = drawings.TRAINING_SEEDS[:count]
    squares = [
        preparing.prepare(draw(seed, (320, 240)), model_input)
        for draw in (drawings.draw_cake, drawings.draw_other)
        for seed in seeds
    ]
    total = 2 * len(seeds)
    names = [ARCHIVE] * total
    pixels = np.frombuffer(b"".join(squares), dtype=np.uint8).reshape(-1, side_pixels, side_pixels, 3)
    return msgspec.structs.replace(
        pictures,
        pixels=np.concatenate([pictures.pixels, pixels]),
        labels=np.concatenate([pictures.labels, np.repeat(np.array([1, 0]), len(seeds))]),
        kinds=np.concatenate([pictures.kinds, np.full(total, -1)]),
        told=pictures.told + [""] * total,
        archives=pictures.archives + names,
        sources=pictures.sources + names,
        files=pictures.files + [f"{seed}" for seed in (*seeds, *seeds)],
        # No photograph is a near-copy of a drawing.
        hashes=np.concatenate([pictures.hashes, np.zeros(total, dtype=np.uint64)]),
        mirrored_hashes=np.concatenate([pictures.mirrored_hashes, np.zeros(total, dtype=np.uint64)]),
    )
