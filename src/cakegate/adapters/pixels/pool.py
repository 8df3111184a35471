"""Our side of the decoding children: a few of them, each leased to one picture at a time, replaced when one dies.

A child that dies or hangs while it holds a picture raises `DecoderDied` for that picture. One that dies idle is
replaced and blames nobody. A lease whose task is cancelled in the middle of an answer kills its child: the rest of that
answer would be taken for the next one's.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec
import structlog

from cakegate import settings
from cakegate.adapters.pixels import protocol
from cakegate.domain import errors, renditions, verdicts

_log = structlog.get_logger()

_END_SECONDS: Final = 2.0
_decoder: Final = msgspec.msgpack.Decoder(protocol.Answer)


class PixelChild:
    """One decoding child, for the one who leased it."""

    def __init__(self, process: asyncio.subprocess.Process, *, seconds: float) -> None:
        self._process = process
        self._seconds = seconds
        self._busy = False
        self.served = 0

    @classmethod
    async def spawn(cls, group: settings.Pictures, model_input: verdicts.ModelInput) -> "PixelChild":
        """Start a child. It ends by itself when our end of its pipe does."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cakegate.adapters.pixels.child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**20,
        )
        child = cls(process, seconds=group.decode_seconds)
        setup = protocol.Setup(
            max_pixels=group.max_pixels, memory_bytes=group.child_memory_bytes, model_input=model_input
        )
        child._write(msgspec.msgpack.encode(setup))
        return child

    @property
    def usable(self) -> bool:
        """Whether it lives and waits for a request."""
        return self._process.returncode is None and not self._busy

    async def decode(self, content: bytes) -> protocol.Decoded:
        """Decode a picture; the child holds it for `render`.

        Raises:
            PictureTooLarge: more pixels, or more memory, than allowed.
            PictureNotAnImage: no picture of a format we take, or a broken one.
            DecoderDied: the child died or hung.
        """
        self.served += 1
        answer = await self._ask(protocol.Decode(content=content))
        if isinstance(answer, protocol.Refused):
            raise (errors.PictureTooLarge if answer.too_large else errors.PictureNotAnImage)(answer.detail)
        assert isinstance(answer, protocol.Decoded)
        return answer

    async def render(self, presets: Sequence[renditions.Preset]) -> list[renditions.Rendition]:
        """Renditions of the picture that is held, in both formats. Raises `DecoderDied`."""
        answer = await self._ask(protocol.Render(presets=list(presets)))
        if not isinstance(answer, protocol.Rendered):
            raise errors.DecoderDied("the child held no picture to render")
        return answer.renditions

    async def drop(self) -> None:
        """Let the picture go."""
        await self._ask(protocol.Drop())

    async def _ask(self, request: protocol.Request) -> protocol.Answer:
        self._busy = True
        try:
            async with asyncio.timeout(self._seconds):
                self._write(msgspec.msgpack.encode(request))
                assert self._process.stdin is not None
                await self._process.stdin.drain()
                answer = await self._read()
        except TimeoutError as error:
            await self.kill()
            raise errors.DecoderDied(f"decoding took longer than {self._seconds:g} s") from error
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.MsgspecError, ValueError) as error:
            await self.kill()
            raise errors.DecoderDied(f"the decoding child ended with status {self._process.returncode}") from error
        self._busy = False
        return answer

    async def _read(self) -> protocol.Answer:
        stream = self._process.stdout
        assert stream is not None
        length = int.from_bytes(await stream.readexactly(protocol.LENGTH_BYTES), "big")
        if length > protocol.MESSAGE_MAX_BYTES:
            raise ValueError("the child's answer is too long to be one")
        answer: protocol.Answer = _decoder.decode(await stream.readexactly(length))
        return answer

    def _write(self, message: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.writelines([len(message).to_bytes(protocol.LENGTH_BYTES, "big"), message])

    async def kill(self) -> None:
        """End it now, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def close(self) -> None:
        """Let it end by itself; kill it where it does not."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _END_SECONDS)
        except TimeoutError:
            await self.kill()


class PixelPool:
    """`size` children; `lease` one for each picture. Start it in the event loop of the main thread."""

    def __init__(self, group: settings.Pictures, *, model_input: verdicts.ModelInput, size: int) -> None:
        self._group = group
        self._model_input = model_input
        self._size = size
        self._free: asyncio.LifoQueue[PixelChild | None] = asyncio.LifoQueue()

    async def start(self) -> None:
        """Start all children."""
        children = await asyncio.gather(*(self._spawn() for _ in range(self._size)))
        for child in children:
            self._free.put_nowait(child)

    async def _spawn(self) -> PixelChild:
        return await PixelChild.spawn(self._group, self._model_input)

    @contextlib.asynccontextmanager
    async def lease(self) -> AsyncIterator[PixelChild]:
        """A child of one's own for a block; waits until one is free."""
        child = await self._free.get()
        try:
            if child is None or not child.usable:
                child = await self._replace(child)
            yield child
        finally:
            if child is not None and child.usable and child.served >= self._group.child_max_pictures:
                # What leaks in a decoder does not add up.
                closing, child = child, None
                await closing.close()
            elif child is not None and not child.usable:
                dead, child = child, None
                await dead.kill()
            self._free.put_nowait(child)

    async def _replace(self, child: PixelChild | None) -> PixelChild:
        if child is not None:
            _log.warning("decoder.replaced")
            await child.kill()
        return await self._spawn()

    async def close(self) -> None:
        """End all children that are not leased."""
        while not self._free.empty():
            child = self._free.get_nowait()
            if child is not None:
                await child.close()
