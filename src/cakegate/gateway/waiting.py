"""Waiting for a submission's end: one reader of news and one query a second for all requests of this process."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final
from uuid import UUID

import structlog

from cakegate import settings
from cakegate.adapters import metrics
from cakegate.adapters.store import pool, submissions
from cakegate.domain import errors

_log = structlog.get_logger()

#: News are hints: this often Postgres is asked for all that are waited for.
_ASK_SECONDS: Final = 1.0


class Waiters:
    """Who waits for what; and, asked with the same beat, how many submissions are pending."""

    def __init__(self, group: settings.Gateway, db: pool.Database) -> None:
        self._db = db
        self._most = group.max_waiters
        self._max_pending = group.max_pending
        self._futures: dict[UUID, asyncio.Future[None]] = {}
        self._draining = False
        self.pending = 0

    @property
    def overloaded(self) -> bool:
        """Whether more submissions are pending than we promise to hold."""
        return self.pending >= self._max_pending

    @contextlib.contextmanager
    def join(self, submission_id: UUID) -> Iterator[asyncio.Future[None] | None]:
        """A future that news of this submission settle; None when as many wait as may, or none may any more."""
        if self._draining or len(self._futures) >= self._most:
            yield None
            return
        future = asyncio.get_running_loop().create_future()
        self._futures[submission_id] = future
        metrics.WAITERS.set(len(self._futures))
        try:
            yield future
        finally:
            self._futures.pop(submission_id, None)
            metrics.WAITERS.set(len(self._futures))

    def on_news(self, submission_id: UUID) -> None:
        """Wake who waits for it, if anybody does."""
        future = self._futures.get(submission_id)
        if future is not None and not future.done():
            future.set_result(None)

    def drain(self) -> None:
        """Wake everybody: they get what there is. Nobody waits from now on."""
        self._draining = True
        for submission_id in list(self._futures):
            self.on_news(submission_id)

    async def run(self) -> None:
        """Ask Postgres, again and again, until cancelled. A database that is away is waited for."""
        while True:
            try:
                self.pending = await submissions.count_pending(self._db, cap=self._max_pending)
                if self._futures:
                    for submission_id in await submissions.settled_among(self._db, list(self._futures)):
                        self.on_news(submission_id)
            except errors.DatabaseUnavailable as error:
                _log.warning("waiters.not_asked", error=str(error))
            await asyncio.sleep(_ASK_SECONDS)
