"""The sizes and formats in which a judged picture is kept."""

import enum

import msgspec


class Preset(enum.StrEnum):
    """What a rendition is for."""

    WEB = "web"
    MOBILE = "mobile"
    THUMBNAIL = "thumbnail"


class Format(enum.StrEnum):
    """The encodings of a rendition."""

    WEBP = "webp"
    JPEG = "jpeg"

    @property
    def media_type(self) -> str:
        """The IANA media type."""
        return f"image/{self.value}"


#: Longest side in pixels; a smaller picture is never enlarged.
LONGEST_SIDE_PIXELS: dict[Preset, int] = {Preset.WEB: 1024, Preset.MOBILE: 320, Preset.THUMBNAIL: 160}
#: Encoder quality, 1 to 100; WebP needs less for the same look.
QUALITY: dict[tuple[Preset, Format], int] = {
    (Preset.WEB, Format.JPEG): 88,
    (Preset.WEB, Format.WEBP): 82,
    (Preset.MOBILE, Format.JPEG): 84,
    (Preset.MOBILE, Format.WEBP): 80,
    (Preset.THUMBNAIL, Format.JPEG): 80,
    (Preset.THUMBNAIL, Format.WEBP): 76,
}


class Rendition(msgspec.Struct, frozen=True, kw_only=True):
    """One encoded rendition: upright, sRGB, without metadata."""

    preset: Preset
    format: Format
    width: int
    height: int
    content: bytes


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes as they are kept. The key names the content: what is once under it never changes."""

    key: str
    content: bytes
    media_type: str


def blob(image_sha256: bytes, made: Rendition) -> Blob:
    """A rendition as it is kept."""
    key = blob_key(image_sha256, made.preset, made.format)
    return Blob(key=key, content=made.content, media_type=made.format.media_type)


def blob_key(image_sha256: bytes, preset: Preset, image_format: Format) -> str:
    """Where a rendition lies in the blob store: by the content hash of the picture it was made from."""
    return f"renditions/{image_sha256.hex()}/{preset.value}.{image_format.value}"
