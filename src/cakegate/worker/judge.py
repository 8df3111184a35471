"""Judge one submission: claim, fetch, decode, detect, settle; tell who waits; then render."""

import asyncio
import contextlib
from typing import Final

import structlog

from cakegate import contract
from cakegate.adapters import metrics, queue
from cakegate.adapters.fetcher import client as fetching
from cakegate.adapters.pixels import pool as pixels
from cakegate.adapters.store import judging
from cakegate.adapters.store import submissions as rows
from cakegate.domain import errors, submissions, verdicts
from cakegate.domain.submissions import State
from cakegate.worker import judging as looking
from cakegate.worker import outcomes, render, shadow, wiring

_log = structlog.get_logger()

_DETAIL_CHARACTERS: Final = 500
#: States whose picture somebody will want to see.
_RENDERED: Final = frozenset({State.ACCEPTED, State.REVIEW})


async def judge(context: wiring.Context, message: queue.Message) -> None:
    """Judge the submission that a message names, if it is there to be judged."""
    group = context.config.submissions
    held = await judging.claim(
        context.db, message.submission_id, lease_seconds=group.judging_lease_seconds, holder=context.holder
    )
    if held is None:
        _log.debug("submission.not_claimed")
        return
    timings = {f"queue-{contract.QUEUE_JUDGE}": round(message.waited_seconds() * 1000, 3)}
    try:
        try:
            await _judge(context, held, message, timings)
        except errors.PictureError as error:
            await _unusable(context, held, message, error, timings)
    except asyncio.CancelledError:
        # Told to stop before it was done: another worker may start at once. A lease that is gone was settled.
        with contextlib.suppress(errors.LeaseLost):
            await asyncio.shield(judging.release(context.db, held, wait_seconds=0, detail=None, actor=context.holder))
        raise
    except (errors.LeaseLost, errors.Unavailable):
        # The row is another's, or cannot be reached; or there are no children, of which this picture is not guilty.
        raise
    except Exception as error:
        # A fault of ours that this picture brings to light, and will again: no child died of it, so it is no poison.
        await _put_off(context, held, error)
        raise


async def _put_off(context: wiring.Context, held: submissions.Submission, error: Exception) -> None:
    group = context.config.submissions
    try:
        after = await judging.put_off(
            context.db,
            held,
            base_seconds=group.retry_base_seconds,
            max_seconds=group.retry_max_seconds,
            detail=f"{type(error).__name__}: {error}"[:_DETAIL_CHARACTERS],
            actor=context.holder,
        )
    except (errors.LeaseLost, errors.Unavailable) as also:
        # Settled before it broke off, or left to its lease; the first error is the one to be told.
        _log.warning("submission.not_put_off", error=str(also))
        return
    _log.error("submission.put_off", kind=type(error).__name__, next_attempt_at=str(after.next_attempt_at))


async def _judge(
    context: wiring.Context, held: submissions.Submission, message: queue.Message, timings: dict[str, float]
) -> None:
    assert context.judges is not None
    with metrics.stage("fetch", timings):
        fetched = await _fetch(context.judges.fetcher, held.draft.image_url)
    async with context.judges.pixels.lease() as child:
        decoded, verdict = await looking.look(context.judges, child, fetched.content, timings)
        picture = render.picture_of(fetched, decoded)
        group = context.config.detector
        outcome = verdicts.after(verdict, decoded.quality, group.minima())
        sampled = submissions.is_sampled(held.id, share=group.sample_share)
        with metrics.stage("settle", timings):
            settled = await judging.settle_verdict(
                context.db, held, verdict=verdict, outcome=outcome, sampled=sampled,
                picture=picture, actor=context.holder, timings=timings,
            )  # fmt: skip
        _count(settled, verdict, sampled=sampled)
        await _announce(context, settled, message)
        if settled.state in _RENDERED:
            await _render(context, settled, message, child)
    await shadow.judge(context, settled, decoded)


