"""Files that a hostile host may serve as pictures: how each is made, where its shape is known from, how it must end.

`JUDGED`: the model sees it and says what it says. The others end as `rejected` for the reason named. None may end the
worker, none needs to end the child.
"""

import gzip
import struct
import zlib
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import made_pictures as made
from made_pictures import chunk, encoded, jpeg_with, png, quarters
from PIL import Image

from cakegate.domain.submissions import Reason

JUDGED = None
BROKEN, TOO_LARGE = Reason.IMAGE_NOT_AN_IMAGE, Reason.IMAGE_TOO_LARGE


class File(NamedTuple):
    """One file: `end` is the reason of its rejection, or `JUDGED`."""

    name: str
    source: str
    end: Reason | None
    make: Callable[[], bytes]


def patched(content, old, new):
    """`content` with the first `old` exchanged for `new`."""
    assert old in content
    return content.replace(old, new, 1)


def jpeg_before_scan(segment, **options):
    """A JPEG with something more right before its first scan."""
    content = encoded(quarters(), **options)
    at = content.index(b"\xff\xda")
    return content[:at] + segment + content[at:]


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg_of_sof(marker, **changes):
    """A JPEG whose frame says another process, precision or set of components."""
    content = bytearray(encoded(quarters()))
    at = content.index(b"\xff\xc0")
    content[at + 1] = marker
    for place, value in changes.items():
        content[at + {"precision": 4, "components": 9, "sampling": 11, "table": 12}[place]] = value
    return bytes(content)


