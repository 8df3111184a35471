"""Connections as the event loop has them: read when somebody wants to read, and gone at once when given up."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Final, cast

from cakegate.domain import errors

#: Beyond so much that nobody has read yet, the rest waits in the kernel. One read of uvloop's takes up to 250 KB.
_BUFFERED_MOST_BYTES: Final = 64 * 1024


class Stream(asyncio.Protocol):
    """One connection. What goes wrong on it is raised by `read` as the `OSError` that it was."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._waiting: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        # uvloop's are no subclass.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._buffer += data
        if len(self._buffer) >= _BUFFERED_MOST_BYTES and self._transport is not None:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """See `asyncio.Protocol`."""
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._transport, self._ended, self._error = None, True, exc
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def write(self, data: bytes) -> None:
        """Send; what is small enough for the kernel's buffer is waited for by nobody."""
        if self._transport is not None:
            self._transport.write(data)

    async def read(self, most_bytes: int) -> bytes:
        """What has come, as soon as something has; b"" at the end. Raises `OSError`."""
        while not self._buffer and not self._ended:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        if not self._buffer and self._error is not None:
            raise self._error
        piece = bytes(self._buffer[:most_bytes])
        del self._buffer[:most_bytes]
        if not self._buffer and self._transport is not None:
            self._transport.resume_reading()
        return piece

    def abort(self) -> None:
        """End it now, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()


async def connected(address: str, port: int, *, seconds: float) -> socket.socket:
    """A TCP connection to an IP address. Raises `OSError`, also where it takes longer than that."""
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.settimeout(0)
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return made


async def opened(
    connection: socket.socket, *, tls: ssl.SSLContext | None, name: str, make: Callable[[], Stream] = Stream
) -> Stream:
    """A stream over a connection, from its first byte on inside TLS where a context is given.

    Raises:
        PictureUnreachable: TLS fails; also where the other side does not prove to be `name`.
    """
    loop = asyncio.get_running_loop()
    try:
        _, stream = await loop.create_connection(
            make, sock=connection, ssl=tls, server_hostname=name if tls is not None else None
        )
    except OSError as error:
        connection.close()
        raise errors.PictureUnreachable(f"{name} cannot be spoken to: {type(error).__name__}: {error}") from error
    except BaseException:
        connection.close()
        raise
    return stream
