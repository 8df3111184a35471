"""Creating upstream: claim under the fleet-wide cap and breaker, and every way in which it can end."""

import random
import secrets
import uuid
from typing import Any, Final
from uuid import UUID

import msgspec

from cakegate.adapters.store import breaker, moves, pool
from cakegate.domain import cakes, errors, submissions
from cakegate.domain.submissions import State


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """What a claim must respect, for all writers together."""

    concurrency: int
    lease_seconds: float
    send_deadline_seconds: float


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Not now: `why` is `breaker` or `cap`. The row waits in Postgres and the sweeper brings it again."""

    why: str
    wait_seconds: float


#: How long a row waits when all of the fleet's slots are taken; spread, so that they do not come back together.
_CAP_WAIT_SECONDS: Final = (0.2, 1.0)


async def claim(
    db: pool.Database, submission_id: UUID, *, pace: Pace, holder: str, marked: bool = True
) -> submissions.Submission | Refusal | None:
    """Take an accepted submission under a lease; None when it is not accepted, or not yet due.

    The first claim gives it the marker that all its attempts will carry; without `marked` none is given, and a row has
    a marker only if a create of it carried one: what cannot be found by a marker must not be proved absent by it.
    Claims go one at a time across the fleet, under the breaker's row lock, so that the cap is exact.
    """
    async with db.transaction() as connection:
        gate = await breaker.lock(connection)
        refusal = await _refusal(connection, gate, concurrency=pace.concurrency)
        if refusal is not None:
            waits = await connection.execute(
                b"UPDATE submissions SET next_attempt_at = now() + %(wait)s * interval '1 second',"
                b" enqueued_at = NULL, enqueue_count = 0 WHERE id = %(id)s AND state = 'accepted'"
                # A late message must not shorten a wait that the upstream asked for.
                b" AND (next_attempt_at IS NULL OR next_attempt_at <= now())",
                {"id": submission_id, "wait": refusal.wait_seconds},
            )
            return refusal if waits.rowcount else None
        claimed = await moves.move(
            connection, submission_id, State.ACCEPTED, State.CREATING, _CLAIM, new_token=uuid.uuid4(), actor=holder,
            marker=secrets.token_urlsafe(16) if marked else None,
            lease_seconds=pace.lease_seconds, send_deadline=pace.send_deadline_seconds,
        )  # fmt: skip
        if claimed is not None and gate.state != "closed":
            await breaker.start_probe(connection, seconds=pace.lease_seconds)
        return claimed


async def _refusal(connection: pool.Connection, gate: breaker.Breaker, *, concurrency: int) -> Refusal | None:
    jitter = random.uniform(*_CAP_WAIT_SECONDS)  # noqa: S311 - spreading load, not secrecy
    if gate.wait_seconds > 0:
        return Refusal(why="breaker", wait_seconds=gate.wait_seconds + jitter)
    found = await pool.rows(
        connection, "SELECT count(*) AS held FROM submissions WHERE state = 'creating' AND lease_expires_at > now()"
    )
    return Refusal(why="cap", wait_seconds=jitter) if found[0]["held"] >= concurrency else None


_CLAIM: Final = moves.query(
    f"""{moves.LEASE}, create_attempts = s.create_attempts + 1, marker = coalesce(s.marker, %(marker)s),
    send_deadline_at = now() + %(send_deadline)s * interval '1 second'""",
    guard="AND (next_attempt_at IS NULL OR next_attempt_at <= now())",
)


async def free_id(connection: pool.Connection, upstream_id: cakes.CakeId, *, keeper: UUID) -> None:
    """An id that the upstream gives again was freed behind our back: whoever had it before is marked deleted.

    A `keeper` that is itself deleted by now, before its own answer came, takes the id from nobody.
    """
    await connection.execute(
        b"UPDATE submissions SET deleted_at = now(), updated_at = now()"
        b" WHERE upstream_id = %(upstream_id)s AND deleted_at IS NULL AND id <> %(id)s"
        b" AND EXISTS (SELECT FROM submissions WHERE id = %(id)s AND deleted_at IS NULL)",
        {"upstream_id": upstream_id, "id": keeper},
    )


async def settle_created(
    db: pool.Database,
    held: submissions.Submission,
    *,
    upstream_id: cakes.CakeId,
    cake: dict[str, Any],
    status: int | None,
    actor: str,
    timings: dict[str, float],
) -> submissions.Submission:
    """The upstream has the cake. `cake` is its item in public form.

    The upstream may give the id of a cake that others deleted behind our back: that cake's row is marked deleted.

    Raises:
        LeaseLost: the submission is not ours any more.
    """
    async with db.transaction() as connection:
        await free_id(connection, upstream_id, keeper=held.id)
        moved = await moves.move(
            connection,
            held.id,
            State.CREATING,
            State.CREATED,
            _SETTLE_CREATED,
            token=held.lease_token,
            actor=actor,
            upstream_id=upstream_id,
            cake=cake,
            status=status,
            timings=timings,
        )
        if moved is None:
            raise errors.LeaseLost(held.id)
    return moved


_SETTLE_CREATED: Final = moves.query(f"""
    {moves.UNLEASED}, {moves.TIMED}, upstream_id = %(upstream_id)s, cake = %(cake)s,
    upstream_status = %(status)s, next_attempt_at = NULL, settled_at = now()
""")


async def settle_refused(
    db: pool.Database,
    held: submissions.Submission,
    *,
    status: int | None,
    detail: str,
    actor: str,
    timings: dict[str, float],
) -> submissions.Submission:
    """The upstream refused the cake for good: `failed`. Raises `LeaseLost`."""
    return await moves.held_move(
        db, held, State.CREATING, State.FAILED, _SETTLE_ANSWERED, reason=submissions.Reason.UPSTREAM_REFUSED,
        detail=detail, actor=actor, status=status, timings=timings,
    )  # fmt: skip


async def settle_uncertain(
    db: pool.Database,
    held: submissions.Submission,
    *,
    status: int | None,
    detail: str,
    actor: str,
    timings: dict[str, float],
) -> submissions.Submission:
    """The create was sent and nobody knows what became of it: parked as `uncertain`. Raises `LeaseLost`."""
    return await moves.held_move(
        db, held, State.CREATING, State.UNCERTAIN, _SETTLE_UNKNOWN, reason=submissions.Reason.UPSTREAM_UNCERTAIN,
        detail=detail, actor=actor, status=status, timings=timings,
    )  # fmt: skip


_SETTLE_ANSWERED: Final = moves.query(
    f"{moves.UNLEASED}, {moves.TIMED}, upstream_status = %(status)s, next_attempt_at = NULL, settled_at = now()"
)
_SETTLE_UNKNOWN: Final = moves.query(
    f"{moves.UNLEASED}, {moves.TIMED}, upstream_status = %(status)s, next_attempt_at = NULL,"
    " needs_person = (marker IS NULL)"
)


async def give_back(
    db: pool.Database, held: submissions.Submission, *, wait_seconds: float, detail: str | None, actor: str
) -> submissions.Submission:
    """Nothing was sent: back to `accepted`, to be tried again after `wait_seconds`. Raises `LeaseLost`."""
    return await moves.held_move(
        db, held, State.CREATING, State.ACCEPTED, _GIVE_BACK, detail=detail, actor=actor, wait_seconds=wait_seconds
    )


_GIVE_BACK: Final = moves.query(f"{moves.UNLEASED}, {moves.WAITS}")
