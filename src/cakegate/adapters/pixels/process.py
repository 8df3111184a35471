"""One decoding child as a process: started, asked, ended. Says whether a picture is to blame for its end."""

import asyncio
import contextlib
import math
import os
import sys
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

import msgspec

from cakegate import settings
from cakegate.adapters.pixels import protocol
from cakegate.domain import errors, verdicts

_Answer = TypeVar("_Answer")

_START_SECONDS: Final = 30.0
_END_SECONDS: Final = 2.0
#: A time limit is counted in this many parts, so that a worker that was stopped (SIGSTOP, a paused machine) finds at
#: most one of them gone when it wakes, and the picture that waited meanwhile is not blamed.
_PARTS: Final = 20
#: What the child gets of our environment: enough to find its interpreter's files, none of our secrets.
_ENVIRONMENT: Final = ("PATH", "PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL")
#: glibc's allocator (others do not read these) would give a heap's free top back to the kernel after each picture, and
#: the next one fault its pages in again: 1,500 faults, and half of the time that a 1024 x 768 JPEG took. What is larger
#: than the first is mapped and given back all the same; up to the second is kept.
_ALLOCATOR: Final = {"MALLOC_MMAP_THRESHOLD_": str(16 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(32 * 2**20)}
#: How a child's end shows: it says no more, or nonsense. RuntimeError is what uvloop raises for a closed pipe.
_ENDED: Final = (asyncio.IncompleteReadError, ConnectionError, RuntimeError, msgspec.MsgspecError)
_decoder: Final = msgspec.msgpack.Decoder(protocol.Answer)


class EndedIdleError(Exception):
    """The child ended before it touched the picture, which is not to blame."""


class Process:
    """A child that lives until its stdin closes, which it does at the latest when we end."""

    def __init__(self, process: asyncio.subprocess.Process, *, seconds: float) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._seconds = seconds
        self._in_step = True
        self.pid = process.pid

    @classmethod
    async def spawn(cls, group: settings.Pictures, model_inputs: Sequence[verdicts.ModelInput]) -> "Process":
        """Start a child and wait until it is ready. Raises `Unavailable`."""
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # the folder that we happen to be in is no place to import from
                "-m",
                "cakegate.adapters.pixels.child",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=2**20,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | _ALLOCATOR,
            )
        except OSError as error:
            raise errors.Unavailable(f"A decoding child cannot be started: {error}") from error
        child = cls(process, seconds=group.decode_seconds)
        setup = protocol.Setup(
            max_pixels=group.max_pixels,
            memory_bytes=group.child_memory_bytes,
            cpu_seconds=math.ceil(group.decode_seconds),
            model_inputs=list(model_inputs),
        )
        try:
            child._stdin.write(protocol.framed(setup))
            answer = await _patiently(child._read(), _START_SECONDS)
        except BaseException as error:
            child.kill()
            if isinstance(error, (TimeoutError, *_ENDED)):
                raise errors.Unavailable("A decoding child does not start; its stderr says why.") from error
            raise
        assert isinstance(answer, protocol.Ready)
        return child

    @property
    def usable(self) -> bool:
        """Whether it lives, as far as is known, and waits for a request."""
        return self._in_step and self._process.returncode is None

    async def ask(self, request: protocol.Decode | protocol.Render) -> protocol.Answer:
        """One request and its answer. Whatever goes wrong, cancellation included, the child is killed.

        Raises:
            EndedIdleError: it ended, or took nothing, before it touched the picture.
            DecoderDied: it ended or hung with the picture.
        """
        self._in_step = False
        taken = asyncio.Event()
        if isinstance(request, protocol.Render):
            taken.set()
        try:
            answer = await _patiently(self._exchange(request, taken), self._seconds)
        except TimeoutError as error:
            await self._killed()
            raise self._blame(taken, f"took longer than {self._seconds:g} s") from error
        except _ENDED as error:
            # Not killed at once: asyncio's kill polls, and may take the status from who waits for it (CPython 3.11).
            await self.end()
            raise self._blame(taken, f"ended with status {self._process.returncode}") from error
        except BaseException:
            self.kill()
            raise
        self._in_step = True
        return answer

    def _blame(self, taken: asyncio.Event, what: str) -> Exception:
        detail = f"the decoding child {what}"
        return errors.DecoderDied(detail) if taken.is_set() else EndedIdleError(detail)

    async def _exchange(self, request: protocol.Decode | protocol.Render, taken: asyncio.Event) -> protocol.Answer:
        self._stdin.write(protocol.framed(request))
        await self._stdin.drain()
        answer = await self._read()
        if isinstance(answer, protocol.Taken):
            taken.set()
            answer = await self._read()
        return answer

    async def _read(self) -> protocol.Answer:
        length = int.from_bytes(await self._stdout.readexactly(protocol.LENGTH_BYTES), "big")
        if length > protocol.ANSWER_MAX_BYTES:
            raise msgspec.DecodeError("too long to be an answer")
        answer: protocol.Answer = _decoder.decode(await self._stdout.readexactly(length))
        return answer

    def drop(self) -> None:
        """Let the picture that it holds go."""
        if self.usable:
            with contextlib.suppress(*_ENDED):
                self._stdin.write(protocol.framed(protocol.Drop()))

    def kill(self) -> None:
        """End it now."""
        self._in_step = False
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._stdin.close()

    async def _killed(self) -> None:
        self.kill()
        await self._process.wait()

    async def end(self) -> None:
        """Let it end by itself; kill it where it does not."""
        self._in_step = False
        self._stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _END_SECONDS)
        except TimeoutError:
            await self._killed()


async def _patiently(work: Coroutine[Any, Any, _Answer], seconds: float) -> _Answer:
    """The work's result. Raises `TimeoutError` after so many seconds in which we were awake."""
    task = asyncio.ensure_future(work)
    try:
        for _ in range(_PARTS):
            done, _pending = await asyncio.wait({task}, timeout=seconds / _PARTS)
            if done:
                return task.result()
        raise TimeoutError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
