"""How well a picture can be judged: its size, its contrast, its sharpness. All from one small grey copy, for 0.2 ms."""

import math
from collections.abc import Sequence
from operator import add, mul
from typing import Final

from PIL import Image, ImageChops

from cakegate.adapters.pixels import decoding, preparing
from cakegate.domain import verdicts

#: The longest side of the whole picture in the copy that is measured: about what a model sees. A blur that is gone at
#: this size hides nothing from it, and what is left does not depend on the size of the file.
_SIDE_PIXELS: Final = 160
#: The steepest edges are these: one step in a hundred between two neighbours. A subject in focus before a soft
#: background has as many; a speck of dust has not.
_STEEPEST_SHARE: Final = 0.01
#: Below this standard deviation there is nothing whose edges could be told from noise.
_FLAT: Final = 1.0
_VALUES: Final = range(256)
_SQUARES: Final = [value**2 for value in _VALUES]


def measured(picture: decoding.Picture, reduced: preparing.Reduced) -> verdicts.Quality:
    """The quality of what a model sees of a picture, where that was reduced already.

    Sharpness is the steepest step between two neighbours, against the contrast. On 400 photographs of shops at 200 px
    its median is 1.27, and 0.5 % have less than 0.73. Each growing radius of a Gaussian blur lessens it: at 0.5, 1, 2,
    4 and 8 % of the longest side to 0.80, 0.50, 0.30, 0.17 and 0.11. Rescaled (160 to 2,000 px) and re-encoded (JPEG
    quality 40 to 95) it changes by 5 to 13 %. The Laplacian's percentiles and variance, tried beside it, change by up
    to 35 %, and rise again where a blur leaves little but the encoder's blocks.
    """
    grey = _small_grey(picture.image, reduced)
    contrast = _deviation(grey.histogram())
    return verdicts.Quality(
        shortest_side_pixels=min(picture.width, picture.height),
        contrast=contrast,
        sharpness=_steepest_step(grey) / contrast if contrast >= _FLAT else 0.0,
    )


def _small_grey(image: Image.Image, reduced: preparing.Reduced) -> Image.Image:
    scale = min(1.0, _SIDE_PIXELS / max(image.size))
    width, height = (max(1, round(each * scale)) for each in reduced.size)
    left, top, right, bottom = reduced.box
    if right - left < width or bottom - top < height:
        # For a model that sees less than we do.
        small = image.resize((width, height), Image.Resampling.BILINEAR, box=reduced.part, reducing_gap=2.0)
        return small.convert("L")
    grey = reduced.image.convert("L")
    return grey.resize((width, height), Image.Resampling.BILINEAR, box=reduced.box, reducing_gap=1.0)


def _steepest_step(grey: Image.Image) -> int:
    """The difference between neighbours, sideways or downwards, that `_STEEPEST_SHARE` of them reach."""
    width, height = grey.size
    counts = [0] * len(_VALUES)
    for across, down in ((1, 0), (0, 1)):
        if width > across and height > down:
            ahead = grey.crop((across, down, width, height))
            behind = grey.crop((0, 0, width - across, height - down))
            counts = list(map(add, counts, ImageChops.difference(ahead, behind).histogram()))
    left = _STEEPEST_SHARE * sum(counts)
    for step in reversed(_VALUES):
        left -= counts[step]
        if left < 0:
            return step
    return 0


def _deviation(counts: Sequence[int]) -> float:
    """The standard deviation of values 0 to 255 that occur so often each."""
    total = sum(counts)
    mean = sum(map(mul, counts, _VALUES)) / total
    return math.sqrt(max(0.0, sum(map(mul, counts, _SQUARES)) / total - mean**2))
