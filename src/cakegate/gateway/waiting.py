"""Requests that wait for their submission's end: one reader of news and one query a second for all of them together.

News are hints that may be lost, so Postgres is asked besides; a blocking connection for each request would end at some
hundred of them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Final
from uuid import UUID

import structlog

from cakegate.adapters import mailbox, metrics
from cakegate.adapters.store import pool, submissions
from cakegate.domain import errors

_log = structlog.get_logger()

_ASK_SECONDS: Final = 1.0


class Ticket:
    """One request's place in the room."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self._news = asyncio.Event()
        self._left = False

    def call(self) -> None:
        """There may be news."""
        self._news.set()

    def leave(self) -> None:
        """Wait no longer: nobody is there to be told."""
        self._left = True
        self._news.set()

    async def news(self, *, until: float) -> bool:
        """Wait for the next news; false when the time (of the loop's clock) has come, `leave` or the room closes."""
        if self._is_over():
            return False
        try:
            async with asyncio.timeout_at(until):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return not self._is_over()

    def _is_over(self) -> bool:
        return self._left or self._room.closed


class Room:
    """Where requests wait. `address` is the mailbox that news of their submissions are to go to."""

    def __init__(self, db: pool.Database, box: mailbox.Mailbox, *, most: int) -> None:
        self._db = db
        self._box = box
        self._most = most
        self._tickets: dict[UUID, set[Ticket]] = {}
        self._taken = 0
        self.address = box.address
        self.closed = False

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Read news and ask Postgres for as long as this lasts; then the mailbox is closed."""
        tasks = [asyncio.create_task(self._box.run(self._call)), asyncio.create_task(self._ask())]
        try:
            yield
        finally:
            # First: redis-py may swallow the cancellation, and then it is the closed mailbox that ends the reading.
            await self._box.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @contextlib.contextmanager
    def ticket(self, submission_id: UUID) -> Iterator[Ticket | None]:
        """A place for news of this submission; None where there is no room. Take it before there can be any."""
        if self.closed or self._taken >= self._most:
            yield None
            return
        ticket = Ticket(self)
        self._tickets.setdefault(submission_id, set()).add(ticket)
        self._taken += 1
        metrics.WAITERS.set(self._taken)
        try:
            yield ticket
        finally:
            self._taken -= 1
            metrics.WAITERS.set(self._taken)
            beside = self._tickets[submission_id]
            beside.discard(ticket)
            if not beside:
                del self._tickets[submission_id]

    def close(self) -> None:
        """Let nobody wait any longer: everybody gets the state that there is."""
        self.closed = True
        for submission_id in list(self._tickets):
            self._call(submission_id)

    def _call(self, submission_id: UUID) -> None:
        for ticket in self._tickets.get(submission_id, ()):
            ticket.call()

    async def _ask(self) -> None:
        while True:
            await asyncio.sleep(_ASK_SECONDS)
            if not self._tickets:
                continue
            try:
                settled = await submissions.settled_among(self._db, list(self._tickets))
            except errors.DatabaseUnavailable as error:
                _log.warning("waiting.not_asked", error=str(error), waiting=self._taken)
                continue
            for submission_id in settled:
                self._call(submission_id)
