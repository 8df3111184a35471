"""Pictures made for the tests: plain ones, odd but honest ones, and hostile files."""

import io
import struct
import zlib

from PIL import Image, ImageCms, ImageDraw

#: The side of the square that the tests' model sees.
SIDE_PIXELS = 32

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 180, 30), (30, 30, 220), (255, 255, 255)


def quarters(size=(64, 48), mode="RGB"):
    """Red, green over blue, white: tells how it is turned."""
    image = Image.new("RGB", size)
    draw = ImageDraw.Draw(image)
    half_x, half_y = size[0] // 2, size[1] // 2
    draw.rectangle((0, 0, half_x - 1, half_y - 1), fill=RED)
    draw.rectangle((half_x, 0, *size), fill=GREEN)
    draw.rectangle((0, half_y, half_x - 1, size[1]), fill=BLUE)
    draw.rectangle((half_x, half_y, *size), fill=WHITE)
    return image.convert(mode)


def encoded(image, name="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def noise(size=(640, 480)):
    """A picture that does not compress to nothing."""
    return Image.effect_noise(size, 60).convert("RGB")


def exif(orientation):
    said = Image.Exif()
    said[0x0112] = orientation
    said[0x010F] = "a camera's maker"
    return said


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, *, depth=8, colour=2, before=b"", data=None, interlaced=0):
    """A PNG by hand: what no encoder writes."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    body = chunk(b"IDAT", zlib.compress(data)) if data is not None else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + body + chunk(b"IEND", b"")


def jpeg_saying(width, height):
    """A small JPEG whose header says another size."""
    content = bytearray(encoded(quarters()))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def jpeg_with(marker, body):
    """A JPEG with one more segment behind its first two bytes."""
    plain = encoded(quarters())
    return plain[:2] + marker + struct.pack(">H", len(body) + 2) + body + plain[2:]


def gif_saying(width, height):
    content = bytearray(encoded(quarters(mode="P"), "GIF"))
    content[6:10] = struct.pack("<HH", width, height)
    return bytes(content)


def gif_frame_of(width, height):
    """A GIF whose only frame is larger than its screen."""
    content = bytearray(encoded(quarters(mode="P"), "GIF"))
    at = content.index(b"\x2c\0\0\0\0")
    content[at + 5 : at + 9] = struct.pack("<HH", width, height)
    return bytes(content)


def webp_saying(width, height):
    """A WebP whose extended header says another canvas."""
    content = bytearray(encoded(quarters(), "WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0"))
    at = content.index(b"VP8X")
    content[at + 12 : at + 15] = (width - 1).to_bytes(3, "little")
    content[at + 15 : at + 18] = (height - 1).to_bytes(3, "little")
    return bytes(content)


def animated(name, frames=3, **options):
    """Red first, then blue."""
    first, *rest = [Image.new("RGB", (32, 32), RED), *(Image.new("RGB", (32, 32), BLUE) for _ in range(frames - 1))]
    return encoded(first, name, save_all=True, append_images=rest, **options)


def swapped_profile():
    """A valid profile whose red and blue are exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    entries = {bytes(profile[at : at + 4]): at + 4 for at in range(132, 132 + 12 * count, 12)}
    red, blue = entries[b"rXYZ"], entries[b"bXYZ"]
    profile[red : red + 8], profile[blue : blue + 8] = profile[blue : blue + 8], profile[red : red + 8]
    # Told from sRGB by its name.
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "odd!".encode("utf-16-be"))


def _repeated(kind, body, times):
    return chunk(kind, body) * times


#: Odd, but pictures: each must be decoded.
ODD = {
    "cmyk-jpeg": lambda: encoded(quarters(mode="CMYK")),
    "grey-jpeg": lambda: encoded(quarters(mode="L")),
    "progressive-jpeg": lambda: encoded(quarters(), progressive=True),
    "jpeg-and-zip": lambda: encoded(quarters()) + b"PK\x03\x04" + b"\0" * 500,
    "jpeg-with-script-comment": lambda: jpeg_with(b"\xff\xfe", b"<script>alert(1)</script>" * 100),
    "jpeg-with-garbage-exif": lambda: jpeg_with(b"\xff\xe1", b"Exif\0\0" + b"\xff" * 60_000),
    "jpeg-with-looping-exif": lambda: jpeg_with(
        b"\xff\xe1", b"Exif\0\0II*\0\x08\0\0\0\x01\0i\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0"
    ),
    "jpeg-with-orientation-99": lambda: encoded(quarters(), exif=exif(99)),
    "jpeg-with-garbage-profile": lambda: encoded(quarters(), icc_profile=b"\0" * 70_000),
    "jpeg-with-huge-profile": lambda: encoded(quarters(), icc_profile=swapped_profile() + b"\0" * 3_000_000),
    # Its end marker is there: libjpeg fills up with grey, as browsers do.
    "jpeg-saying-more-than-it-has": lambda: jpeg_saying(3000, 3000),
    "jpeg-of-one-pixel": lambda: encoded(Image.new("RGB", (1, 1), RED)),
    "jpeg-as-a-line": lambda: encoded(Image.new("RGB", (20_000, 2), RED)),
    "mpo": lambda: encoded(quarters(), "MPO", save_all=True, append_images=[quarters()]),
    "png-1-bit": lambda: encoded(quarters(mode="1"), "PNG"),
    "png-16-bit-grey": lambda: encoded(Image.new("I;16", (40, 30), 30_000), "PNG"),
    "png-16-bit-grey-transparent": lambda: png(
        4, 4, depth=16, colour=0, before=chunk(b"tRNS", b"\x40\x00"), data=(b"\0" + b"\x40\x00" * 4) * 4
    ),
    "png-16-bit-colour": lambda: png(4, 4, depth=16, data=(b"\0" + b"\xdc\x00\x1e\x00\x1e\x00" * 4) * 4),
    "png-grey-alpha": lambda: encoded(quarters(mode="LA"), "PNG"),
    "png-palette": lambda: encoded(quarters(mode="P"), "PNG"),
    "png-palette-transparent": lambda: encoded(quarters(mode="P"), "PNG", transparency=bytes(range(256))),
    "png-palette-without-palette-data": lambda: png(8, 8, colour=3, before=chunk(b"PLTE", b""), data=b"\xff" * 9),
    "png-interlaced": lambda: png(1, 1, data=b"\0\xdc\x1e\x1e", interlaced=1),
    "png-with-profile": lambda: encoded(quarters(), "PNG", icc_profile=swapped_profile()),
    "png-with-many-text-chunks": lambda: png(
        1, 1, before=_repeated(b"tEXt", b"k\0" + b"v" * 100, 1000), data=b"\0\xdc\x1e\x1e"
    ),
    "gif-animated": lambda: animated("GIF"),
    "gif-of-1000-frames": lambda: animated("GIF", frames=1000, disposal=2),
    "gif-with-script": lambda: animated("GIF", comment=b"<script>alert(1)</script>"),
    "webp-animated": lambda: animated("WEBP"),
    "webp-lossless": lambda: encoded(quarters(), "WEBP", lossless=True),
    "apng": lambda: animated("PNG"),
}

