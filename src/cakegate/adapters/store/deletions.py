"""Every DELETE that came through us leaves a record, also one that never reached the upstream."""

import enum
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from cakegate.adapters.store import pool
from cakegate.domain import cakes


class Outcome(enum.StrEnum):
    """What became of a DELETE. `requested` and `uncertain` last until the scheduler has asked for the cake."""

    REQUESTED = "requested"
    DELETED = "deleted"
    ABSENT = "absent"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNCERTAIN = "uncertain"


async def record(
    db: pool.Database,
    cake_id: cakes.CakeId,
    *,
    marker: str | None = None,
    item: dict[str, Any] | None = None,
    request_id: str | None = None,
    outcome: Outcome = Outcome.REQUESTED,
) -> int:
    """Write the record before the DELETE is sent; returns its number. `item` is the cake as it was read, if it was."""
    row = await db.fetch_one(
        """
        INSERT INTO deletions (cake_id, marker, item, submission_id, request_id, outcome, settled_at)
        VALUES (%(cake_id)s, %(marker)s, %(item)s,
                (SELECT id FROM submissions WHERE marker = %(marker)s), %(request_id)s, %(outcome)s,
                CASE WHEN %(outcome)s <> 'requested' THEN now() END)
        RETURNING id
        """,
        {
            "cake_id": cake_id,
            "marker": marker,
            "item": None if item is None else Jsonb(item),
            "request_id": request_id,
            "outcome": outcome.value,
        },
    )
    assert row is not None
    return int(row["id"])


async def settle(db: pool.Database, record_id: int, outcome: Outcome, *, status: int | None = None) -> None:
    """Write what became of it; a cake that is gone is marked so on its submission, in the same transaction."""
    async with db.transaction() as connection:
        found = await pool.rows(
            connection,
            "UPDATE deletions SET outcome = %(outcome)s, upstream_status = %(status)s, settled_at = now()"
            " WHERE id = %(id)s RETURNING cake_id, marker",
            {"id": record_id, "outcome": outcome.value, "status": status},
        )
        if found and outcome in {Outcome.DELETED, Outcome.ABSENT}:
            # By marker where the cake carries one, in any state: its create's answer may still be on its way to us, and
            # waiting here for whoever settles it is what keeps the mark. A cake without is known by its id alone.
            await connection.execute(
                b"UPDATE submissions SET deleted_at = now(), updated_at = now() WHERE deleted_at IS NULL AND"
                b" (marker = %(marker)s OR (%(marker)s::text IS NULL AND upstream_id = %(cake_id)s))",
                {"marker": found[0]["marker"], "cake_id": found[0]["cake_id"]},
            )


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """One record."""

    id: int
    cake_id: cakes.CakeId
    marker: str | None
    submission_id: UUID | None
    outcome: Outcome
    upstream_status: int | None


async def open_since(db: pool.Database, *, seconds: float, after: int, limit: int) -> list[Deletion]:
    """Records older than `seconds` of DELETEs of which nobody knows what became, by number, from `after` on."""
    found = await db.fetch(
        f"SELECT {_COLUMNS} FROM deletions WHERE outcome IN ('requested', 'uncertain')"
        " AND requested_at < now() - %(seconds)s * interval '1 second' AND id > %(after)s"
        " ORDER BY id LIMIT %(limit)s",
        {"seconds": seconds, "after": after, "limit": limit},
    )
    return [_from_row(row) for row in found]


async def newest(db: pool.Database, *, limit: int = 50) -> list[Deletion]:
    """The newest records first."""
    found = await db.fetch(f"SELECT {_COLUMNS} FROM deletions ORDER BY id DESC LIMIT %(limit)s", {"limit": limit})
    return [_from_row(row) for row in found]


_COLUMNS: Final = "id, cake_id, marker, submission_id, outcome, upstream_status"


def _from_row(row: DictRow) -> Deletion:
    return Deletion(**{**row, "outcome": Outcome(row["outcome"])})
