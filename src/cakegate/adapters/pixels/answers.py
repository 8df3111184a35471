"""Waiting for a child's answers: as little as possible runs in the worker's event loop for one."""

import asyncio
from typing import Final, cast

import msgspec

from cakegate.adapters.pixels import protocol

_STDOUT: Final = 1
#: A time limit is counted in this many parts, so that a worker that was stopped (SIGSTOP, a paused machine) finds at
#: most one of them gone when it wakes, and the picture that waited meanwhile is not blamed.
_PARTS: Final = 20


class EndedError(Exception):
    """The child's output has ended: it says no more."""


class Answers(asyncio.SubprocessProtocol):
    """What a child says, message by message, and when it has ended."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.BaseTransport | None = None
        self._buffer = bytearray()
        self._length = -1
        self._ended = False
        self._waiting: asyncio.Future[bytes] | None = None
        self._timer: asyncio.TimerHandle | None = None
        #: Done once the process has ended and its status is known.
        self.exited: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.SubprocessProtocol`."""
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002 - asyncio's
        """See `asyncio.SubprocessProtocol`."""
        if self._waiting is None or self._waiting.done():
            # It was asked nothing: it is not itself any more, and shall not fill our memory either.
            self._stop_listening()
            return
        self._buffer += data
        self._hand_over()

    def _stop_listening(self) -> None:
        pipe = cast("asyncio.SubprocessTransport", self._transport).get_pipe_transport(_STDOUT)
        cast("asyncio.ReadTransport", pipe).pause_reading()
        self._buffer.clear()
        self._ended = True

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """See `asyncio.SubprocessProtocol`."""
        if fd == _STDOUT:
            self._ended = True
            self._hand_over()
            self._close()

    def process_exited(self) -> None:
        """See `asyncio.SubprocessProtocol`."""
        self.exited.set_result(None)
        self._close()

    def _close(self) -> None:
        """Let go of what is left of a child that has ended, once it has been heard to the end."""
        if self._ended and self.exited.done() and self._transport is not None:
            self._transport.close()

    def _hand_over(self) -> None:
        """Give who waits what there is for him: a message, or the reason why there will be none."""
        if self._waiting is None or self._waiting.done():
            return
        if self._length < 0 and len(self._buffer) >= protocol.LENGTH_BYTES:
            self._length = int.from_bytes(self._buffer[: protocol.LENGTH_BYTES], "big")
        if self._length > protocol.ANSWER_MAX_BYTES:
            self._waiting.set_exception(msgspec.DecodeError("too long to be an answer"))
        elif 0 <= self._length <= len(self._buffer) - protocol.LENGTH_BYTES:
            end = protocol.LENGTH_BYTES + self._length
            self._waiting.set_result(bytes(self._buffer[protocol.LENGTH_BYTES : end]))
            del self._buffer[:end]
            self._length = -1
        elif self._ended:
            self._waiting.set_exception(EndedError())

    async def next(self, *, seconds: float) -> bytes:
        """The next message.

        Raises:
            TimeoutError: none came, for so many seconds in which we were awake.
            EndedError: none will come.
            msgspec.DecodeError: what comes can be none.
        """
        waiting = self._waiting = self._loop.create_future()
        self._tick(waiting, seconds / _PARTS, _PARTS)
        self._hand_over()
        try:
            message: bytes = await waiting
        finally:
            if self._timer is not None:
                self._timer.cancel()
        return message

    def _tick(self, waiting: "asyncio.Future[bytes]", part_seconds: float, left: int) -> None:
        if left:
            self._timer = self._loop.call_later(part_seconds, self._tick, waiting, part_seconds, left - 1)
        elif not waiting.done():
            waiting.set_exception(TimeoutError())
