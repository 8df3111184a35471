"""How well a picture can be judged: its size, its contrast, its sharpness. Cheap: all from one small grey copy."""

import math
from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageChops

from cakegate.adapters.pixels import decoding
from cakegate.domain import verdicts

#: The longest side of the copy that is measured: about what a model sees. A blur that is gone at this size hides
#: nothing from it, and what is left does not depend on how large the file is.
_SIDE_PIXELS: Final = 160
#: The steepest edges are these: one step in a hundred between two neighbours. A subject in focus before a soft
#: background has as many; a speck of dust has not.
_STEEPEST_SHARE: Final = 0.01
#: Below this standard deviation there is nothing whose edges could be told from noise.
_FLAT: Final = 1.0


def measured(picture: decoding.Picture) -> verdicts.Quality:
    """The quality of a decoded picture."""
    grey = _small_grey(picture.image)
    contrast = _deviation(grey.histogram())
    return verdicts.Quality(
        shortest_side_pixels=min(picture.width, picture.height),
        contrast=contrast,
        sharpness=_steepest_step(grey) / contrast if contrast >= _FLAT else 0.0,
    )


def _small_grey(image: Image.Image) -> Image.Image:
    scale = _SIDE_PIXELS / max(image.size)
    if scale >= 1:
        return image.convert("L")
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0).convert("L")


def _steepest_step(grey: Image.Image) -> int:
    """The difference between neighbours, sideways or downwards, that `_STEEPEST_SHARE` of them reach."""
    width, height = grey.size
    counts = [0] * 256
    for across, down in ((1, 0), (0, 1)):
        if width > across and height > down:
            ahead = grey.crop((across, down, width, height))
            behind = grey.crop((0, 0, width - across, height - down))
            counts = [sum(pair) for pair in zip(counts, ImageChops.difference(ahead, behind).histogram(), strict=True)]
    left = _STEEPEST_SHARE * sum(counts)
    for step in range(255, 0, -1):
        left -= counts[step]
        if left < 0:
            return step
    return 0


def _deviation(histogram: Sequence[int]) -> float:
    """The standard deviation of values that are counted in a histogram."""
    count = sum(histogram)
    mean = sum(value * each for value, each in enumerate(histogram)) / count
    return math.sqrt(sum((value - mean) ** 2 * each for value, each in enumerate(histogram)) / count)