def jpeg_of_scans(count):
    """A progressive JPEG whose last scan is repeated, in some bytes each."""
    content = encoded(Image.new("L", (2000, 2000), 90), progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + last * count + b"\xff\xd9"


def jpeg_of_hidden_scans(count):
    """Scans behind a marker below SOF0, which has no length and looks as if it had one that covers them."""
    content = encoded(Image.new("L", (2000, 2000), 90), progressive=True)
    head = content[: content.index(b"\xff\xda")]
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00"
    hidden = (scan * count).ljust(65_533, b"\0")
    return head + segment(0xDD, b"\xff\xff") + scan + b"\xff\x02\xff\xff" + hidden + b"\xff\xd9"


def exif_jpeg(tiff):
    return jpeg_with(b"\xff\xe1", b"Exif\0\0" + tiff)


def ifd(*entries, following=0):
    """A TIFF directory at offset 8, little-endian: (tag, type, count, value) each."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + struct.pack("<I", following)


def profile_of(space, *, tags=None):
    """An ICC profile that says to be of another colour space, or to have so many tags."""
    content = bytearray(made.swapped_profile())
    content[16:20] = space
    if tags is not None:
        content[128:132] = struct.pack(">I", tags)
    return bytes(content)


def ycck():
    """CMYK as Photoshop writes it: Adobe's marker says transform 2."""
    content = encoded(quarters(mode="CMYK"))
    at = content.index(b"Adobe")
    return content[: at + 11] + b"\x02" + content[at + 12 :]


def gif_of(
    *, screen=(8, 8), code_size=2, data=b"\x84\x8f\xa9\xcb\xed\x0f\xa3\x9c\xb4\xda\x8b\xb3\xde\xbc\xfb\x0f", before=b""
):
    """A GIF by hand: four colours, one frame."""
    head = b"GIF89a" + struct.pack("<HH", *screen) + b"\x91\0\0" + bytes(range(12))
    frame = b"," + struct.pack("<HHHHB", 0, 0, *screen, 0) + bytes([code_size, len(data)]) + data + b"\0"
    return head + before + frame + b";"


def riff(*chunks):
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def vp8x(flags, width, height):
    return b"VP8X", bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def box(kind, body):
    return struct.pack(">I", len(body) + 8) + kind + body


def pixels(width, height):
    return zlib.compress((b"\0" + b"\xdc\x1e\x1e" * width) * height)


@cache
def whole(name):
    return made.WHOLE[name]()


def cut_off(name, tenth):
    content = whole(name)
    return content[: len(content) * tenth // 10]


PIXEL = b"\0\xdc\x1e\x1e"
ZEROS = zlib.compress(b"\0" * 30_000_000, 9)
_LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (level, b"&l%d;" % (level - 1) * 10) for level in range(1, 10))
_PLAIN_GIF = encoded(quarters(mode="P"), "GIF")

BOMBS = (
    File("png-just-too-large", "50 million pixels and one row", TOO_LARGE, lambda: png(7072, 7072, data=b"\0" * 1000)),
    File("png-just-not-too-large", "a bomb that we take: 148 MB in 650 KB", JUDGED,
        lambda: encoded(Image.new("RGB", (7000, 7000)), "PNG", compress_level=1)),
    File("png-with-more-data-than-rows", "CVE-2022-45198's way, in PNG", JUDGED,
        lambda: png(1, 1, data=PIXEL + b"\0" * 30_000_000)),
    File("png-with-ztxt-bomb", "CVE-2014-9601", BROKEN,
        lambda: png(1, 1, before=chunk(b"zTXt", b"k\0\0" + ZEROS), data=PIXEL)),
    File("png-with-itxt-bomb", "CVE-2014-9601", BROKEN,
        lambda: png(1, 1, before=chunk(b"iTXt", b"k\0\1\0\0\0" + ZEROS), data=PIXEL)),
    File("png-with-iccp-bomb", "CVE-2014-9601", BROKEN,
        lambda: png(1, 1, before=chunk(b"iCCP", b"k\0\0" + ZEROS), data=PIXEL)),
    File("png-of-many-small-texts", "Pillow's MAX_TEXT_MEMORY", BROKEN,
        lambda: png(1, 1, before=chunk(b"zTXt", b"k\0\0" + zlib.compress(b"v" * 1_000_000)) * 100, data=PIXEL)),
    File("png-of-30000-chunks", "a chunk has twelve bytes", TOO_LARGE,
        lambda: png(1, 1, before=chunk(b"abCd", b"") * 30_000, data=PIXEL)),
    File("png-of-10000-empty-idats", "libpng's chunk cache", JUDGED,
        lambda: png(1, 1, before=chunk(b"IDAT", b"") * 10_000, data=PIXEL)),
    File("apng-of-2-billion-frames", "imgproxy: animation frames", JUDGED,
        lambda: png(1, 1, before=chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)), data=PIXEL)),
    File("apng-of-1000-frames", "imgproxy: animation frames", JUDGED, lambda: made.animated("PNG", frames=1000)),
    File("gif-of-3000-frames", "imgproxy: animation frames", JUDGED,
        lambda: _PLAIN_GIF[:-1] + _PLAIN_GIF[_PLAIN_GIF.index(b"\x2c\0\0\0\0") : -1] * 3000 + b";"),
    File("gif-of-small-frames-on-a-large-screen", "CVE-2022-45198", TOO_LARGE, lambda: made.gif_saying(65_535, 65_535)),
    File("gif-frame-larger-than-its-screen", "CVE-2022-45198", TOO_LARGE, lambda: made.gif_frame_of(65_535, 65_535)),
    File("gif-of-40000-comments", "a comment has five bytes", JUDGED,
        lambda: gif_of(before=b"\x21\xfe\x01x\0" * 40_000)),
    File("gif-of-a-long-comment", "GIF89a §24", JUDGED,
        lambda: gif_of(before=b"\x21\xfe" + (b"\xff" + b"x" * 255) * 4000 + b"\0")),
    File("webp-of-1000-frames", "imgproxy: animation frames", JUDGED, lambda: made.animated("WEBP", frames=1000)),
    File("webp-canvas-of-16384-by-16384", "CVE-2020-36332", TOO_LARGE, lambda: made.webp_saying(16_384, 16_384)),
    File("jpeg-of-5000-scans", "libjpeg-turbo: Two Issues with the JPEG Standard", TOO_LARGE,
        lambda: jpeg_of_scans(5000)),
    File("jpeg-of-300-hidden-scans", "T.81 B.1.1.3 and libjpeg's resynchronisation", TOO_LARGE,
        lambda: jpeg_of_hidden_scans(300)),
    File("jpeg-of-10-scans-more", "libjpeg-turbo: Two Issues with the JPEG Standard", JUDGED,
        lambda: jpeg_of_scans(10)),
    File("jpeg-of-a-million-segments", "a segment has four bytes", TOO_LARGE,
        lambda: jpeg_before_scan(segment(0xE5, b"") * 1_000_000)),
    File("jpeg-of-fill-bytes-between", "T.81 B.1.1.2", TOO_LARGE, lambda: jpeg_before_scan(b"\xff" * 300_000)),
    File("jpeg-of-restarts", "T.81 E.2.4: restarts without data", JUDGED,
        lambda: encoded(quarters())[:-2] + b"\xff\xd0" * 500_000 + b"\xff\xd9"),
    File("jpeg-saying-50-million-pixels", "libjpeg-turbo: Two Issues with the JPEG Standard", JUDGED,
        lambda: made.jpeg_saying(7000, 7000)),
    File("jpeg-65500-by-65500", "libjpeg's JPEG_MAX_DIMENSION", TOO_LARGE, lambda: made.jpeg_saying(65_500, 65_500)),
)  # fmt: skip

