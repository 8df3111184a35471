"""Our side of the decoding children: a few of them, each leased to one picture at a time, replaced when one dies.

A child that dies or hangs while it holds a picture raises `DecoderDied` for that picture. One that dies idle is
replaced and blames nobody. A lease whose task is cancelled in the middle of an answer kills its child: the rest of that
answer would be taken for the next one's.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

import structlog

from cakegate import settings
from cakegate.adapters.pixels import process, protocol
from cakegate.domain import errors, renditions, verdicts

_log = structlog.get_logger()

#: Children that may end idle one after the other before the fault is taken to be ours.
_CHILDREN_MOST: Final = 3
#: A child that gets no other picture for so long is told to let the last one go. At once, each would cost a message.
_IDLE_SECONDS: Final = 1.0


class PixelChild:
    """A place for one decoding child: who leases it has the child to himself."""

    def __init__(self, group: settings.Pictures, model_inputs: Sequence[verdicts.ModelInput]) -> None:
        self._group = group
        self._model_inputs = list(model_inputs)
        self._input_bytes = [3 * each.side_pixels**2 for each in model_inputs]
        self._process: process.Process | None = None
        self._served = 0
        self._holds = False
        self._dropping: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def start(self) -> process.Process:
        """The child, started where there is none. Raises `Unavailable`."""
        if self._process is None or not self._process.usable:
            if self._process is not None:
                _log.warning("decoder.replaced", pid=self._process.pid)
                self._part_from(self._process)
            self._process = await process.Process.spawn(self._group, self._model_inputs)
            self._served = 0
        return self._process

    async def decode(self, content: bytes) -> protocol.Decoded:
        """Decode a picture; the child holds it for `render`, until the lease ends.

        Raises:
            PictureTooLarge: more pixels, or more memory, than allowed.
            PictureNotAnImage: no picture of a format we take, or a broken one.
            DecoderDied: the child died or hung with it.
            Unavailable: there is no child to be had.
        """
        answer = await self._decode(content)
        if isinstance(answer, protocol.Refused):
            raise (errors.PictureTooLarge if answer.too_large else errors.PictureNotAnImage)(answer.detail)
        self._holds = True
        if not isinstance(answer, protocol.Decoded) or [*map(len, answer.model_inputs)] != self._input_bytes:
            raise self._nonsense(answer)
        return answer

    async def _decode(self, content: bytes) -> protocol.Answer:
        last: Exception | None = None
        for _ in range(_CHILDREN_MOST):
            child = await self.start()
            self._served += 1
            self._make_way()
            try:
                return await child.decode(content)
            except process.EndedIdleError as error:
                last = error
        raise errors.Unavailable("Decoding children end before they take a picture.") from last

    async def render(self, presets: Sequence[renditions.Preset]) -> list[renditions.Rendition]:
        """Renditions of the picture that is held, in both formats. Raises `DecoderDied`."""
        if self._process is None or not self._process.usable or not self._holds:
            raise errors.DecoderDied("the decoding child and its picture are gone")
        answer = await self._process.render(protocol.Render(presets=list(presets)))
        if not isinstance(answer, protocol.Rendered):
            raise self._nonsense(answer)
        return answer.renditions

    def _nonsense(self, answer: protocol.Answer) -> errors.DecoderDied:
        """A child that answers what it was not asked is not itself any more."""
        if self._process is not None:
            self._process.kill()
        return errors.DecoderDied(f"the decoding child answered {type(answer).__name__}")

    def leave(self) -> None:
        """The end of a lease: the picture is let go, where none follows soon that takes its place."""
        self._holds = False
        if self._process is None:
            return
        if self._served >= self._group.child_max_pictures and self._process.usable:
            # What leaks in a decoder does not add up.
            self._part_from(self._process)
            self._process = None
        else:
            self._dropping = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._process.drop)

    def _make_way(self) -> None:
        """The picture that it holds makes way for another one."""
        self._holds = False
        if self._dropping is not None:
            self._dropping.cancel()

    def _part_from(self, child: process.Process) -> None:
        task = asyncio.create_task(child.end(), name="decoder.end")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """End the child."""
        self._make_way()
        if self._process is not None:
            self._part_from(self._process)
            self._process = None
        if self._ending:
            await asyncio.wait(self._ending)


class PixelPool:
    """`size` children; `lease` one for each picture. Start it in the event loop of the main thread.

    Each picture is prepared for all of `model_inputs`: the model's that decides first, a shadow's second.
    """

    def __init__(self, group: settings.Pictures, *, model_inputs: Sequence[verdicts.ModelInput], size: int) -> None:
        self._children = [PixelChild(group, model_inputs) for _ in range(size)]
        # Last in, first out: with little to do one child stays warm and the others stay in swap.
        self._free: asyncio.LifoQueue[PixelChild] = asyncio.LifoQueue()

    async def start(self) -> None:
        """Start all children. Raises `Unavailable` where they do not."""
        try:
            await asyncio.gather(*(child.start() for child in self._children))
        except BaseException:
            await self.close()
            raise
        for child in self._children:
            self._free.put_nowait(child)

    @contextlib.asynccontextmanager
    async def lease(self) -> AsyncIterator[PixelChild]:
        """A child of one's own for a block; waits until one is free."""
        child = await self._free.get()
        try:
            yield child
        finally:
            # Nothing is awaited here: a place would be lost to a cancellation.
            child.leave()
            self._free.put_nowait(child)

    async def close(self) -> None:
        """End all children; leases have ended before."""
        await asyncio.gather(*(child.close() for child in self._children))
