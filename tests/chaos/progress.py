"""How far a run has come, counted in submissions: who waits for a point, and who must not run ahead of it."""

import asyncio


class Progress:
    """`sent` submissions so far, never more than the last `allow`; of them `done` are through with."""

    def __init__(self) -> None:
        self.sent = 0
        self.done = 0
        self._allowed = 0
        self._moved = asyncio.Condition()

    async def step(self) -> None:
        """One more is about to be sent; waits until it may."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.sent < self._allowed)
            self.sent += 1
            self._moved.notify_all()

    async def through(self) -> None:
        """One was answered, and its client is through with it."""
        async with self._moved:
            self.done += 1
            self._moved.notify_all()

    async def finished(self, point: int) -> None:
        """Wait until so many are done."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.done >= point)

    async def reached(self, point: int) -> None:
        """Wait until so many were sent."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.sent >= point)

    async def allow(self, most: int) -> None:
        """Let so many be sent in all."""
        async with self._moved:
            self._allowed = most
            self._moved.notify_all()
