"""What a hostile host says, by name: answers that never end, and answers that are not what HTTP allows."""

import gzip
import zlib

from cakegate.domain import errors

KIB = 1024
#: The most that any fetcher of these tests takes as a picture, and reads of a page.
MAX_BYTES, MAX_PAGE_BYTES = 200 * KIB, 20 * KIB
#: What may come besides content before the metering ends it, and what one read takes beyond.
SLACK_BYTES, READ_BYTES = 256 * KIB, 64 * KIB
#: The longest head that is taken, and one read.
HEAD_BYTES = 100 * KIB + READ_BYTES

PICTURE = b"\xff\xd8\xff\xe0 a picture as far as anybody looks here " * 100
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSE = OK + b"Connection: close\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(PICTURE)


def zeros(wbits):
    """The beginning of a compressed stream, and a piece that may follow for ever: a million bytes in a thousand."""
    packing = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return tuple(packing.compress(b"\0" * 1_000_000) + packing.flush(zlib.Z_FULL_FLUSH) for _ in range(2))


GZIPPED, DEFLATED = zeros(31), zeros(15)

#: Name: what comes first, what comes then for ever, the end, and the most that is read of it.
ENDLESS = {
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, errors.PictureTooLarge, SLACK_BYTES),
    "early hints, a thousand headers each": (
        b"",
        b"HTTP/1.1 103 Early Hints\r\n" + b"Link: </a>\r\n" * 1000 + b"\r\n",
        errors.PictureTooLarge,
        SLACK_BYTES,
    ),
    "a status line": (b"HTTP/1.1 200 ", b"O" * 10_000, errors.PictureUnreachable, HEAD_BYTES),
    "one header": (OK + b"X: ", b"y" * 10_000, errors.PictureUnreachable, HEAD_BYTES),
    "headers": (OK, b"X: y\r\n" * 1000, errors.PictureUnreachable, HEAD_BYTES),
    "a header folded": (OK + b"X: y\r\n", b" y\r\n" * 1000, errors.PictureUnreachable, HEAD_BYTES),
    "blank lines before the answer": (b"", b"\r\n" * 1000, errors.PictureUnreachable, HEAD_BYTES),
    "HTTP/0.9": (b"", PICTURE, errors.PictureUnreachable, HEAD_BYTES),
    "a body of no length": (CLOSE + b"\r\n", PICTURE, errors.PictureTooLarge, MAX_BYTES + 2 * READ_BYTES),
    "a body after its length": (
        OK + b"Content-Length: 1000000000000\r\n\r\n", PICTURE, errors.PictureTooLarge, HEAD_BYTES
    ),
    "chunks": (CHUNKED, b"2000\r\n" + b"\xff" * 0x2000 + b"\r\n", errors.PictureTooLarge, MAX_BYTES + 2 * READ_BYTES),
    "chunks of one byte": (CHUNKED, b"1\r\nX\r\n" * 1000, errors.PictureTooLarge, SLACK_BYTES * 4 // 3 + READ_BYTES),
    "chunks of sixteen bytes": (
        CHUNKED, b"10\r\nXXXXXXXXXXXXXXXX\r\n" * 1000, errors.PictureTooLarge, 2 * MAX_BYTES + SLACK_BYTES + READ_BYTES
    ),
    "chunks with long extensions": (
        CHUNKED, b"1;" + b"a" * 50_000 + b"\r\nX\r\n", errors.PictureTooLarge, SLACK_BYTES + READ_BYTES
    ),
    "one chunk's length": (CHUNKED, b"0" * 10_000, errors.PictureUnreachable, HEAD_BYTES),
    "one chunk's extension": (CHUNKED + b"1;", b"a" * 10_000, errors.PictureUnreachable, HEAD_BYTES),
    "trailers": (CHUNKED + b"1\r\nX\r\n0\r\n", b"X: y\r\n" * 1000, errors.PictureUnreachable, HEAD_BYTES),
    "gzip of zeros": (
        CLOSE + b"Content-Encoding: gzip\r\n\r\n" + GZIPPED[0], GZIPPED[1], errors.PictureTooLarge, 2 * READ_BYTES
    ),
    "deflate of zeros": (
        CLOSE + b"Content-Encoding: deflate\r\n\r\n" + DEFLATED[0], DEFLATED[1], errors.PictureTooLarge, 2 * READ_BYTES
    ),
    "gzip of nothing, again and again": (
        CLOSE + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"") * 1000,
        errors.PictureTooLarge, MAX_BYTES + 2 * READ_BYTES
    ),
    "brotli, which nobody asked for": (
        CLOSE + b"Content-Encoding: br\r\n\r\n", b"\0" * 1000, errors.PictureNotAnImage, READ_BYTES
    ),
    "gzip in gzip": (
        CLOSE + b"Content-Encoding: gzip, gzip\r\n\r\n", b"\0" * 1000, errors.PictureNotAnImage, READ_BYTES
    ),
    "a page": (
        CLOSE + b"Content-Type: text/html\r\n\r\n<html>", b"<p>cake " * 100, errors.PictureNotAnImage, 3 * READ_BYTES
    ),
    "a page of comments": (
        CLOSE + b"Content-Type: text/html\r\n\r\n<!--", b"<!-- <meta " * 100, errors.PictureNotAnImage, 3 * READ_BYTES
    ),
    "what follows a redirect": (
        b"HTTP/1.1 302 Found\r\nLocation: /a.jpg\r\nConnection: close\r\n\r\n",
        PICTURE, errors.PictureNotAllowed, 4 * READ_BYTES
    ),
    "what follows a 404": (
        b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n", PICTURE, errors.PictureGone, READ_BYTES
    ),
    "what follows a 503": (
        b"HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n", PICTURE, errors.PictureUnreachable, READ_BYTES
    ),
    "an upgrade that nobody asked for, and what follows": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        PICTURE, errors.PictureUnreachable, READ_BYTES
    ),
}  # fmt: skip