#: No pictures, or broken ones.
BROKEN = {
    "nothing": lambda: b"",
    "one-byte": lambda: b"\xff",
    "text": lambda: b"no picture at all",
    "html": lambda: b"<!doctype html><html><body>cake</body></html>",
    "svg": lambda: b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "pdf": lambda: b"%PDF-1.7\n" + b"\0" * 100,
    "eps": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "bmp": lambda: encoded(quarters(), "BMP"),
    "tiff": lambda: encoded(quarters(), "TIFF"),
    "ico": lambda: encoded(quarters(), "ICO"),
    "psd": lambda: b"8BPS\0\x01" + b"\0" * 100,
    "fits": lambda: b"SIMPLE  =                    T" + b" " * 2850,
    "jpeg-2000": lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 100,
    "avif": lambda: b"\0\0\0\x20ftypavif" + b"\0" * 100,
    "zip": lambda: b"PK\x03\x04" + b"\0" * 100,
    "riff-but-wav": lambda: b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 100,
    "jpeg-magic-alone": lambda: b"\xff\xd8\xff",
    "jpeg-magic-and-garbage": lambda: b"\xff\xd8\xff\xe0" + b"\x5a" * 5000,
    "jpeg-of-fill-bytes": lambda: b"\xff\xd8" + b"\xff" * 200_000,
    "jpeg-saying-0-by-0": lambda: jpeg_saying(0, 0),
    "png-magic-alone": lambda: b"\x89PNG\r\n\x1a\n",
    "png-of-0-by-0": lambda: png(0, 0, data=b""),
    "png-without-data": lambda: png(8, 8),
    "png-with-too-little-data": lambda: png(800, 800, data=b"\0" * 100),
    "png-of-colour-type-5": lambda: png(8, 8, colour=5, data=b"\0" * 200),
    "png-with-wrong-checksum": lambda: encoded(quarters(), "PNG").replace(b"IDAT", b"IDAt", 1),
    "png-with-endless-chunk": lambda: b"\x89PNG\r\n\x1a\n" + b"\xff\xff\xff\xffIHDR" + b"\0" * 100,
    "png-with-text-bomb": lambda: png(
        1, 1, before=chunk(b"zTXt", b"k\0\0" + zlib.compress(b"v" * 30_000_000)), data=b"\0\xdc\x1e\x1e"
    ),
    "gif-magic-alone": lambda: b"GIF89a",
    "gif-without-frames": lambda: b"GIF89a\x08\0\x08\0\0\0\0;",
    "webp-without-chunks": lambda: b"RIFF\x04\0\0\0WEBP",
    "webp-of-garbage": lambda: b"RIFF\xff\xff\xff\x7fWEBPVP8 " + b"\xa5" * 5000,
    "webp-saying-more-than-it-has": lambda: webp_saying(3000, 3000),
}

#: More pixels than anybody decodes, in a few hundred bytes.
BOMBS = {
    "png-60000-by-60000": lambda: png(60_000, 60_000, data=b"\0" * 1000),
    "png-2-billion-wide": lambda: png(2**31 - 1, 1, data=b"\0" * 1000),
    "png-just-too-large": lambda: png(7072, 7072, data=b"\0" * 1000),
    "png-interlaced": lambda: png(30_000, 30_000, data=b"\0" * 1000, interlaced=1),
    "jpeg-65500-by-65500": lambda: jpeg_saying(65_500, 65_500),
    "gif-65535-by-65535": lambda: gif_saying(65_535, 65_535),
    "gif-frame-of-65535-by-65535": lambda: gif_frame_of(65_535, 65_535),
    "webp-16383-by-16383": lambda: webp_saying(16_383, 16_383),
}

#: Whole pictures, to be cut off.
WHOLE = {
    "jpeg": lambda: encoded(noise()),
    "progressive": lambda: encoded(noise(), progressive=True),
    "png": lambda: encoded(noise((160, 120)), "PNG"),
    "gif": lambda: encoded(noise((160, 120)).convert("P"), "GIF"),
    "webp": lambda: encoded(noise((160, 120)), "WEBP"),
    "lossless": lambda: encoded(noise((160, 120)), "WEBP", lossless=True),
}
