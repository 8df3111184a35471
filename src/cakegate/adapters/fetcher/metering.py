"""Counting what comes over the wire, framing included: below the HTTP parser, which counts nothing that it throws away.

A host may send interim answers (1xx) for ever, wrap each byte of a body in a chunk of its own, or hang kilobytes of
extension on each chunk. None of that is content, all of it costs processor time in the event loop that other pictures
share, and the deadline alone would let it go on for as long as that.
"""

from typing import Final

from cakegate.domain import errors

#: What may come before the head is there, and again beyond a body's share: interim answers, a head (we take 100 KiB),
#: and what one read takes too early (64 KiB).
_SLACK_BYTES: Final = 256 * 1024
#: Bytes on the wire for four of content. Servers chunk by kilobytes; chunks below some twenty bytes go beyond this.
_WIRE_FOR_FOUR: Final = 5


class Meter:
    """Ends with `PictureTooLarge` what sends much more than its content explains."""

    def __init__(self) -> None:
        self._received = 0
        self._content = 0

    def begin(self) -> None:
        """Count from here: a request goes out, or a body begins."""
        self._received = self._content = 0

    def received(self, wire_bytes: int) -> None:
        """So many bytes more came over the wire. Raises `PictureTooLarge`."""
        self._received += wire_bytes
        if self._received > self._content * _WIRE_FOR_FOUR // 4 + _SLACK_BYTES:
            raise errors.PictureTooLarge(f"{self._received} bytes came, mostly not content")

    def content(self, content_bytes: int) -> None:
        """So many bytes more of content are among them."""
        self._content += content_bytes