#: Heads and bodies that are not what HTTP allows: none is taken for a picture. The connection ends after each.
BROKEN = {
    "nothing": b"",
    "HTTP/0.9": PICTURE,
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "Redis": b"-ERR unknown command 'GET'\r\n\r\n",
    "a version of the future": b"HTTP/9.9.9 200 OK\r\n\r\n" + PICTURE,
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n" + PICTURE,
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n" + PICTURE,
    "a header without a colon": CLOSE + b"Broken\r\n\r\n" + PICTURE,
    "a blank before a colon": CLOSE + b"Content-Length : 5\r\n\r\n" + PICTURE,
    "a NUL in a header": CLOSE + b"X: a\0b\r\n\r\n" + PICTURE,
    "a bare carriage return in a header": CLOSE + b"X: a\rContent-Length: 5\r\n\r\n" + PICTURE,
    "a length too long for what comes": CLOSE + b"Content-Length: 100000\r\n\r\nshort",
    "a negative length": CLOSE + b"Content-Length: -5\r\n\r\nshort",
    "a length with a sign": CLOSE + b"Content-Length: +5\r\n\r\nshort",
    "a length in hexadecimal": CLOSE + b"Content-Length: 0x5\r\n\r\nshort",
    "no digits as length": CLOSE + b"Content-Length:\r\n\r\nshort",
    "two lengths that differ": CLOSE + b"Content-Length: 5\r\nContent-Length: 50\r\n\r\nshort",
    "two lengths in one line": CLOSE + b"Content-Length: 5, 50\r\n\r\nshort",
    "gzip as transfer coding": CLOSE + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": CLOSE + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "an unknown transfer coding": CLOSE + b"Transfer-Encoding: cow\r\n\r\nshort",
    "chunks of garbage": CLOSE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\ngarbage\r\n",
    "a chunk of negative length": CLOSE + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nX\r\n0\r\n\r\n",
    "a chunk longer than it says": CLOSE + b"Transfer-Encoding: chunked\r\n\r\n2\r\nshort\r\n0\r\n\r\n",
    "a chunk of 2**80 bytes": CLOSE + b"Transfer-Encoding: chunked\r\n\r\n100000000000000000000\r\nX",
    "chunks without the last": CLOSE + b"Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    "interim answers and no answer": b"HTTP/1.1 100 Continue\r\n\r\n" * 10,
    "a head that does not end": CLOSE + b"Content-Length: 5\r\n",
}

#: Odd, and told apart without harm: the picture comes as it is.
TAKEN = {
    "a few interim answers": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    + CLOSE + LENGTH + b"\r\n" + PICTURE,
    "the same length twice": CLOSE + LENGTH * 2 + b"\r\n" + PICTURE,
    "more than its length": CLOSE + LENGTH + b"\r\n" + PICTURE + b"<script>" * 1000,
    "trailers that would have been headers": CLOSE + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"%x\r\n" % len(PICTURE) + PICTURE
    + b"\r\n0\r\nContent-Length: 3\r\nContent-Encoding: gzip\r\nLocation: http://10.0.0.1/\r\n\r\n",
    "a Location that is none": CLOSE + LENGTH + b"Location: http://169.254.169.254/\r\n\r\n" + PICTURE,
    "a Refresh": CLOSE + LENGTH + b"Refresh: 0; url=http://169.254.169.254/\r\n\r\n" + PICTURE,
    "a Link": CLOSE + LENGTH + b"Link: <http://169.254.169.254/>; rel=preload; as=image\r\n\r\n" + PICTURE,
    "an Alt-Svc": CLOSE + LENGTH + b'Alt-Svc: h2="10.0.0.1:6379"\r\n\r\n' + PICTURE,
    "a part of it": b"HTTP/1.1 206 Partial Content\r\nConnection: close\r\n" + LENGTH + b"\r\n" + PICTURE,
    "another type": CLOSE + LENGTH + b"Content-Type: text/html\r\n\r\n" + PICTURE,
    "two types": CLOSE + LENGTH + b"Content-Type: image/svg+xml\r\nContent-Type: text/html\r\n\r\n" + PICTURE,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\n" + PICTURE,
}  # fmt: skip
