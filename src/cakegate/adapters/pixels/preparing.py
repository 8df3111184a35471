"""From a decoded picture to what a model sees. Training, evaluation and the worker's child all go through here."""

from collections.abc import Sequence

from PIL import Image

from cakegate.domain import verdicts

_GREY = (128, 128, 128)


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


def prepare_all(image: Image.Image, model_inputs: Sequence[verdicts.ModelInput]) -> list[bytes]:
    """`prepare` for each of several models; those that want the same share it."""
    made: dict[verdicts.ModelInput, bytes] = {}
    for each in model_inputs:
        if each not in made:
            made[each] = prepare(image, each)
    return [made[each] for each in model_inputs]


def prepare(image: Image.Image, model_input: verdicts.ModelInput) -> bytes:
    """The model's square as RGB bytes, `side_pixels` squared times 3, row by row from the top left.

    `image` is an upright RGB picture of any size.
    """
    side = model_input.side_pixels
    box: tuple[int, int, int, int] | None = None
    size = (side, side)
    if model_input.fit is verdicts.Fit.COVER:
        short = min(image.size)
        left, top = (image.width - short) // 2, (image.height - short) // 2
        box = (left, top, left + short, top + short)
    elif model_input.fit is verdicts.Fit.CONTAIN:
        scale = side / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    # reducing_gap halves the cost of shrinking large pictures; 2.0 is the least that does not show.
    resized = image.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    if size != (side, side):
        square = Image.new("RGB", (side, side), _GREY)
        square.paste(resized, ((side - size[0]) // 2, (side - size[1]) // 2))
        resized = square
    return resized.tobytes()
