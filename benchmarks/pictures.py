"""Pictures to judge: drawn, with the grain of a camera, so that they cost what photographs cost."""

import io
import itertools
import random
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from cakegate import drawings
from cakegate.adapters import detector
from cakegate.adapters.pixels import decoding, preparing
from cakegate.domain import verdicts

#: Those that the model takes for a cake, or doubts; and those that it rejects, which nobody renders.
CAKE = "cake"
OTHER = "other"
PHOTO = (1024, 768)
CAMERA = (4000, 3000)
MAX_PIXELS = 50_000_000


class Judge:
    """What a worker does with a picture's bytes, and nothing around it."""

    def __init__(self) -> None:
        self._detector = detector.Detector.load(detector.starter_pack())

    def __call__(self, content: bytes) -> tuple[verdicts.Verdict, decoding.Picture]:
        picture = decoding.decode(content, max_pixels=MAX_PIXELS)
        return self._detector.judge(preparing.prepare(picture.image, self._detector.model_input)), picture


def drawn(kind: str, *, size: tuple[int, int]) -> Iterator[bytes]:
    """Different JPEGs without end, upright, quality 88; the same arguments give the same bytes."""
    judge = Judge()
    draw = drawings.draw_cake if kind == CAKE else drawings.draw_other
    for seed in drawings.DEMO_SEEDS:
        content = _grainy(draw(seed, size), seed)
        rejected = judge(content)[0].decision is verdicts.Decision.REJECT
        if rejected == (kind == OTHER):
            yield content


def _grainy(image: Image.Image, seed: int) -> bytes:
    """A drawing has flat areas, which compress and decode like nothing that a camera makes."""
    tile = Image.frombytes("RGB", (256, 256), random.Random(seed).randbytes(256 * 256 * 3))
    noise = Image.new("RGB", image.size)
    for left in range(0, image.width, tile.width):
        for top in range(0, image.height, tile.height):
            noise.paste(tile, (left, top))
    buffer = io.BytesIO()
    Image.blend(image, noise, 0.06).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def written(folder: Path, kind: str, *, size: tuple[int, int], count: int) -> list[str]:
    """Names of `count` files with such pictures in `folder`."""
    names = [f"{kind}-{size[0]}-{number}.jpg" for number in range(count)]
    for name, content in zip(names, itertools.islice(drawn(kind, size=size), count), strict=True):
        (folder / name).write_bytes(content)
    return names