async def _fetch(fetcher: fetching.Fetcher, url: str) -> fetching.Fetched:
    try:
        fetched = await fetcher.fetch(url)
    except errors.PictureError as error:
        metrics.FETCHES.labels(type(error).__name__).inc()
        raise
    metrics.FETCHES.labels("ok").inc()
    metrics.FETCHED_BYTES.inc(len(fetched.content))
    return fetched


def _count(settled: submissions.Submission, verdict: verdicts.Verdict, *, sampled: bool) -> None:
    model = verdict.model
    if sampled and settled.state is State.ACCEPTED:
        metrics.SAMPLED.labels(model.name, model.version).inc()
    metrics.VERDICTS.labels(model.name, model.version, verdicts.Role.PRIMARY.value, verdict.decision.value).inc()
    metrics.SCORES.labels(model.name, model.version, verdicts.Role.PRIMARY.value).observe(verdict.score)
    metrics.TRANSITIONS.labels(settled.state.value, settled.reason.value if settled.reason else "").inc()
    _log.info(
        "submission.judged",
        state=settled.state.value,
        reason=settled.reason.value if settled.reason else None,
        score=round(verdict.score, 4),
        model=f"{model.name}/{model.version}",
        timings=settled.timings,
    )


async def _announce(context: wiring.Context, settled: submissions.Submission, message: queue.Message) -> None:
    """What comes next: the writer for an accepted one, news for who waits for any other."""
    if settled.state is State.ACCEPTED:
        try:
            await context.work.send(contract.QUEUE_CREATE, _onward(message))
        except errors.QueueUnavailable as error:
            metrics.ENQUEUE_FAILURES.labels(contract.QUEUE_CREATE).inc()
            _log.warning("queue.unavailable", queue=contract.QUEUE_CREATE, error=str(error))
            await rows.not_enqueued(context.db, [settled.id])
        return
    told = await context.postman.post(message.reply_to, settled.id)
    metrics.NEWS.labels(str(told).lower()).inc()


def _onward(message: queue.Message) -> queue.Message:
    return queue.Message(
        submission_id=message.submission_id,
        request_id=message.request_id,
        traceparent=message.traceparent,
        reply_to=message.reply_to,
    )


async def _render(
    context: wiring.Context, settled: submissions.Submission, message: queue.Message, child: pixels.PixelChild
) -> None:
    """Renditions of the picture that the child still holds; what fails here is made later."""
    try:
        with metrics.stage("render"):
            await render.store(context, settled, child)
    except (errors.DecoderDied, errors.Unavailable) as error:
        if isinstance(error, errors.DecoderDied):
            metrics.DECODER_DEATHS.inc()
        _log.warning("picture.not_rendered", error=str(error))
        try:
            await context.work.send(contract.QUEUE_BULK, _onward(message))
        except errors.QueueUnavailable:
            metrics.ENQUEUE_FAILURES.labels(contract.QUEUE_BULK).inc()


async def _unusable(
    context: wiring.Context,
    held: submissions.Submission,
    message: queue.Message,
    error: errors.PictureError,
    timings: dict[str, float],
) -> None:
    what = outcomes.of_picture(error, held, context.config.submissions)
    _log.info("picture.unusable", kind=type(error).__name__, detail=error.detail)
    if isinstance(what, outcomes.Again):
        await judging.release(
            context.db,
            held,
            wait_seconds=what.wait_seconds,
            detail=error.detail,
            actor=context.holder,
            fetch_failed=what.fetch_failed,
            decoder_died=what.decoder_died,
        )
        return
    settled = await judging.settle_unusable(
        context.db,
        held,
        target=what.target,
        reason=what.reason,
        detail=error.detail,
        actor=context.holder,
        timings=timings,
    )
    metrics.TRANSITIONS.labels(settled.state.value, what.reason.value).inc()
    _log.info("submission.judged", state=settled.state.value, reason=what.reason.value)
    await _announce(context, settled, message)