_JPEG = (
    File("jpeg-cmyk", "T.81; Adobe TN 5116", JUDGED, lambda: encoded(quarters(mode="CMYK"))),
    File("jpeg-ycck", "Adobe TN 5116", JUDGED, ycck),
    File("jpeg-12-bit", "T.81 B.2.2; CVE-2023-2804", BROKEN, lambda: jpeg_of_sof(0xC1, precision=12)),
    File("jpeg-16-bit", "T.81 B.2.2", BROKEN, lambda: jpeg_of_sof(0xC0, precision=16)),
    File("jpeg-lossless", "T.81 H; CVE-2023-2804", BROKEN, lambda: jpeg_of_sof(0xC3)),
    File("jpeg-hierarchical", "T.81 J", BROKEN, lambda: jpeg_of_sof(0xC5)),
    File("jpeg-arithmetic", "T.81 D", JUDGED, lambda: jpeg_of_sof(0xC9)),
    File("jpeg-saying-progressive", "T.81 G", BROKEN, lambda: jpeg_of_sof(0xC2)),
    File("jpeg-of-0-components", "T.81 B.2.2", BROKEN, lambda: jpeg_of_sof(0xC0, components=0)),
    File("jpeg-of-255-components", "T.81 B.2.2", BROKEN, lambda: jpeg_of_sof(0xC0, components=255)),
    File("jpeg-of-sampling-0", "T.81 B.2.2", BROKEN, lambda: jpeg_of_sof(0xC0, sampling=0)),
    File("jpeg-of-sampling-15", "T.81 B.2.2", BROKEN, lambda: jpeg_of_sof(0xC0, sampling=0xFF)),
    File("jpeg-without-its-table", "T.81 B.2.2", BROKEN, lambda: jpeg_of_sof(0xC0, table=3)),
    File("jpeg-of-two-frames", "T.81 B.2.1: the second frame is larger", TOO_LARGE,
        lambda: jpeg_before_scan(segment(0xC0, b"\x08\xff\xff\xff\xff\x03\x01\x22\0\x02\x11\1\x03\x11\1"))),
    File("jpeg-of-huffman-overflow", "T.81 B.2.4.2: counts beyond the table", BROKEN,
        lambda: jpeg_before_scan(segment(0xC4, b"\0" + b"\xff" * 16 + b"\0" * 200))),
    File("jpeg-of-0-by-0", "T.81 B.2.5: lines are said later", BROKEN, lambda: made.jpeg_saying(0, 0)),
    File("jpeg-64-by-0", "T.81 B.2.5: lines are said later", BROKEN, lambda: made.jpeg_saying(64, 0)),
    File("jpeg-65500-by-1", "a line", JUDGED, lambda: encoded(Image.new("RGB", (65_500, 1), made.RED))),
    File("jpeg-1-by-65500", "a line", JUDGED, lambda: encoded(Image.new("RGB", (1, 65_500), made.RED))),
    File("jpeg-and-zip", "GIFAR and its kin, CVE-2008-5343", JUDGED,
        lambda: encoded(quarters()) + b"PK\x03\x04" + b"\0" * 500),
    File("jpeg-and-phar", "S. Thomas, Black Hat USA 2018", JUDGED,
        lambda: jpeg_with(b"\xff\xfe", b"<?php __HALT_COMPILER(); ?>" + b"\0" * 50)),
    File("jpeg-and-pdf", "Ange Albertini, Corkami", JUDGED,
        lambda: jpeg_with(b"\xff\xfe", b"%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript>>>>endobj")),
    File("jpeg-with-script", "content sniffing", JUDGED,
        lambda: jpeg_with(b"\xff\xfe", b"<script>alert(1)</script>" * 100)),
    File("jpeg-with-exif-of-64-kib", "TIFF 6.0", JUDGED, lambda: exif_jpeg(ifd((0x0112, 3, 1, 1)) + b"\0" * 65_000)),
    File("jpeg-with-exif-that-loops", "TIFF 6.0: the next directory is this one", JUDGED,
        lambda: exif_jpeg(ifd((0x0112, 3, 1, 6), following=8))),
    File("jpeg-with-exif-in-itself", "Exif 2.3 §4.6.3: a directory that is its own", JUDGED,
        lambda: exif_jpeg(ifd((0x8769, 4, 1, 8), (0x8825, 4, 1, 8)))),
    File("jpeg-with-exif-past-its-end", "TIFF 6.0: values past the end", JUDGED,
        lambda: exif_jpeg(ifd((0x010F, 2, 2**32 - 1, 2**31), (0x0112, 3, 1, 1)))),
    File("jpeg-with-exif-of-65535-entries", "TIFF 6.0", JUDGED,
        lambda: exif_jpeg(b"II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\x01\0\0\0\x01\0\0\0" * 5000)),
    File("jpeg-of-orientation-9", "TIFF 6.0 §8", JUDGED, lambda: encoded(quarters(), exif=made.exif(9))),
    File("jpeg-of-orientation-in-words", "TIFF 6.0 §8", JUDGED, lambda: exif_jpeg(ifd((0x0112, 2, 4, 0x41414141)))),
    File("jpeg-with-profile-of-cmyk", "ICC.1 §7.2.6: another space than the picture's", JUDGED,
        lambda: encoded(quarters(), icc_profile=profile_of(b"CMYK"))),
    File("jpeg-with-profile-of-grey", "ICC.1 §7.2.6: another space than the picture's", JUDGED,
        lambda: encoded(quarters(), icc_profile=profile_of(b"GRAY"))),
    File("jpeg-with-profile-of-lab", "ICC.1 §7.2.6: another space than the picture's", JUDGED,
        lambda: encoded(quarters(), icc_profile=profile_of(b"Lab "))),
    File("grey-jpeg-with-profile-of-rgb", "ICC.1 §7.2.6: another space than the picture's", JUDGED,
        lambda: encoded(quarters(mode="L"), icc_profile=made.swapped_profile())),
    File("jpeg-with-profile-of-2-billion-tags", "ICC.1 §7.3", JUDGED,
        lambda: encoded(quarters(), icc_profile=profile_of(b"RGB ", tags=2**31))),
    File("jpeg-with-profile-of-3-mb", "ICC.1 B.4: 255 segments", JUDGED,
        lambda: encoded(quarters(), icc_profile=made.swapped_profile() + b"\0" * 3_000_000)),
    File("jpeg-with-profile-cut-off", "ICC.1 §7.2", JUDGED,
        lambda: encoded(quarters(), icc_profile=made.swapped_profile()[:140])),
    File("jpeg-with-mpf-garbage", "CIPA DC-007; Pillow's MPO", JUDGED,
        lambda: jpeg_with(b"\xff\xe2", b"MPF\0" + b"\xff" * 500)),
    File("jpeg-with-photoshop-garbage", "Adobe's image resources", JUDGED,
        lambda: jpeg_with(b"\xff\xed", b"Photoshop 3.0\x008BIM\x04\x04\0\0\xff\xff\xff\xff")),
)  # fmt: skip

