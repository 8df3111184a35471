"""What the scheduler looks for: leases that ran out, work that Redis forgot, keys past their lifetime.

Every statement takes a bounded batch and skips rows that others hold, so that a sweep never waits and never sweeps
the whole table in one transaction.
"""

from typing import Final
from uuid import UUID

import msgspec

from cakegate.adapters.store import moves, pool
from cakegate.domain import submissions
from cakegate.domain.submissions import State


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A submission that belongs on a queue, and what travels with it."""

    id: UUID
    request_id: str | None
    traceparent: str | None


async def expire_leases(db: pool.Database, origin: State, *, batch: int) -> list[UUID]:
    """End leases that ran out: `judging` goes back to `pending`, `creating` to `uncertain`, never back to the queue.

    An expired judging counts against nobody: its worker was killed from outside, or Postgres was away. One that is lost
    again and again, perhaps because it is what kills workers, waits longer each time after the third.
    """
    target, query = _EXPIRE[origin]
    submissions.check_transition(origin, target)
    found = await db.fetch(
        query, {"origin": origin.value, "target": target.value, "batch": batch, "reason": _EXPIRED_REASON[origin]}
    )
    return [row["id"] for row in found]


def _expiry(sets: str) -> str:
    return f"""
    WITH late AS (
        SELECT id AS late_id FROM submissions
        WHERE state = %(origin)s AND lease_expires_at < now()
        ORDER BY lease_expires_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
    ), s AS (
        UPDATE submissions s SET
            state = %(target)s, reason = %(reason)s, detail = '{moves.LEASE_RAN_OUT}', updated_at = now(),
            {moves.UNLEASED}, {sets}
        FROM late WHERE id = late_id
        RETURNING id
    ), noted AS (
        INSERT INTO transitions (submission_id, origin, target, reason, actor, note)
        SELECT id, %(origin)s, %(target)s, %(reason)s, 'scheduler', '{moves.LEASE_RAN_OUT}' FROM s
    )
    SELECT id FROM s
    """


#: Losses that are taken for chance (a node drained, a rollout, a database away); then 1 s, 2 s, … up to 5 minutes.
_LOSSES_BY_CHANCE: Final = 3
_NOT_AGAIN_AT_ONCE: Final = f"""(
    SELECT CASE WHEN lost.times >= {_LOSSES_BY_CHANCE}
        THEN now() + interval '1 second' * least(300, power(2, least(lost.times - {_LOSSES_BY_CHANCE}, 30))) END
    FROM (SELECT {moves.LOSSES} AS times) lost
)"""
_EXPIRE: Final = {
    State.JUDGING: (
        State.PENDING,
        _expiry(f"enqueued_at = NULL, enqueue_count = 0, next_attempt_at = {_NOT_AGAIN_AT_ONCE}"),
    ),
    State.CREATING: (State.UNCERTAIN, _expiry("next_attempt_at = NULL, needs_person = (marker IS NULL)")),
}
_EXPIRED_REASON: Final = {State.JUDGING: None, State.CREATING: submissions.Reason.UPSTREAM_UNCERTAIN.value}


async def take_due(
    db: pool.Database, state: State, *, batch: int, base_seconds: float, max_seconds: float
) -> list[Due]:
    """Mark as enqueued, and return, what is due and not on its queue as far as we know.

    That is: never enqueued since it last moved, or enqueued so long ago that Redis may have forgotten it. The wait
    doubles with each enqueue in vain, from `base_seconds` to `max_seconds`, so that a long backlog is not enqueued
    again and again. Where the enqueue fails, say `submissions.not_enqueued`.
    """
    found = await db.fetch(
        """
        WITH due AS (
            SELECT id AS due_id FROM submissions
            WHERE state = %(state)s AND (next_attempt_at IS NULL OR next_attempt_at <= now())
              AND (enqueued_at IS NULL OR enqueued_at < now() - interval '1 second'
                   * least(%(max)s, %(base)s * power(2, least(greatest(enqueue_count, 1) - 1, 30))))
            ORDER BY next_attempt_at NULLS FIRST, created_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
        )
        UPDATE submissions SET enqueued_at = now(), enqueue_count = enqueue_count + 1
        FROM due WHERE id = due_id
        RETURNING id, request_id, traceparent
        """,
        {"state": state.value, "batch": batch, "base": base_seconds, "max": max_seconds},
    )
    return [Due(**row) for row in found]


async def forget_enqueues(db: pool.Database, *, batch: int) -> int:
    """Redis lost everything: say of a batch of rows that they are on no queue. Repeat until it returns 0."""
    return await db.execute(
        """
        UPDATE submissions SET enqueued_at = NULL, enqueue_count = 0 WHERE id IN (
            SELECT id FROM submissions WHERE state IN ('pending', 'accepted') AND enqueued_at IS NOT NULL
            ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
        """,
        {"batch": batch},
    )


async def take_unrendered(db: pool.Database, *, batch: int, after_seconds: float, until_seconds: float) -> list[Due]:
    """Submissions whose picture was judged between `after_seconds` and `until_seconds` ago and has no renditions."""
    found = await db.fetch(
        """
        SELECT id, request_id, traceparent FROM submissions
        WHERE renditions_at IS NULL AND image_sha256 IS NOT NULL
          AND state IN ('review', 'accepted', 'creating', 'created')
          AND judged_at BETWEEN now() - %(until)s * interval '1 second' AND now() - %(after)s * interval '1 second'
        ORDER BY judged_at LIMIT %(batch)s
        """,
        {"batch": batch, "after": after_seconds, "until": until_seconds},
    )
    return [Due(**row) for row in found]


async def forget_idempotency(db: pool.Database, *, batch: int) -> int:
    """Free a batch of Idempotency-Keys that are past their lifetime."""
    return await db.execute(
        """
        UPDATE submissions SET idempotency_key = NULL WHERE id IN (
            SELECT id FROM submissions WHERE idempotency_key IS NOT NULL AND idempotency_expires_at < now()
            ORDER BY idempotency_expires_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
        """,
        {"batch": batch},
    )


async def database_bytes(db: pool.Database) -> int:
    """The size of our database on disk, without the write-ahead log."""
    row = await db.fetch_one("SELECT pg_database_size(current_database()) AS bytes")
    assert row is not None
    return int(row["bytes"])


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How many submissions are in an open state, and how long the oldest has existed."""

    state: State
    count: int
    oldest_seconds: float


async def standings(db: pool.Database) -> list[Standing]:
    """The open states; ends are counted by the processes as they happen, not by scanning the table."""
    found = await db.fetch(
        """
        SELECT state, count(*) AS count,
               greatest(0, extract(epoch FROM now() - min(created_at)))::float8 AS oldest_seconds
        FROM submissions
        WHERE state IN ('pending', 'judging', 'review', 'accepted', 'creating', 'uncertain') GROUP BY state
        """
    )
    return [Standing(**{**row, "state": State(row["state"])}) for row in found]
