"""The pictures that a pack is most wrong about, to be looked at: as thumbnails, and as one sheet.

They are the user's own pictures: they go where the user says, and nowhere else.
"""

import base64
import io
from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from cakegate.training import data, evaluating

#: Ten rows of five fit a screen's width and are still to be made out.
COUNT = 50
SUFFIXES = (".png", ".jpg")
_THUMBNAIL_PIXELS = 150
_CAPTION_PIXELS = 30
_COLUMNS = 10
_CAPTION_CHARACTERS = 24


def thumbnails(rows: Iterable[data.Labelled], wanted: list[evaluating.Judged]) -> list[Image.Image]:
    """Small pictures of those wanted, in their order; `rows` are all labelled pictures, read again."""
    places = {(each.archive, each.file): place for place, each in enumerate(wanted)}
    found: dict[int, Image.Image] = {}
    for row in rows:
        place = places.get((row.archive, row.file))
        if place is not None:
            small = ImageOps.contain(data.decode(row.content), (_THUMBNAIL_PIXELS, _THUMBNAIL_PIXELS))
            found[place] = small
    return [found[place] for place in range(len(wanted))]


def inlined(thumbnail: Image.Image) -> str:
    """A thumbnail as a `data:` address."""
    buffer = io.BytesIO()
    thumbnail.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def write_sheet(path: Path, wanted: list[evaluating.Judged], pictures: list[Image.Image]) -> None:
    """One picture of all thumbnails, each with its label, its score and where it is from."""
    rows = -(-len(wanted) // _COLUMNS)
    height = _THUMBNAIL_PIXELS + _CAPTION_PIXELS
    sheet = Image.new("RGB", (_COLUMNS * _THUMBNAIL_PIXELS, rows * height), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for place, (each, picture) in enumerate(zip(wanted, pictures, strict=True)):
        left, top = place % _COLUMNS * _THUMBNAIL_PIXELS, place // _COLUMNS * height
        sheet.paste(picture, (left, top))
        name = "cake" if each.label else "not cake"
        draw.text((left + 2, top + _THUMBNAIL_PIXELS), f"{name} {each.score:.2f} {each.kind}", (0, 0, 0))
        draw.text((left + 2, top + _THUMBNAIL_PIXELS + 13), each.file[-_CAPTION_CHARACTERS:], (110, 110, 110))
    sheet.save(path)
