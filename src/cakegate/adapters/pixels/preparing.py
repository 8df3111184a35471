"""From a decoded picture to what a model sees. Training, evaluation and the worker's child all go through here."""

import math
from typing import Final, NamedTuple

from PIL import Image

from cakegate.domain import verdicts

_GREY: Final = (128, 128, 128)
_REDUCING_GAP: Final = 2.0


def flatten(image: Image.Image) -> Image.Image:
    """The picture as RGB, transparent parts over white; 16-bit greys are scaled, not clipped."""
    if image.mode in {"I;16", "I;16B", "I;16L", "I"}:
        # Pillow's own conversion of 16-bit greys to 8 bits clips at 255.
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if image.mode == "P" or "transparency" in image.info or "A" in image.mode or "a" in image.mode:
        image = image.convert("RGBA")
        background = Image.new("RGB", image.size, (255, 255, 255))
        background.paste(image, mask=image.getchannel("A"))
        return background
    return image if image.mode == "RGB" else image.convert("RGB")


class Reduced(NamedTuple):
    """The part of a picture that a model sees, averaged down by whole numbers: the first step of shrinking it.

    `box` says where in `image` it lies, `part` where in the picture: left, top, right, bottom.
    """

    image: Image.Image
    box: tuple[float, float, float, float]
    part: tuple[int, int, int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the part, in pixels of the picture."""
        return self.part[2] - self.part[0], self.part[3] - self.part[1]


def prepare(image: Image.Image, model_input: verdicts.ModelInput) -> bytes:
    """The model's square as RGB bytes, `side_pixels` squared times 3, row by row from the top left.

    `image` is an upright RGB picture of any size.
    """
    return finish(reduce(image, model_input), model_input)


def reduce(image: Image.Image, model_input: verdicts.ModelInput) -> Reduced:
    """The first step of `prepare`, for whoever needs a smaller picture too: it has most of the cost."""
    left, top, width, height = 0, 0, *image.size
    if model_input.fit is verdicts.Fit.COVER:
        width = height = min(image.size)
        left, top = (image.width - width) // 2, (image.height - height) // 2
    part = left, top, left + width, top + height
    target = _target((width, height), model_input)
    # Pillow's own first step with this `reducing_gap`, a test holds it to that. 2.0 is the least that does not show.
    factors = int(width / target[0] / _REDUCING_GAP) or 1, int(height / target[1] / _REDUCING_GAP) or 1
    if factors == (1, 1):
        return Reduced(image, part, part)
    # With what bilinear resampling reads beyond the part's edges: half of a pixel of the target.
    beyond_x, beyond_y = width / target[0] / 2, height / target[1] / 2
    from_x, from_y = max(0, int(left - beyond_x)), max(0, int(top - beyond_y))
    to_x = min(image.width, math.ceil(left + width + beyond_x))
    to_y = min(image.height, math.ceil(top + height + beyond_y))
    x, y = (left - from_x) / factors[0], (top - from_y) / factors[1]
    return Reduced(
        image.reduce(factors, box=(from_x, from_y, to_x, to_y)),
        (x, y, x + width / factors[0], y + height / factors[1]),
        part,
    )


def finish(reduced: Reduced, model_input: verdicts.ModelInput) -> bytes:
    """The second step of `prepare`."""
    side = model_input.side_pixels
    size = _target(reduced.size, model_input)
    resized = reduced.image.resize(size, Image.Resampling.BILINEAR, box=reduced.box)
    if size != (side, side):
        square = Image.new("RGB", (side, side), _GREY)
        square.paste(resized, ((side - size[0]) // 2, (side - size[1]) // 2))
        resized = square
    return resized.tobytes()


def _target(size: tuple[int, int], model_input: verdicts.ModelInput) -> tuple[int, int]:
    side = model_input.side_pixels
    if model_input.fit is not verdicts.Fit.CONTAIN:
        return side, side
    scale = side / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
