"""Undoing a body's compression in bounded steps: a bomb is noticed at the byte that is too many, not after it burst.

httpx would expand each piece that it reads whole; 64 KiB of gzip can hold 64 MiB.
"""

import zlib
from typing import Final

from cakegate.domain import errors

#: zlib's `wbits`: a gzip header is expected, or a zlib one.
_GZIP: Final = 16 + zlib.MAX_WBITS
_WBITS: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}


class Expander:
    """Expands a body, piece by piece, as its Content-Encoding says.

    Known are gzip and deflate with its zlib header, as RFC 9110 §8.4.1 has them; anything else, also two of them,
    raises `PictureNotAnImage`: we asked for none at all.
    """

    def __init__(self, encoding: str) -> None:
        self._inflating = None
        named = encoding.strip().lower()
        if named in {"", "identity"}:
            return
        if named not in _WBITS:
            raise errors.PictureNotAnImage(f"it is encoded as {named[:40]!r}")
        self._inflating = zlib.decompressobj(_WBITS[named])

    def feed(self, piece: bytes, *, most: int) -> bytes:
        """The next bytes, at most `most` and one; what is beyond that is lost.

        Raises:
            PictureNotAnImage: it is not compressed as it says.
        """
        if self._inflating is None:
            return piece[: most + 1]
        if self._inflating.eof:
            return b""  # zlib would hoard it
        try:
            return self._inflating.decompress(piece, most + 1)
        except zlib.error as error:
            raise errors.PictureNotAnImage(f"its compression is broken: {error}") from error

    def finish(self) -> None:
        """Raises `PictureNotAnImage` where the body ended before its compression did."""
        if self._inflating is not None and not self._inflating.eof:
            raise errors.PictureNotAnImage("its compression ends too early")
