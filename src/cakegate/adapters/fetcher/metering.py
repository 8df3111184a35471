"""Counting what comes over the wire, framing included: below the HTTP client, which counts nothing that it throws away.

A host may send interim answers (1xx) for ever, wrap each byte of a body in a chunk of its own, or hang kilobytes of
extension on each chunk. None of that is content, all of it costs processor time in the event loop that other pictures
share, and the deadline alone would let it go on for as long as that.
"""

from typing import Any, Final

import httpcore

from cakegate.domain import errors

#: What may come before the head is there, and again beyond a body's share: interim answers, a head (httpcore takes
#: 100 KiB), what one read takes too early (64 KiB), and 64 KiB of content that is not handed on yet.
_SLACK_BYTES: Final = 256 * 1024
#: Bytes on the wire for four of content. Servers chunk by kilobytes; chunks below some twenty bytes go beyond this.
_WIRE_FOR_FOUR: Final = 5


class MeteredStream(httpcore.AsyncNetworkStream):
    """A connection that ends with `PictureTooLarge` when much more comes than its content explains."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._received = 0
        self._most = _SLACK_BYTES

    def begin(self) -> None:
        """Count from here: a request goes out, or a body begins."""
        self._received = 0
        self._most = _SLACK_BYTES

    def allow(self, content_bytes: int) -> None:
        """So many bytes of content have come since `begin`."""
        self._most = content_bytes * _WIRE_FOR_FOUR // 4 + _SLACK_BYTES

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        """As the stream below. Raises `PictureTooLarge`."""
        piece = await self._stream.read(max_bytes, timeout)
        self._received += len(piece)
        if self._received > self._most:
            raise errors.PictureTooLarge(f"{self._received} bytes came, mostly not content")
        return piece

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        """As the stream below. Nobody pipelines here: what comes from now on is the answer to this."""
        self.begin()
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """As the stream below."""
        await self._stream.aclose()

    async def start_tls(self, *arguments: Any, **named: Any) -> httpcore.AsyncNetworkStream:
        """As the stream below, metered inside the encryption."""
        return MeteredStream(await self._stream.start_tls(*arguments, **named))

    def get_extra_info(self, info: str) -> Any:
        """As the stream below."""
        return self._stream.get_extra_info(info)
