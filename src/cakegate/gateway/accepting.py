"""Accepting a submission: into Postgres, onto the queue, and a bounded wait for its end."""

import asyncio
import contextlib
import uuid
from datetime import UTC, datetime

import msgspec
import stamina
import structlog

from cakegate import contract
from cakegate.adapters import metrics, queue
from cakegate.adapters.store import submissions as rows
from cakegate.domain import cakes, errors, submissions
from cakegate.gateway import wiring

_log = structlog.get_logger()


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a POST asks for."""

    draft: cakes.CakeDraft
    idempotency_key: str | None
    wait_seconds: float
    request_id: str
    traceparent: str


async def accept(context: wiring.Context, order: Order) -> submissions.Submission:
    """Take a submission in and wait for its end as long as the client wants; its state then.

    Raises:
        Overloaded: too many are pending; nothing was taken in.
        IdempotencyMismatch: the key belongs to another body.
        DatabaseUnavailable: nothing was taken in.
        OutcomeUnknown: nobody knows whether it was.
    """
    if context.waiters.overloaded:
        raise errors.Overloaded("Too many submissions wait to be judged; come back later.", retry_after_seconds=30)
    new = rows.NewSubmission(
        id=submissions.SubmissionId(uuid.uuid4()),
        draft=order.draft,
        request_id=order.request_id,
        traceparent=order.traceparent,
        idempotency_key=order.idempotency_key,
        idempotency_seconds=context.config.gateway.idempotency_seconds,
    )
    structlog.contextvars.bind_contextvars(submission_id=str(new.id))
    with metrics.stage("store"):
        inserted = await _insert(context, new)
    if not inserted.fresh:
        return inserted.submission
    metrics.ACCEPTED.labels(new.source).inc()
    _log.info("submission.accepted")
    return await _await_end(context, order, inserted.submission)


async def _insert(context: wiring.Context, new: rows.NewSubmission) -> rows.Inserted:
    """The same insert again while the database stumbles: its id makes it the same row."""
    unknown = False
    seconds = context.config.gateway.accept_seconds
    try:
        async for attempt in stamina.retry_context(
            on=errors.DatabaseUnavailable, attempts=None, timeout=seconds, wait_initial=0.05, wait_max=0.5
        ):
            with attempt:
                try:
                    return await rows.insert(context.db, new)
                except errors.DatabaseUnavailable as error:
                    unknown = unknown or error.outcome_unknown
                    raise
    except errors.DatabaseUnavailable as error:
        if unknown:
            raise errors.OutcomeUnknown(new.id) from error
        raise
    raise AssertionError("unreachable: the last attempt raises")


async def _await_end(context: wiring.Context, order: Order, inserted: submissions.Submission) -> submissions.Submission:
    with context.waiters.join(inserted.id) as news:
        await _enqueue(context, order, inserted.id, reply_to=context.mailbox.address if news else None)
        if news is None or order.wait_seconds <= 0:
            return inserted
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(news, order.wait_seconds)
    try:
        found = await rows.get(context.db, inserted.id)
    except errors.DatabaseUnavailable:
        # It is in: what we knew of it last is true enough for a 202.
        return inserted
    with contextlib.suppress(ValueError):
        metrics.STAGE_SECONDS.labels("total").observe((datetime.now(UTC) - found.created_at).total_seconds())
    return found


async def _enqueue(
    context: wiring.Context, order: Order, submission_id: submissions.SubmissionId, *, reply_to: str | None
) -> None:
    """Put it on `judge`; where that fails the sweeper will."""
    message = queue.Message(
        submission_id=submission_id,
        request_id=order.request_id,
        traceparent=order.traceparent,
        reply_to=reply_to,
    )
    try:
        with metrics.stage("enqueue"):
            await context.work.send(contract.QUEUE_JUDGE, message)
    except errors.QueueUnavailable as error:
        metrics.ENQUEUE_FAILURES.labels(contract.QUEUE_JUDGE).inc()
        _log.warning("queue.unavailable", queue=contract.QUEUE_JUDGE, error=str(error))
        with contextlib.suppress(errors.DatabaseUnavailable):
            await rows.not_enqueued(context.db, [submission_id])
