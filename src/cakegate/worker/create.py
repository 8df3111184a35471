"""Create one accepted cake upstream: claim under the fleet's cap and breaker, send once, settle what is known.

The legacy API has no idempotency key: what was sent and not answered is `uncertain`, never sent again from here.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina
import structlog

from cakegate import contract
from cakegate.adapters import metrics, queue, upstream
from cakegate.adapters.store import breaker, creating
from cakegate.domain import cakes, errors, submissions
from cakegate.worker import outcomes, wiring

_log = structlog.get_logger()

T = TypeVar("T")


async def create(context: wiring.Context, message: queue.Message) -> None:
    """Create the cake of the submission that a message names, if it is there to be created."""
    if context.stopping.is_set():
        return
    group, pace = context.config.submissions, context.config.upstream
    # Before the claim: the database's clock starts later, so ours runs out first.
    started = upstream.clock()
    claimed = await creating.claim(
        context.db,
        message.submission_id,
        pace=creating.Pace(
            concurrency=pace.create_concurrency,
            lease_seconds=group.creating_lease_seconds,
            send_deadline_seconds=group.send_deadline_seconds,
        ),
        marked=pace.marker,
        holder=context.holder,
    )
    if isinstance(claimed, creating.Refusal):
        _log.info("submission.waits", why=claimed.why, seconds=round(claimed.wait_seconds, 1))
        return
    if claimed is None:
        _log.debug("submission.not_claimed")
        return
    timings = {f"queue-{contract.QUEUE_CREATE}": round(message.waited_seconds() * 1000, 3)}
    settled, answered = await _create(context, claimed, timings, deadline=started + group.send_deadline_seconds)
    metrics.TRANSITIONS.labels(settled.state.value, settled.reason.value if settled.reason else "").inc()
    _log.info("submission.settled", state=settled.state.value, cake=settled.upstream_id, timings=settled.timings)
    if settled.state is not submissions.State.ACCEPTED:
        metrics.NEWS.labels(str(await context.postman.post(message.reply_to, settled.id)).lower()).inc()
    await _tell_breaker(context, answered=answered)


async def _create(
    context: wiring.Context, held: submissions.Submission, timings: dict[str, float], *, deadline: float
) -> tuple[submissions.Submission, bool | None]:
    """Send, and settle what follows. Each settling is tried again while the database is away and our lease lasts.

    Besides the row: whether the upstream answered sensibly; None where it was not asked.
    """
    assert context.upstream is not None
    if context.stopping.is_set():
        return await _unsent(context, held, "This writer is stopping."), None
    try:
        with metrics.stage("create", timings):
            stored = await context.upstream.create(held.draft, marker=held.marker, deadline=deadline)
    except errors.UpstreamLate as late:
        return await _unsent(context, held, late.detail), None
    except errors.UpstreamError as error:
        return await _troubled(context, held, error, timings), isinstance(error, errors.UpstreamRefused)
    if stored.marker != held.marker:
        # It drops or changes fragments: lost answers cannot be settled by markers, and the setting should say so.
        metrics.MARKERS_LOST.inc()
        _log.error("upstream.marker_lost", cake=stored.id, setting="CAKEGATE_UPSTREAM_MARKER")
    with metrics.stage("settle-create"):
        return await _settle(context, lambda: _created(context, held, stored, timings)), True


async def _tell_breaker(context: wiring.Context, *, answered: bool | None) -> None:
    """After the row, which matters more: a breaker that misses one outcome learns from the next."""
    group = context.config.upstream
    try:
        if answered:
            await breaker.succeeded(context.db)
        elif answered is not None:
            await breaker.failed(
                context.db,
                failures=group.breaker_failures,
                base_seconds=group.breaker_base_seconds,
                max_seconds=group.breaker_max_seconds,
            )
    except errors.DatabaseUnavailable as error:
        _log.warning("breaker.not_told", error=str(error))


async def _settle(context: wiring.Context, what: Callable[[], Awaitable[T]]) -> T:
    seconds = context.config.submissions.creating_lease_seconds / 2
    async for attempt in stamina.retry_context(on=errors.DatabaseUnavailable, timeout=seconds, attempts=None):
        with attempt:
            return await what()
    raise AssertionError("unreachable: the last attempt raises")


async def _created(
    context: wiring.Context, held: submissions.Submission, stored: cakes.StoredCake, timings: dict[str, float]
) -> submissions.Submission:
    return await creating.settle_created(
        context.db,
        held,
        upstream_id=stored.id,
        cake=stored.public(image_url_field=context.config.upstream.image_url_field),
        status=None,
        actor=context.holder,
        timings=timings,
    )


async def _unsent(context: wiring.Context, held: submissions.Submission, detail: str) -> submissions.Submission:
    return await _settle(context, lambda: _give_back(context, held, wait_seconds=0, detail=detail))


async def _give_back(
    context: wiring.Context, held: submissions.Submission, *, wait_seconds: float, detail: str
) -> submissions.Submission:
    return await creating.give_back(context.db, held, wait_seconds=wait_seconds, detail=detail, actor=context.holder)


async def _troubled(
    context: wiring.Context, held: submissions.Submission, error: errors.UpstreamError, timings: dict[str, float]
) -> submissions.Submission:
    """What the upstream's trouble proves: nothing was created, or nobody knows."""
    _log.warning("upstream.failed", kind=type(error).__name__, detail=error.detail, status=error.status)
    if isinstance(error, errors.UpstreamRefused):
        return await _settle(
            context,
            lambda: creating.settle_refused(
                context.db, held, status=error.status, detail=error.detail, actor=context.holder, timings=timings
            ),
        )
    if isinstance(error, (errors.UpstreamUnreachable, errors.UpstreamBusy)):
        wait = outcomes.create_pause(error, held, context.config.submissions)
        return await _settle(context, lambda: _give_back(context, held, wait_seconds=wait, detail=error.detail))
    return await _settle(
        context,
        lambda: creating.settle_uncertain(
            context.db, held, status=error.status, detail=error.detail, actor=context.holder, timings=timings
        ),
    )
