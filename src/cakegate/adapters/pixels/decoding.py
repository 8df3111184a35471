"""From bytes to a picture: Pillow, told what it may touch. Runs in the child alone."""

import io
import re
import warnings
from typing import Final, NamedTuple

from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

from cakegate.adapters.pixels import preparing
from cakegate.domain import renditions

#: The formats we take, by their first bytes; Pillow is never asked to guess among its dozens.
_MAGIC: Final = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF87a": "GIF", b"GIF89a": "GIF"}
#: What is kept of a large picture is at most twice what is rendered from it.
_KEPT_PIXELS: Final = 2 * renditions.LONGEST_SIDE_PIXELS[renditions.Preset.WEB]
#: Colour profiles up to this are honoured (v4 profiles of cameras and printers are a few hundred KiB at most).
_PROFILE_MAX_BYTES: Final = 1024 * 1024
#: Scans of one JPEG. Encoders write a dozen; each goes over the whole picture again, also where it has a few bytes:
#: at 50 million pixels some 35 ms, measured, and 200 KB can hold thousands.
_SCANS_MOST: Final = 64
#: Segments of one JPEG or chunks of one PNG: Pillow takes microseconds for each, which has four bytes or twelve. An
#: encoder that writes a kilobyte a chunk stays below it up to the largest picture that is fetched by default.
_PARTS_MOST: Final = 16_384
#: Bytes between two segments, which Pillow steps over one by one.
_FILL_MOST_BYTES: Final = 4096
_PNG_MAGIC_BYTES, _PNG_CHUNK_BYTES = 8, 12
#: A marker that ends a scan's data: no stuffed zero, no restart, no fill byte (ITU-T T.81, B.1.1).
_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_SOF0, _EOI, _SOS, _MARKER_BYTES = 0xC0, 0xD9, 0xDA, 2
_ORIENTATION_TAG: Final = 0x0112
#: What undoes each EXIF orientation (TIFF 6.0, section 8).
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_THEIR_SIDE: Final = frozenset({5, 6, 7, 8})
_SRGB: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))

ImageFile.LOAD_TRUNCATED_IMAGES = False


class TooLargeError(Exception):
    """More pixels than allowed, or more memory than the child has."""


class NotAnImageError(Exception):
    """Not a picture of a format we take, or a broken one."""


class Picture(NamedTuple):
    """A decoded picture: the size is the file's, upright; the image is RGB, upright, no larger than renditions need."""

    format: str
    width: int
    height: int
    image: Image.Image


