"""Taking a submission in: into Postgres for certain, onto the queue if Redis will, then a wait for its end."""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Iterator
from time import monotonic
from typing import Final

import structlog

from cakegate import contract
from cakegate.adapters import metrics, queue
from cakegate.adapters.store import submissions as rows
from cakegate.domain import cakes, errors, submissions
from cakegate.gateway import answers, preferences, problems, tracing, waiting, wiring

_log = structlog.get_logger()

#: How long a count of waiting rows is believed: it costs milliseconds once there are many.
_COUNT_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 0.1


class Acceptor:
    """Takes submissions in."""

    def __init__(self, gate: wiring.Gate) -> None:
        self._gate = gate
        self._group = gate.config.gateway
        self._full = False
        self._counted_at = -_COUNT_SECONDS

    async def accept(
        self, draft: cakes.CakeDraft, *, key: str | None, wait: preferences.Wait, gone: Callable[[], Awaitable[None]]
    ) -> answers.Answer | problems.Problem:
        """Accept a checked cake, and wait for its end as long as was asked, or until the client is `gone`.

        Raises:
            Overloaded, DatabaseUnavailable: nothing was taken in.
            OutcomeUnknown: it may have been.
            IdempotencyMismatch: the key belongs to another body.
        """
        until = asyncio.get_running_loop().time() + wait.seconds
        ids = tracing.current()
        new = rows.NewSubmission(
            id=submissions.SubmissionId(uuid.uuid4()),
            draft=draft,
            request_id=ids.request_id,
            traceparent=ids.traceparent,
            idempotency_key=key,
            idempotency_seconds=self._group.idempotency_seconds,
        )
        with metrics.stage("store"):
            inserted = await self._known(new) if await self._is_full() else await self._insert(new)
        if inserted.fresh:
            metrics.ACCEPTED.labels(new.source).inc()
            _log.info("submission.accepted", submission_id=str(inserted.submission.id))
        return await self._finish(inserted, until=until, gone=gone if wait.seconds > 0 else None)

    async def _is_full(self) -> bool:
        """Whether more submissions wait for workers and writer than we promise to hold."""
        if monotonic() - self._counted_at >= _COUNT_SECONDS:
            self._counted_at = monotonic()
            most = self._group.max_pending
            self._full = await rows.count_waiting(self._gate.db, cap=most) >= most
        return self._full

    async def _known(self, new: rows.NewSubmission) -> rows.Inserted:
        """In a full house: what was taken in before is told as ever, so that a client may repeat safely."""
        known = await rows.named_by_key(self._gate.db, new) if new.idempotency_key is not None else None
        if known is None:
            raise errors.Overloaded("Too many submissions wait already.", retry_after_seconds=30)
        return rows.Inserted(submission=known, fresh=False)

    async def _insert(self, new: rows.NewSubmission) -> rows.Inserted:
        """The same insert again for as long as its outcome is unknown: with the same id it is the same row."""
        sent = False
        try:
            async with asyncio.timeout(self._group.accept_seconds):
                while True:
                    try:
                        return await rows.insert(self._gate.db, new)
                    except errors.DatabaseUnavailable as error:
                        sent = sent or error.outcome_unknown
                        if not sent:
                            raise
                        _log.warning("submission.insert_repeated", submission_id=str(new.id), error=str(error))
                    await asyncio.sleep(_RETRY_SECONDS)
        except TimeoutError as error:
            # Cut off in the middle of a statement, it may have been sent: nobody can say.
            _log.exception("submission.outcome_unknown", submission_id=str(new.id))
            raise errors.OutcomeUnknown(new.id) from error

    async def _finish(
        self, inserted: rows.Inserted, *, until: float, gone: Callable[[], Awaitable[None]] | None
    ) -> answers.Answer | problems.Problem:
        found = inserted.submission
        if found.state in submissions.SETTLED:
            return answers.to_post(found)
        if gone is None:
            await self._enqueue(inserted, reply_to=None)
            return answers.to_post(found)
        with self._gate.room.ticket(found.id) as ticket:
            await self._enqueue(inserted, reply_to=self._gate.room.address if ticket else None)
            if ticket is None:
                return answers.to_post(found)
            with _leaving(ticket, gone):
                return answers.to_post(await self._end(found, ticket, until=until))

    async def _enqueue(self, inserted: rows.Inserted, *, reply_to: str | None) -> None:
        """Redis is only asked: what it does not take, the sweeper brings."""
        if not inserted.fresh:
            return
        ids, submission_id = tracing.current(), inserted.submission.id
        message = queue.Message(
            submission_id=submission_id, request_id=ids.request_id, traceparent=ids.traceparent, reply_to=reply_to
        )
        try:
            with metrics.stage("enqueue"):
                await self._gate.work.send(contract.QUEUE_JUDGE, message)
        except errors.QueueUnavailable as error:
            metrics.ENQUEUE_FAILURES.labels(contract.QUEUE_JUDGE).inc()
            _log.warning("submission.not_enqueued", submission_id=str(submission_id), error=str(error))
            try:
                await rows.not_enqueued(self._gate.db, [submission_id])
            except errors.DatabaseUnavailable as failure:
                # Then the sweeper believes it enqueued a little longer.
                _log.warning("submission.not_noted", submission_id=str(submission_id), error=str(failure))

    async def _end(
        self, found: submissions.Submission, ticket: waiting.Ticket, *, until: float
    ) -> submissions.Submission:
        """The submission as it is when it has ended, or when the time has come."""
        while await ticket.news(until=until):
            with metrics.stage("reply"):
                found = await self._look(found)
            if found.state in submissions.SETTLED:
                return found
        return await self._look(found)

    async def _look(self, known: submissions.Submission) -> submissions.Submission:
        """The row as it is now. It is taken in already: while Postgres is away, what we know of it must do."""
        try:
            return await rows.get(self._gate.db, known.id)
        except errors.DatabaseUnavailable as error:
            _log.warning("submission.not_read", submission_id=str(known.id), error=str(error))
            return known


@contextlib.contextmanager
def _leaving(ticket: waiting.Ticket, gone: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """Give the place up when the client goes: whoever asks and hangs up, again and again, must not fill the room."""

    async def watch() -> None:
        await gone()
        ticket.leave()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
