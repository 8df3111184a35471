"""How a submission moves: every transition is one UPDATE guarded by the expected state and lease token.

Zero rows means that somebody else owns it now. The same statement writes the step into `transitions`. Postgres's
clock is the only one that leases are measured by. Used by `judging`, `creating`, `reviewing` and `sweeping`.
"""

import enum
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from cakegate.adapters.store import pool
from cakegate.adapters.store.submissions import PLAIN, PLAIN_NAMES, from_row
from cakegate.domain import errors, submissions
from cakegate.domain.submissions import State


def query(sets: str, *, guard: str = "", also: Sequence[str] = ()) -> str:
    """The one shape of a transition: a guarded UPDATE of `s`, its line in `transitions`, the row as it is now.

    Leaving a leased state drops the lease; `sets` gives it a new one. `also` are statements that happen if the move
    does, and may select from `s`. Parameters: id, origin, target, token, reason, detail, actor, note, and those of
    `sets`, `guard` and `also`.
    """
    more = "".join(f", also_{place} AS ({statement})" for place, statement in enumerate(also))
    return f"""
    WITH s AS (
        UPDATE submissions s SET
            state = %(target)s, reason = %(reason)s, detail = %(detail)s, updated_at = now(), {sets}
        WHERE id = %(id)s AND state = %(origin)s AND lease_token IS NOT DISTINCT FROM %(token)s {guard}
        RETURNING *
    ), noted AS (
        INSERT INTO transitions (submission_id, origin, target, reason, actor, note)
        SELECT id, %(origin)s, %(target)s, %(reason)s, %(actor)s, %(note)s FROM s
    ){more}
    SELECT {PLAIN} FROM s
    """


UNLEASED: Final = "lease_token = NULL, lease_expires_at = NULL, lease_holder = NULL"
#: It goes on a queue right after this statement, by whoever ran it.
ON_QUEUE: Final = "next_attempt_at = NULL, enqueued_at = now(), enqueue_count = 1"
#: It waits in Postgres until its time; then the sweeper enqueues it.
WAITS: Final = "next_attempt_at = now() + %(wait_seconds)s * interval '1 second', enqueued_at = NULL, enqueue_count = 0"
#: Notes of steps back to `pending` that nobody is to blame for.
LEASE_RAN_OUT: Final = "the lease ran out"
BROKE_OFF: Final = "the flow broke off"
#: How often a row was taken to be judged and given back like that. Attempts that count against the picture are columns;
#: this is looked up only when it happens again.
LOSSES: Final = f"""(
    SELECT count(*) FROM transitions t WHERE t.submission_id = s.id
      AND t.origin = 'judging' AND t.target = 'pending' AND t.note IN ('{LEASE_RAN_OUT}', '{BROKE_OFF}')
)"""
TIMED: Final = "timings = timings || %(timings)s"


async def move(
    connection: pool.Connection, submission_id: UUID, origin: State, target: State, statement: str, **parameters: Any
) -> submissions.Submission | None:
    """Run a `query`; None when nothing was in that state under that token. Checks the state table first."""
    submissions.check_transition(origin, target)
    given = {"token": None, "reason": None, "detail": None, "note": None, **parameters}
    values = {name: as_sql(value) for name, value in given.items()}
    values |= {"id": submission_id, "origin": origin.value, "target": target.value}
    # By position: that the columns are `PLAIN`'s is known, and their names need not be read out of each answer.
    async with connection.cursor(row_factory=tuple_row) as cursor:
        found = await (await cursor.execute(statement.encode(), values)).fetchone()
    return from_row(dict(zip(PLAIN_NAMES, found, strict=True))) if found else None


def as_sql(value: Any) -> Any:
    """Psycopg writes an enum by its name, where the schema knows values; and a dict not at all, where we mean JSON.

    Text of strangers may hold what Postgres's cannot, a NUL or half a character: the step is worth more than that.
    """
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return Jsonb(value) if isinstance(value, dict) else value


LEASE: Final = """
    lease_token = %(new_token)s, lease_expires_at = now() + %(lease_seconds)s * interval '1 second',
    lease_holder = %(actor)s
"""


async def held_move(
    db: pool.Database,
    held: submissions.Submission,
    origin: State,
    target: State,
    statement: str,
    **parameters: Any,
) -> submissions.Submission:
    """`move` what the caller holds a lease on. Raises `LeaseLost`."""
    async with db.connection() as connection:
        moved = await move(connection, held.id, origin, target, statement, token=held.lease_token, **parameters)
    if moved is None:
        raise errors.LeaseLost(held.id)
    return moved