_PNG = (
    File("png-1-bit", "PNG §11.2.2", JUDGED, lambda: encoded(quarters(mode="1"), "PNG")),
    File("png-16-bit", "PNG §11.2.2", JUDGED,
        lambda: png(4, 4, depth=16, data=(b"\0" + b"\xdc\0\x1e\0\x1e\0" * 4) * 4)),
    File("png-16-bit-grey", "PNG §11.2.2", JUDGED, lambda: encoded(Image.new("I;16", (40, 30), 30_000), "PNG")),
    File("png-grey-alpha", "PNG §11.2.2", JUDGED, lambda: encoded(quarters(mode="LA"), "PNG")),
    File("png-interlaced", "PNG §8.2", JUDGED, lambda: png(1, 1, data=PIXEL, interlaced=1)),
    File("png-palette-out-of-range", "PNG §11.2.3; CVE-2015-8126", JUDGED,
        lambda: png(8, 1, colour=3, before=chunk(b"PLTE", b"\xff\0\0"), data=b"\0" + b"\xff" * 8)),
    File("png-palette-of-300", "CVE-2015-8126", BROKEN,
        lambda: png(8, 1, colour=3, before=chunk(b"PLTE", b"\xff\0\0" * 300), data=b"\0" + b"\xff" * 8)),
    File("png-palette-missing", "PNG §11.2.3", JUDGED, lambda: png(8, 1, colour=3, data=b"\0" + b"\xff" * 8)),
    File("png-transparency-of-70000", "CVE-2004-0597", BROKEN,
        lambda: png(8, 1, colour=3, before=chunk(b"PLTE", b"\xff\0\0")
            + chunk(b"tRNS", b"\x7f" * 70_000), data=b"\0" * 9)),
    File("png-transparency-too-short", "PNG §11.3.2.1", BROKEN,
        lambda: png(1, 1, before=chunk(b"tRNS", b"\0"), data=PIXEL)),
    File("png-3-bit", "PNG §11.2.2", BROKEN, lambda: png(8, 8, depth=3, colour=0, data=b"\0" * 100)),
    File("png-of-method-1", "PNG §11.2.2", BROKEN,
        lambda: patched(png(1, 1, data=PIXEL), struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0),
            struct.pack(">IIBBBBB", 1, 1, 8, 2, 1, 1, 7))),
    File("png-of-filter-9", "PNG §9.2", JUDGED, lambda: png(1, 1, data=b"\x09\xdc\x1e\x1e")),
    File("png-of-2-billion-by-1", "PNG §11.2.2", TOO_LARGE, lambda: png(2**31 - 1, 1, data=b"\0" * 1000)),
    File("png-of-4-billion-by-4-billion", "PNG §11.2.2: a size that overflows", TOO_LARGE,
        lambda: png(2**32 - 1, 2**32 - 1, data=b"\0" * 1000)),
    File("png-of-0-by-0", "PNG §11.2.2", BROKEN, lambda: png(0, 0, data=b"")),
    File("png-of-1-by-65535", "a line", JUDGED, lambda: png(1, 65_535, data=PIXEL * 65_535)),
    File("png-of-two-headers", "PNG §5.6", JUDGED,
        lambda: png(1, 1, before=chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)), data=PIXEL)),
    File("png-of-two-sizes", "PNG §5.6: the second header is larger", TOO_LARGE,
        lambda: png(1, 1, before=chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)), data=PIXEL)),
    File("png-with-a-wrong-checksum", "PNG §5.4", BROKEN,
        lambda: patched(encoded(quarters(), "PNG"), b"IDAT", b"IDAt")),
    File("png-chunk-of-4-gib", "PNG §5.3", BROKEN,
        lambda: b"\x89PNG\r\n\x1a\n" + b"\xff\xff\xff\xffIHDR" + b"\0" * 100),
    File("png-of-a-critical-chunk", "PNG §5.4: an unknown one", JUDGED,
        lambda: png(1, 1, before=chunk(b"ABCD", b"x"), data=PIXEL)),
    File("png-for-telephones", "Apple's CgBI", JUDGED,
        lambda: b"\x89PNG\r\n\x1a\n" + chunk(b"CgBI", b"\x50\0\x20\x02") + png(1, 1, data=PIXEL)[8:]),
    File("png-and-html", "content sniffing", JUDGED,
        lambda: png(1, 1, data=PIXEL) + b"<html><script>alert(1)</script>"),
    File("png-with-exif-that-loops", "PNG §11.3.3.6", JUDGED,
        lambda: png(1, 1, before=chunk(b"eXIf", ifd((0x0112, 3, 1, 6), following=8)), data=PIXEL)),
    File("png-with-profile-of-cmyk", "ICC.1 §7.2.6: another space than the picture's", JUDGED,
        lambda: encoded(quarters(), "PNG", icc_profile=profile_of(b"CMYK"))),
    File("apng-frame-outside", "APNG: fcTL", BROKEN,
        lambda: png(1, 1, before=chunk(b"acTL", struct.pack(">II", 2, 0))
            + chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 9, 9, 9, 9, 1, 1, 0, 0)), data=PIXEL)),
)  # fmt: skip

