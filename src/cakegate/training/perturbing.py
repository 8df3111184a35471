"""How far a score moves when only the file changes: another JPEG quality, another size, no metadata."""

import io
from collections.abc import Iterable

import msgspec
import numpy as np
from PIL import Image

from cakegate.adapters import detector
from cakegate.domain import verdicts
from cakegate.training import data, evaluating

QUALITIES = (40, 95)
LONGEST_SIDES_PIXELS = (160, 2000)
#: Each picture is changed so many times.
_TIMES = 2


class Perturbed(msgspec.Struct, frozen=True, kw_only=True):
    """Of `changes` changed files: how far the score moved, and the share whose decision became another.

    `turned` is the share that went from accepted to rejected or back.
    """

    changes: int
    median: float
    p95: float
    flipped: float
    turned: float


def perturb(image: Image.Image, chance: np.random.Generator) -> bytes:
    """A picture as a JPEG of random quality and longest side: sides evenly on a scale of ratios."""
    low, high = np.log(LONGEST_SIDES_PIXELS)
    longest = float(np.exp(chance.uniform(low, high)))
    scale = longest / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    ways = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    changed = image.resize(size, ways[int(chance.integers(len(ways)))])
    changed.save(buffer, "JPEG", quality=int(chance.integers(QUALITIES[0], QUALITIES[1] + 1)))
    return buffer.getvalue()


def measure(judge: detector.Detector, images: Iterable[Image.Image], *, seed: int = 0) -> Perturbed:
    """Judge upright RGB pictures, change each at random, judge again. There must be at least one picture."""
    chance = np.random.default_rng(seed)
    moved: list[float] = []
    decisions: list[tuple[verdicts.Decision, verdicts.Decision]] = []
    for image in images:
        before = evaluating.score(judge, image)
        for _ in range(_TIMES):
            after = evaluating.score(judge, data.decode(perturb(image, chance)))
            moved.append(abs(after - before))
            decisions.append((verdicts.decide(before, judge.thresholds), verdicts.decide(after, judge.thresholds)))
    sure = {verdicts.Decision.ACCEPT, verdicts.Decision.REJECT}
    return Perturbed(
        changes=len(moved),
        median=float(np.median(moved)),
        p95=float(np.percentile(moved, 95)),
        flipped=float(np.mean([first != second for first, second in decisions])),
        turned=float(np.mean([{first, second} == sure for first, second in decisions])),
    )
