"""One training run from pictures to a pack: what `cakegate model train` does."""

import math
from collections.abc import Callable
from pathlib import Path

import msgspec
import torch

from cakegate.adapters import detector
from cakegate.training import data, drawn, fitting, packing
from cakegate.training.config import Config


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be trained, and on what.

    `start` is a pack's folder or another run's checkpoint; `notes` are the card's on the data.
    """

    folder: Path
    out: Path
    config: Config
    minutes: float | None
    samples: int | None
    start: Path | None
    threads: int
    resume: bool
    notes: list[str]


def run(order: Order, *, say: Callable[[str], None]) -> detector.Card:
    """Train until the time or the samples are spent, tell how it goes, write the pack.

    Raises:
        InvalidSettings: the folder has too little to train on, or `start` is no checkpoint, or of another shape.
        InvalidPack: `start` is a folder without a pack.
    """
    torch.set_num_threads(order.threads)
    config = order.config
    pictures = data.load(order.folder, side_pixels=config.stored_pixels)
    if pictures.unreadable:
        say(f"{pictures.unreadable} unreadable files passed over")
    pictures = drawn.add(pictures, count=config.drawn_pictures, side_pixels=config.stored_pixels)
    split = data.split(pictures, config)
    say(
        f"{len(split.training)} pictures to train on, {len(split.validation)} to validate on "
        f"({split.validated_on}; {len(split.held_out_sources)} sources), {len(split.apart)} apart"
    )
    order.out.mkdir(parents=True, exist_ok=True)
    fitter = _fitter(order, pictures, split, say=say)
    budget = fitting.Budget(minutes=order.minutes or math.inf, samples=order.samples or math.inf)
    net = fitter.run(budget)
    return packing.write(
        order.out,
        net,
        pictures=pictures,
        split=split,
        config=config,
        source=packing.Source(folder=order.folder, notes=order.notes),
    )


def _fitter(order: Order, pictures: data.Pictures, split: data.Split, *, say: Callable[[str], None]) -> fitting.Fitter:
    def report(progress: fitting.Progress) -> None:
        say(
            f"samples {progress.samples:>8,}  loss {progress.loss:.3f}  auc {progress.auc:.4f}  "
            f"left {progress.seconds_left / 60:.1f} min"
        )

    fitter = fitting.Fitter(order.config, pictures, split, checkpoint=order.out / "checkpoint.pt", report=report)
    if order.resume and fitter.resume():
        say("resumed")
    elif order.start is not None:
        kept = fitter.begin_with(
            packing.weights(order.start) if order.start.is_dir() else fitting.averaged(order.start)
        )
        say(f"begun from {order.start}" + ("" if kept else "; its kinds are others, so those are learnt anew"))
    return fitter