_GIF_AND_WEBP = (
    File("gif-plain", "GIF89a", JUDGED, gif_of),
    File("gif-animated", "GIF89a", JUDGED, lambda: made.animated("GIF")),
    File("gif-with-script", "GIFAR, CVE-2008-5343", JUDGED,
        lambda: made.animated("GIF", comment=b"<script>alert(1)</script>")),
    File("gif-and-jar", "GIFAR, CVE-2008-5343", JUDGED, lambda: _PLAIN_GIF + b"PK\x03\x04" + b"\0" * 100),
    File("gif-as-script", "GIF89a=1: a header that is a statement", BROKEN,
        lambda: b"GIF89a=1;alert(document.domain)//" + b"\0" * 100),
    File("gif-that-is-pdf", "CVE-2021-30860: a PDF named .gif", BROKEN,
        lambda: b"%PDF-1.7\n1 0 obj<</Filter/JBIG2Decode>>stream\n" + b"\0" * 500),
    File("gif-of-code-size-12", "GIF89a, appendix F", BROKEN, lambda: gif_of(code_size=12)),
    File("gif-of-code-size-255", "CVE-2007-6697", BROKEN, lambda: gif_of(code_size=255)),
    File("gif-of-garbage-codes", "GIF89a, appendix F", BROKEN, lambda: gif_of(data=b"\xff" * 200)),
    File("gif-of-0-by-0", "GIF89a §18", BROKEN, lambda: gif_of(screen=(0, 0))),
    File("gif-without-frames", "GIF89a", BROKEN, lambda: b"GIF89a\x08\0\x08\0\0\0\0;"),
    File("gif-of-65535-by-1", "a line", BROKEN, lambda: gif_of(screen=(65_535, 1))),
    File("webp-lossless", "WebP", JUDGED, lambda: encoded(quarters(), "WEBP", lossless=True)),
    File("webp-animated", "WebP", JUDGED, lambda: made.animated("WEBP")),
    File("webp-of-broken-huffman-codes", "CVE-2023-4863", BROKEN,
        lambda: riff((b"VP8L", b"\x2f\x3f\xc0\x0f\0" + b"\xa5\x5a\xff" * 300))),
    File("webp-frame-larger-than-its-canvas", "WebP container: ANMF", BROKEN,
        lambda: riff(vp8x(2, 16, 16), (b"ANIM", b"\0" * 6),
            (b"ANMF", b"\0" * 6 + b"\xff\xff\0\xff\xff\0" + b"\0" * 4 + b"VP8 \0\0\0\0"))),
    File("webp-with-alpha-garbage", "CVE-2018-25010", BROKEN,
        lambda: riff(vp8x(16, 16, 16), (b"ALPH", b"\x01" + b"\xff" * 50), (b"VP8 ", b"\xff" * 50))),
    File("webp-with-exif-that-loops", "TIFF 6.0", JUDGED,
        lambda: encoded(quarters(), "WEBP", exif=b"Exif\0\0" + ifd((0x0112, 3, 1, 6), following=8))),
    File("webp-with-profile-of-cmyk", "ICC.1 §7.2.6: another space than the picture's", JUDGED,
        lambda: encoded(quarters(), "WEBP", icc_profile=profile_of(b"CMYK"))),
    File("riff-of-4-gib", "RIFF", BROKEN, lambda: b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff" + b"\0" * 100),
)  # fmt: skip

_OTHERS = (
    File("nothing", "an empty file", BROKEN, lambda: b""),
    File("svg", "a picture in XML, with a script", BROKEN,
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
    File("svg-of-laughs", "CVE-2003-1564: entities of entities", BROKEN,
        lambda: b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY l0 "ha">' + _LAUGHS + b"]><svg>&l9;</svg>"),
    File("svg-that-reads-files", "OWASP: external entities", BROKEN,
        lambda: b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>'),
    File("svgz", "compressed, and not said so", BROKEN, lambda: gzip.compress(b"<svg/>")),
    File("html", "a page without a picture", BROKEN, lambda: b"<!doctype html><html><body>cake</body></html>"),
    File("mvg", "CVE-2016-3714", BROKEN,
        lambda: b"push graphic-context\nviewbox 0 0 9 9\nfill 'url(https://x\"|id; \")'\npop graphic-context"),
    File("eps-that-loops", "CVE-2026-59203, CVE-2021-28677", BROKEN,
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n" + b"\r\n" * 100_000),
    File("eps-in-dos-dress", "CVE-2018-16509: Ghostscript", BROKEN,
        lambda: b"\xc5\xd0\xd3\xc6" + struct.pack("<II", 30, 2**31) + b"\0" * 100),
    File("psd-of-layers-outside", "CVE-2026-25990, CVE-2026-42311", BROKEN,
        lambda: b"8BPS\0\x01" + b"\0" * 6 + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + struct.pack(">III", 0, 0, 60)
            + struct.pack(">IHiiii", 50, 1, -99, -99, 99, 99)),
    File("fits-bomb", "CVE-2026-40192", BROKEN,
        lambda: (b"SIMPLE  =                    T" + b" " * 50
            + b"XTENSION= 'BINTABLE'ZIMAGE  =  TZCMPTYPE= 'GZIP_1  '").ljust(2880) + gzip.compress(b"\0" * 5_000_000)),
    File("jpeg-2000-of-memory", "CVE-2026-59204", BROKEN,
        lambda: box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
            + box(b"jp2h", box(b"ihdr", struct.pack(">IIH", 2**31, 2**31, 4) + b"\7\7\0\0"))),
    File("jpeg-2000-stream", "CVE-2021-25287", BROKEN,
        lambda: b"\xff\x4f\xff\x51" + struct.pack(">HHIIII", 47, 0, 2**31, 2**31, 0, 0) + b"\0" * 40),
    File("tiff", "CVE-2020-10379, CVE-2022-45199", BROKEN, lambda: encoded(quarters(), "TIFF")),
    File("tiff-of-many-samples", "CVE-2022-45199", BROKEN,
        lambda: ifd((256, 4, 1, 8), (257, 4, 1, 8), (277, 3, 1, 65_535), (258, 3, 65_535, 8))),
    File("bmp", "CVE-2018-14498", BROKEN, lambda: encoded(quarters(), "BMP")),
    File("ico-of-memory", "CVE-2021-27923", BROKEN,
        lambda: struct.pack("<HHH", 0, 1, 1) + struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, 2**31, 22)),
    File("cur-animated", "CVE-2007-0038", BROKEN,
        lambda: b"RIFF\x60\0\0\0ACONanih" + struct.pack("<I", 2**16) + b"\0" * 80),
    File("icns-of-memory", "CVE-2021-27922, CVE-2014-3589", BROKEN,
        lambda: b"icns" + struct.pack(">I", 2**31) + b"ic10" + struct.pack(">I", 0)),
    File("pcx-of-overflow", "CVE-2020-5312", BROKEN,
        lambda: b"\x0a\x05\x01\x08" + struct.pack("<HHHH", 0, 0, 65_535, 65_535) + b"\0" * 200),
    File("fli-that-loops", "CVE-2021-28676, CVE-2020-5313", BROKEN,
        lambda: struct.pack("<IHHHHH", 128, 0xAF11, 1, 8, 8, 8) + b"\0" * 200),
    File("sgi-of-overflow", "CVE-2020-5311, CVE-2020-11538", BROKEN,
        lambda: b"\x01\xda\x01\x01\0\x03" + struct.pack(">HHH", 65_535, 65_535, 3) + b"\0" * 600),
    File("blp-of-memory", "CVE-2021-28678, CVE-2021-27921", BROKEN,
        lambda: b"BLP2\x01\0\0\0\x01\x08\x08\0" + struct.pack("<II", 65_535, 65_535) + b"\xff" * 200),
    File("dds-of-overflow", "CVE-2025-48379", BROKEN,
        lambda: b"DDS " + struct.pack("<IIII", 124, 0x1007, 65_535, 65_535) + b"\0" * 120),
    File("pcd", "CVE-2016-2533", BROKEN, lambda: b"\0" * 2048 + b"PCD_" + b"\0" * 200),
    File("wmf-that-calls-back", "CVE-2005-4560", BROKEN,
        lambda: b"\xd7\xcd\xc6\x9a\0\0" + struct.pack("<HHHHHI", 0, 0, 8, 8, 72, 0) + b"\x26\x06\x09\0" * 10),
    File("xbm", "text that is a picture", BROKEN,
        lambda: b"#define x_width 8\n#define x_height 8\nstatic char x_bits[] = {0};"),
    File("ppm-of-memory", "CVE-2019-16865's way", BROKEN, lambda: b"P6 99999 99999 255\n" + b"\0" * 100),
    File("avif", "CVE-2025-48174: not a format that we take", BROKEN, lambda: encoded(quarters(), "AVIF")),
    File("avif-of-frames", "CVE-2025-48174", BROKEN,
        lambda: encoded(quarters(), "AVIF", save_all=True, append_images=[quarters()] * 3)),
    File("avif-grid", "a grid of 255 by 255 tiles", BROKEN,
        lambda: box(b"ftyp", b"avif\0\0\0\0avifmif1")
            + box(b"meta", b"\0\0\0\0" + box(b"idat", struct.pack(">BBBBHH", 0, 0, 254, 254, 65_535, 65_535)))),
    File("heic", "not a format that we take", BROKEN, lambda: box(b"ftyp", b"heic\0\0\0\0mif1heic") + b"\0" * 200),
    File("jpeg-xl", "not a format that we take", BROKEN, lambda: b"\xff\x0a" + b"\xff" * 100),
    File("pdf", "not a picture", BROKEN, lambda: b"%PDF-1.7\n" + b"\0" * 100),
    File("pdf-behind-a-jpeg-s-name", "wrong magic", BROKEN, lambda: b"\0\0%PDF-1.4\n\xff\xd8\xff\xe0"),
    File("zip", "not a picture", BROKEN, lambda: b"PK\x03\x04" + b"\0" * 100),
    File("elf", "a program", BROKEN, lambda: b"\x7fELF\x02\x01\x01" + b"\0" * 100),
    File("jpeg-behind-a-byte-order-mark", "wrong magic", BROKEN, lambda: b"\xef\xbb\xbf" + encoded(quarters())),
    File("png-by-its-letters", "wrong magic", BROKEN, lambda: b"PNG\r\n\x1a\n" + png(1, 1, data=PIXEL)[7:]),
    File("jpeg-magic-and-garbage", "right magic", BROKEN, lambda: b"\xff\xd8\xff\xe0" + b"\x5a" * 5000),
    File("png-magic-and-jpeg", "right magic", BROKEN, lambda: b"\x89PNG\r\n\x1a\n" + encoded(quarters())),
    File("jpeg-magic-and-png", "right magic", BROKEN, lambda: b"\xff\xd8\xff" + encoded(quarters(), "PNG")),
)  # fmt: skip

_CUT_OFF = tuple(
    File(f"{name}-cut-off-at-{tenth}0-percent", "cut off at every tenth", BROKEN, partial(cut_off, name, tenth))
    for name in made.WHOLE
    for tenth in range(1, 10)
)

FILES = (*BOMBS, *_JPEG, *_PNG, *_GIF_AND_WEBP, *_OTHERS, *_CUT_OFF)
