"""From a picture to its renditions: never enlarged, both formats each, nothing of the original's metadata."""

import io
from collections.abc import Sequence

from PIL import Image

from cakegate.domain import renditions
from cakegate.domain.renditions import Format, Preset


def render(image: Image.Image, presets: Sequence[Preset]) -> list[renditions.Rendition]:
    """An upright RGB picture in each preset's size, largest first, each made from the one before."""
    made = []
    current = image
    for preset in sorted(presets, key=lambda each: -renditions.LONGEST_SIDE_PIXELS[each]):
        current = _shrunk(current, renditions.LONGEST_SIDE_PIXELS[preset])
        made += [_encoded(current, preset, each) for each in Format]
    return made


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    if max(image.size) <= side:
        return image
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    # Pillow's documentation: from a gap of 3.0 on the result cannot be told from one without.
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _encoded(image: Image.Image, preset: Preset, image_format: Format) -> renditions.Rendition:
    buffer = io.BytesIO()
    quality = renditions.QUALITY[preset, image_format]
    if image_format is Format.WEBP:
        image.save(buffer, "WEBP", quality=quality, method=2)
    else:
        image.save(buffer, "JPEG", quality=quality, progressive=True)
    return renditions.Rendition(
        preset=preset, format=image_format, width=image.width, height=image.height, content=buffer.getvalue()
    )
