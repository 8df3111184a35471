"""One request and its answer over one connection, which ends with it: HTTP/1.1 by h11, which does no I/O itself.

No connection is used twice: what a host sends behind its answer would be taken for the answer to the next request.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

import h11
import httpx

from cakegate.adapters.fetcher import metering, sockets
from cakegate.domain import errors

#: A head, a chunk's size or trailers may have so much; then the host is given up.
_HEAD_MOST_BYTES: Final = 100 * 1024
_READ_BYTES: Final = 64 * 1024
_SWITCHING_PROTOCOLS: Final = 101


class Answer:
    """What a host says: its status, headers by name in lower case, and a body that is read once, piece by piece."""

    def __init__(self, url: httpx.URL, stream: sockets.Stream) -> None:
        self.url = url
        self.status = 0
        #: Bytes of the body so far, as they came.
        self.received_bytes = 0
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_MOST_BYTES)
        self._meter = metering.Meter()
        self._headers: list[tuple[bytes, bytes]] = []

    def header(self, name: bytes) -> str:
        """A header's value, of several joined as RFC 9110 §5.3 has it; empty where there is none."""
        value = b", ".join(each for named, each in self._headers if named == name)
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("latin-1")

    async def ask(self, headers: Mapping[str, str]) -> None:
        """Send a GET and read the head of the answer. Raises `OSError`, `h11.ProtocolError`, `PictureTooLarge`."""
        request = h11.Request(
            method="GET", target=self.url.raw_path, headers=[("Host", self.url.netloc.decode()), *headers.items()]
        )
        end = h11.EndOfMessage()
        self._stream.write((self._http.send(request) or b"") + (self._http.send(end) or b""))
        event = await self._next()
        while isinstance(event, h11.InformationalResponse):
            if event.status_code == _SWITCHING_PROTOCOLS:
                raise errors.PictureUnreachable("its host speaks another protocol than it was asked to")
            event = await self._next()
        if not isinstance(event, h11.Response):
            raise errors.PictureUnreachable(f"its host answers with {type(event).__name__}")
        self.status, self._headers = event.status_code, list(event.headers)
        self._meter.begin()

    async def piece(self) -> bytes | None:
        """The next piece of the body, None at its end. Raises as `ask`."""
        event = await self._next()
        if not isinstance(event, h11.Data):
            return None
        self.received_bytes += len(event.data)
        self._meter.content(len(event.data))
        return bytes(event.data)

    async def _next(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            read = await self._stream.read(_READ_BYTES)
            if not read and not self.status:
                raise errors.PictureUnreachable("its host ends the connection before it answers")
            self._meter.received(len(read))
            self._http.receive_data(read)
        return event


@contextlib.asynccontextmanager
async def asked(url: httpx.URL, stream: sockets.Stream, headers: Mapping[str, str]) -> AsyncIterator[Answer]:
    """The answer to a GET over a fresh connection; whatever happens, the connection ends with the block.

    Raises:
        PictureUnreachable: the connection breaks, or what comes is not HTTP.
        PictureTooLarge: much comes, and little of it is content.
    """
    try:
        answer = Answer(url, stream)
        await answer.ask(headers)
        yield answer
    except (OSError, h11.ProtocolError) as error:
        raise errors.PictureUnreachable(f"{type(error).__name__}: {error}") from error
    finally:
        stream.abort()