def sniff(content: bytes) -> str:
    """Pillow's name of the format, by the first bytes. Raises `NotAnImageError`."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    for magic, name in _MAGIC.items():
        if content.startswith(magic):
            return name
    raise NotAnImageError("its first bytes are none of JPEG's, PNG's, WebP's or GIF's")


def decode(content: bytes, *, max_pixels: int) -> Picture:
    """The first frame of a picture.

    Raises:
        NotAnImageError: no format we take, or broken, or cut off.
        TooLargeError: more than `max_pixels`, as its header says, or more parts than any picture needs,
            before anything is decoded; or it needs more memory than there is.
    """
    name = sniff(content)
    try:
        with warnings.catch_warnings():
            # Broken EXIF, odd palettes: Pillow's remarks are no news to anybody.
            warnings.simplefilter("ignore")
            return _decoded(content, name, max_pixels=max_pixels)
    except (TooLargeError, NotAnImageError):
        raise
    except Image.DecompressionBombError as error:
        raise TooLargeError(str(error)) from error
    except MemoryError as error:
        raise TooLargeError("it needs more memory than a picture may have") from error
    except UnidentifiedImageError as error:
        # Its own message names the object in memory.
        raise NotAnImageError(f"its header is not {name}'s") from error
    except Exception as error:
        # Whatever a decoder raises on a stranger's bytes (struct.error, KeyError, zlib.error, RuntimeError, …) means
        # the same: this is no picture. The child has nothing else that could be at fault here.
        raise NotAnImageError(f"{type(error).__name__}: {error}") from error


def _decoded(content: bytes, name: str, *, max_pixels: int) -> Picture:
    # Pillow raises from twice this on (DecompressionBombError); we check the header ourselves, once it is read.
    Image.MAX_IMAGE_PIXELS = max_pixels
    if name in _CHECKS:
        _CHECKS[name](content)
    with Image.open(io.BytesIO(content), formats=[name]) as opened:
        width, height = opened.size
        if width < 1 or height < 1:
            raise NotAnImageError(f"{width} x {height} pixels")
        if width * height > max_pixels:
            raise TooLargeError(f"{width} x {height} pixels, at most {max_pixels:,} are allowed")
        if name == "JPEG":
            opened.draft(None, _draft_size(width, height))
        orientation = _orientation(opened)
        # The first frame alone: no seek is ever made.
        opened.load()
        image = _flat(opened)
    image.info = {}
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    if orientation in _ON_THEIR_SIDE:
        width, height = height, width
    return Picture(format=name.lower(), width=width, height=height, image=image)


def _draft_size(width: int, height: int) -> tuple[int, int]:
    """What a JPEG is not decoded below. Half, a quarter or an eighth of its size costs that much less."""
    scale = min(1.0, renditions.LONGEST_SIDE_PIXELS[renditions.Preset.WEB] / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _check_jpeg(content: bytes) -> None:
    """Refuse a JPEG of more scans, segments or fill bytes than any encoder writes: few bytes that cost much time.

    Segments are stepped over, so that no thumbnail or comment counts; what follows the first picture's end does not.
    """
    scans, at = 0, _MARKER_BYTES
    for _ in range(_PARTS_MOST):
        marker = _MARKER.search(content, at)
        if marker is None or content[marker.end() - 1] == _EOI:
            return
        if not scans and marker.start() - at > _FILL_MOST_BYTES:
            raise TooLargeError(f"more than {_FILL_MOST_BYTES} bytes between two segments")
        scans += content[marker.end() - 1] == _SOS
        if scans > _SCANS_MOST:
            raise TooLargeError(f"more than {_SCANS_MOST} scans")
        at = marker.end()
        # Below SOF0 a marker has no length: libjpeg goes on right behind it, where more scans may hide.
        if content[at - 1] >= _SOF0:
            at += int.from_bytes(content[at : at + 2], "big")
    raise TooLargeError(f"more than {_PARTS_MOST} segments")


def _check_png(content: bytes) -> None:
    """Refuse a PNG of more chunks than any encoder writes."""
    at = _PNG_MAGIC_BYTES
    for _ in range(_PARTS_MOST):
        if at >= len(content) or content[at + 4 : at + 8] == b"IEND":
            return
        at += _PNG_CHUNK_BYTES + int.from_bytes(content[at : at + 4], "big")
    raise TooLargeError(f"more than {_PARTS_MOST} chunks")


_CHECKS: Final = {"JPEG": _check_jpeg, "PNG": _check_png}


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 where EXIF cannot be read: that is no reason to refuse a picture."""
    try:
        said = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - see `decode`
        return 1
    return said if isinstance(said, int) and (said == 1 or said in _UPRIGHT) else 1


def _flat(image: Image.Image) -> Image.Image:
    """As sRGB over white, shrunk before the steps that cost by the pixel; never the opened file itself."""
    profile = image.info.get("icc_profile")
    flat = image
    if image.mode in {"P", "PA"} or ("transparency" in image.info and image.mode in {"L", "RGB"}):
        # Indexed colours cannot be averaged.
        flat = image.convert("RGBA")
    elif image.mode not in {"L", "LA", "RGB", "RGBA", "CMYK"}:
        flat = preparing.flatten(image)
    if max(flat.size) > _KEPT_PIXELS:
        scale = _KEPT_PIXELS / max(flat.size)
        size = (max(1, round(flat.width * scale)), max(1, round(flat.height * scale)))
        flat = flat.resize(size, Image.Resampling.BOX)
    if flat.mode in {"LA", "RGBA"}:
        flat = preparing.flatten(flat)
    flat = preparing.flatten(_to_srgb(flat, profile))
    return flat.copy() if flat is image else flat


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours as sRGB where a profile says otherwise; a profile that cannot be used is ignored, as browsers do."""
    if not profile or len(profile) > _PROFILE_MAX_BYTES:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in (source.profile.profile_description or "").lower():
            return image
        return ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
