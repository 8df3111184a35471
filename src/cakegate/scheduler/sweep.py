"""One round of the sweeper: whatever work Redis or a dead process dropped is found in Postgres and brought back.

The order matters: leases first, so that what they free is enqueued in the same round; then the epoch, so that a Redis
that lost everything gets everything back at once; then what is due.
"""

import secrets
import time

import structlog

from cakegate import contract, settings
from cakegate.adapters import metrics, queue
from cakegate.adapters.store import breaker, pool, sampling, submissions, sweeping
from cakegate.domain import errors
from cakegate.domain.submissions import State
from cakegate.scheduler import drift

_log = structlog.get_logger()

#: Which queue a state's rows belong on.
_QUEUE_OF = {State.PENDING: contract.QUEUE_JUDGE, State.ACCEPTED: contract.QUEUE_CREATE}
#: Renditions are made right after the verdict; a row without them this long after was dropped on the way.
_UNRENDERED_AFTER_SECONDS = 120.0
#: Past this the picture has had its chances: it changed, or cannot be had any more.
_UNRENDERED_UNTIL_SECONDS = 6 * 3600.0
#: How often the slower steps of a round are taken.
_SLOW_STEP_SECONDS = 30.0
#: Counting what is open looks at all of it; Prometheus asks every 15 or 30 seconds.
_MEASURE_SECONDS = 5.0
#: People take their time, scores drift over hours; and what people say of a month's samples is a month's error rate.
_SAMPLES_SECONDS = 60.0
_SAMPLES_DAYS = 30.0


class Sweeper:
    """Holds what a round needs; `round()` may be called as often as one likes, by the leader alone."""

    def __init__(self, group: settings.Scheduler, db: pool.Database, work: queue.Queue) -> None:
        self._group = group
        self._db = db
        self._work = work
        self._slow_step_due = 0.0
        self._measure_due = 0.0
        self._samples_due = 0.0

    async def round(self) -> None:
        """Take one step of each kind.

        Raises:
            DatabaseUnavailable: Postgres cannot be asked; nothing is lost, the next round finds it all.
        """
        with metrics.SWEEP_SECONDS.time():
            for origin in (State.JUDGING, State.CREATING):
                await self._expire(origin)
            await self._refill()
            if time.monotonic() >= self._measure_due:
                await self._measure()
                self._measure_due = time.monotonic() + _MEASURE_SECONDS
            if time.monotonic() >= self._samples_due:
                metrics.observe_samples(await sampling.counts(self._db, days=_SAMPLES_DAYS))
                await drift.measure(self._db)
                self._samples_due = time.monotonic() + _SAMPLES_SECONDS

    async def _refill(self) -> None:
        try:
            await self._compare_epochs()
            for state in _QUEUE_OF:
                await self._enqueue_due(state)
            if time.monotonic() >= self._slow_step_due:
                await self._enqueue_unrendered()
                await sweeping.forget_idempotency(self._db, batch=self._group.batch)
                self._slow_step_due = time.monotonic() + _SLOW_STEP_SECONDS
        except errors.QueueUnavailable as error:
            _log.warning("queue.unavailable", error=str(error))

    async def _expire(self, origin: State) -> None:
        freed = await sweeping.expire_leases(self._db, origin, batch=self._group.batch)
        for submission_id in freed:
            metrics.LEASES_EXPIRED.labels(origin.value).inc()
            _log.warning("lease.expired", submission_id=str(submission_id), state=origin.value)

    async def _compare_epochs(self) -> None:
        """An epoch that is gone means that Redis lost its data: forget what we believe is on its queues."""
        if await self._work.epoch() is not None:
            return
        forgotten = 0
        while count := await sweeping.forget_enqueues(self._db, batch=self._group.batch):
            forgotten += count
        # Set last: a crash before this line repeats the step, it never skips it.
        await self._work.set_epoch(secrets.token_hex(8))
        _log.info("queue.epoch_started", forgotten=forgotten)

    async def _enqueue_due(self, state: State) -> None:
        due = await sweeping.take_due(
            self._db,
            state,
            batch=self._group.batch,
            base_seconds=self._group.requeue_base_seconds,
            max_seconds=self._group.requeue_max_seconds,
        )
        if not due:
            return
        try:
            await self._send(_QUEUE_OF[state], due)
        except errors.QueueUnavailable:
            await submissions.not_enqueued(self._db, [each.id for each in due])
            raise
        metrics.REQUEUED.labels(_QUEUE_OF[state]).inc(len(due))
        _log.info("queue.refilled", queue=_QUEUE_OF[state], count=len(due))

    async def _enqueue_unrendered(self) -> None:
        missing = await sweeping.take_unrendered(
            self._db,
            batch=self._group.batch,
            after_seconds=_UNRENDERED_AFTER_SECONDS,
            until_seconds=_UNRENDERED_UNTIL_SECONDS,
        )
        depths = await self._work.depths()
        # A queue that still holds such work is not filled again.
        if missing and depths[contract.QUEUE_BULK].total == 0:
            await self._send(contract.QUEUE_BULK, missing)

    async def _send(self, name: str, due: list[sweeping.Due]) -> None:
        await self._work.send_many(
            name,
            [
                queue.Message(
                    submission_id=each.id, request_id=each.request_id, traceparent=each.traceparent, reply_to=None
                )
                for each in due
            ],
        )

    async def _measure(self) -> None:
        standings = {standing.state: standing for standing in await sweeping.standings(self._db)}
        metrics.observe_standings(standings)
        metrics.observe_breaker((await breaker.read(self._db)).state)
        metrics.DATABASE_BYTES.set(await sweeping.database_bytes(self._db))
        try:
            metrics.observe_queues(await self._work.depths())
        except errors.QueueUnavailable as error:
            _log.warning("queue.unavailable", error=str(error))
