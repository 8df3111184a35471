"""From bytes to a picture, and from a picture to its renditions: Pillow, told what it may touch."""

import io
import warnings
from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from cakegate.adapters.pixels import preparing
from cakegate.domain import renditions
from cakegate.domain.renditions import Format, Preset

#: The formats we take, by their first bytes; Pillow is never asked to guess among its dozens.
_MAGIC: Final = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF87a": "GIF", b"GIF89a": "GIF"}
#: Colour profiles up to this are honoured; larger ones are an attack or a mistake.
_PROFILE_MAX_BYTES: Final = 64 * 1024
#: A picture whose one side is this many times the other is a bar, and a way to waste memory.
_RATIO_MAX: Final = 64

ImageFile.LOAD_TRUNCATED_IMAGES = False
# Our own cap is checked from the header, before a pixel is decoded; Pillow's stays as a second one.
warnings.simplefilter("error", Image.DecompressionBombWarning)


class TooLargeError(Exception):
    """More pixels than allowed."""


class NotAnImageError(Exception):
    """Not a picture of a format we take, or a broken one."""


def sniff(content: bytes) -> str:
    """The format by its first bytes. Raises `NotAnImageError`."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    for magic, name in _MAGIC.items():
        if content.startswith(magic):
            return name
    raise NotAnImageError("its first bytes are none of JPEG's, PNG's, WebP's or GIF's")


def decode(content: bytes, *, max_pixels: int) -> tuple[str, tuple[int, int], Image.Image]:
    """The format, the upright size in the file, and an upright RGB picture no larger than renditions need.

    Raises:
        NotAnImageError: see there.
        TooLargeError: more than `max_pixels`.
    """
    name = sniff(content)
    try:
        with Image.open(io.BytesIO(content), formats=[name]) as image:
            width, height = image.size
            _check_size(width, height, max_pixels=max_pixels)
            upright = _decoded(image)
    except (TooLargeError, NotAnImageError):
        raise
    except Image.DecompressionBombWarning as error:
        raise TooLargeError(str(error)) from error
    except MemoryError as error:
        raise TooLargeError("it needs more memory than a picture may have") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, KeyError,
            AttributeError, OverflowError, ZeroDivisionError, ArithmeticError) as error:  # fmt: skip
        # Pillow's decoders answer broken files with any of these.
        raise NotAnImageError(f"{type(error).__name__}: {error}") from error
    turned = upright.info.get("turned", False)
    return name.lower(), (height, width) if turned else (width, height), upright


def _check_size(width: int, height: int, *, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise TooLargeError(f"{width} x {height} pixels, at most {max_pixels:,} are allowed")
    if max(width, height) > _RATIO_MAX * min(width, height):
        raise NotAnImageError(f"{width} x {height} is no shape of a picture")


def _decoded(image: Image.Image) -> Image.Image:
    largest = renditions.LONGEST_SIDE_PIXELS[Preset.WEB]
    # JPEG can be decoded at an eighth, a quarter or a half for a fraction of the cost: never below what we render.
    image.draft("RGB", (largest, largest))
    orientation = image.getexif().get(0x0112, 1)
    # The first frame alone: no seek is ever made.
    image.load()
    flat = preparing.flatten(_to_srgb(image))
    # Shrunk before it is turned and kept: what is left of a large picture is small.
    flat.thumbnail((2 * largest, 2 * largest), Image.Resampling.BOX, reducing_gap=None)
    upright = ImageOps.exif_transpose(_with_orientation(flat, orientation))
    upright.info = {"turned": orientation in {5, 6, 7, 8}}
    return upright


def _with_orientation(image: Image.Image, orientation: int) -> Image.Image:
    """A picture that knows nothing but how it is turned."""
    bare = Image.frombytes("RGB", image.size, image.tobytes()) if image.info else image
    if orientation != 1:
        bare.getexif()[0x0112] = orientation
    return bare


def _to_srgb(image: Image.Image) -> Image.Image:
    """Colours as sRGB where a profile says otherwise; a profile that cannot be read is ignored, as browsers do."""
    profile = image.info.get("icc_profile")
    if not profile or len(profile) > _PROFILE_MAX_BYTES or image.mode not in {"RGB", "CMYK", "L"}:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return converted or image


def render(image: Image.Image, presets: Sequence[Preset]) -> list[renditions.Rendition]:
    """The picture in each preset's size and in both formats, largest first, each from the one before."""
    made = []
    current = image
    for preset in sorted(presets, key=lambda each: -renditions.LONGEST_SIDE_PIXELS[each]):
        side = renditions.LONGEST_SIDE_PIXELS[preset]
        if max(current.size) > side:
            scale = side / max(current.size)
            size = (max(1, round(current.width * scale)), max(1, round(current.height * scale)))
            current = current.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        made += [_encoded(current, preset, each) for each in Format]
    return made


def _encoded(image: Image.Image, preset: Preset, image_format: Format) -> renditions.Rendition:
    buffer = io.BytesIO()
    quality = renditions.QUALITY[preset, image_format]
    if image_format is Format.WEBP:
        # Method 2 of 6: half the time of the default 4 for 3 % more bytes.
        image.save(buffer, "WEBP", quality=quality, method=2, exif=b"", icc_profile=b"")
    else:
        image.save(buffer, "JPEG", quality=quality, progressive=True, exif=b"")
    return renditions.Rendition(
        preset=preset, format=image_format, width=image.width, height=image.height, content=buffer.getvalue()
    )
