"""One decoding child as a process: started, asked, ended. Says whether a picture is to blame for its end."""

import asyncio
import contextlib
import math
import os
import sys
from collections.abc import Sequence
from typing import Final, cast

import msgspec

from cakegate import settings
from cakegate.adapters.pixels import answers, protocol
from cakegate.domain import errors, verdicts

_START_SECONDS: Final = 30.0
_END_SECONDS: Final = 2.0
_STDIN: Final = 0
#: What the child gets of our environment: enough to find its interpreter's files, none of our secrets.
_ENVIRONMENT: Final = ("PATH", "PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL")
#: glibc's allocator (others do not read these) would give a heap's free top back to the kernel after each picture, and
#: the next one fault its pages in again: 1,500 faults, and half of the time that a 1024 x 768 JPEG took. What is larger
#: than the first is mapped and given back all the same; up to the second is kept.
_ALLOCATOR: Final = {"MALLOC_MMAP_THRESHOLD_": str(16 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(32 * 2**20)}
#: How a child's end shows: it says no more, or nonsense. RuntimeError is what uvloop raises for a closed pipe.
_ENDED: Final = (answers.EndedError, ConnectionError, RuntimeError, msgspec.MsgspecError)
_decoder: Final = msgspec.msgpack.Decoder(protocol.Answer)


class EndedIdleError(Exception):
    """The child ended before it touched the picture, which is not to blame."""


class Process:
    """A child that lives until its stdin closes, which it does at the latest when we end."""

    def __init__(
        self, transport: asyncio.SubprocessTransport, heard: answers.Answers, blame: protocol.Blame, *, seconds: float
    ) -> None:
        self._transport = transport
        self._stdin = cast("asyncio.WriteTransport", transport.get_pipe_transport(_STDIN))
        self._heard = heard
        self._blamed = blame
        self._seconds = seconds
        self._in_step = True
        self.pid = transport.get_pid()

    @classmethod
    async def spawn(cls, group: settings.Pictures, model_inputs: Sequence[verdicts.ModelInput]) -> "Process":
        """Start a child and wait until it is ready. Raises `Unavailable`."""
        child = await cls._started(group)
        await child._get_ready(group, model_inputs)  # noqa: SLF001 - ours
        return child

    @classmethod
    async def _started(cls, group: settings.Pictures) -> "Process":
        shared = protocol.shared_byte()
        try:
            transport, heard = await asyncio.get_running_loop().subprocess_exec(
                answers.Answers,
                sys.executable,
                "-P",  # the folder that we happen to be in is no place to import from
                "-m",
                "cakegate.adapters.pixels.child",
                str(shared),
                stderr=None,
                pass_fds=(shared,),
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | _ALLOCATOR,
            )
            return cls(transport, heard, protocol.Blame(shared), seconds=group.decode_seconds)
        except OSError as error:
            raise errors.Unavailable(f"A decoding child cannot be started: {error}") from error
        finally:
            os.close(shared)

    async def _get_ready(self, group: settings.Pictures, model_inputs: Sequence[verdicts.ModelInput]) -> None:
        setup = protocol.Setup(
            max_pixels=group.max_pixels,
            memory_bytes=group.child_memory_bytes,
            cpu_seconds=math.ceil(group.decode_seconds),
            model_inputs=list(model_inputs),
        )
        try:
            self._stdin.write(protocol.framed(setup))
            answer = await self._answer(_START_SECONDS)
        except BaseException as error:
            self.kill()
            if isinstance(error, (TimeoutError, *_ENDED)):
                raise errors.Unavailable("A decoding child does not start; its stderr says why.") from error
            raise
        assert isinstance(answer, protocol.Ready)

    @property
    def usable(self) -> bool:
        """Whether it lives, as far as is known, and waits for a request."""
        return self._in_step and self._transport.get_returncode() is None

    async def decode(self, content: bytes) -> protocol.Answer:
        """The answer to a picture.

        Raises:
            EndedIdleError: it ended, or took nothing, before it touched the picture.
            DecoderDied: it ended or hung with the picture.
        """
        self._blamed.taken = False
        return await self._ask([protocol.framed(protocol.Decode(size_bytes=len(content))), content])

    async def render(self, request: protocol.Render) -> protocol.Answer:
        """The answer to a request for renditions of the picture that it holds. Raises `DecoderDied`."""
        self._blamed.taken = True
        return await self._ask([protocol.framed(request)])

    async def _ask(self, request: list[bytes]) -> protocol.Answer:
        """One request and its answer. Whatever goes wrong, cancellation included, the child is killed."""
        self._in_step = False
        try:
            self._stdin.writelines(request)
            answer = await self._answer(self._seconds)
        except TimeoutError as error:
            await self._killed()
            raise self._blame(f"took longer than {self._seconds:g} s") from error
        except _ENDED as error:
            # Not killed at once: asyncio's kill polls, and may take the status from who waits for it (CPython 3.11).
            await self.end()
            raise self._blame(f"ended with status {self._transport.get_returncode()}") from error
        except BaseException:
            self.kill()
            raise
        self._in_step = True
        return answer

    def _blame(self, what: str) -> Exception:
        detail = f"the decoding child {what}"
        return errors.DecoderDied(detail) if self._blamed.taken else EndedIdleError(detail)

    async def _answer(self, seconds: float) -> protocol.Answer:
        answer: protocol.Answer = _decoder.decode(await self._heard.next(seconds=seconds))
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
            self._transport.kill()
        self._stdin.close()

    async def _killed(self) -> None:
        self.kill()
        await self._ended()

    async def end(self) -> None:
        """Let it end by itself; kill it where it does not."""
        self._in_step = False
        self._stdin.close()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._ended()
        except TimeoutError:
            await self._killed()

    async def _ended(self) -> None:
        # Others may wait for it too: what is cancelled is the waiting.
        await asyncio.wait({self._heard.exited})
        self._transport.close()
