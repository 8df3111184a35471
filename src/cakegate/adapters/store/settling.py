"""What became of creates that nobody could be sure of: settled by what complete scans find upstream, or do not.

A proof belongs to one attempt. Every statement that rests on an absence is guarded by the number of the attempt whose
absence was proved: a scheduler that was stopped between its proof and its word finds the row moved on.
"""

from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from cakegate.adapters.store import creating, moves, pool
from cakegate.domain import cakes, submissions
from cakegate.domain.submissions import State

#: Proved absent this often, a cake that the upstream takes and does not keep is given up.
_ABSENCES_TO_FAIL: Final = 3


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """An uncertain submission that a scan can help. Without a `marker`, only by what looks like its `draft`.

    `ripe`: whatever was sent is done or dropped by now, so that a scan that begins now may prove an absence.
    """

    id: UUID
    marker: str | None
    draft: cakes.CakeDraft
    attempt: int
    ripe: bool


async def parked(db: pool.Database, *, limit: int, write_max_seconds: float) -> list[Parked]:
    """Uncertain submissions, oldest first, but those without a marker that were looked for: a person's, by now."""
    found = await db.fetch(
        """
        SELECT id, marker, name, comment, image_url, yum_factor, create_attempts AS attempt,
               send_deadline_at + %(write_max)s * interval '1 second' < clock_timestamp() AS ripe
        FROM submissions s
        WHERE state = 'uncertain' AND send_deadline_at IS NOT NULL AND (
            marker IS NOT NULL
            OR absences = 0 AND NOT EXISTS (SELECT FROM proposals p WHERE p.submission_id = s.id))
        ORDER BY created_at LIMIT %(limit)s
        """,
        {"limit": limit, "write_max": write_max_seconds},
    )
    drafted = ("name", "comment", "image_url", "yum_factor")
    return [
        Parked(
            draft=cakes.CakeDraft(**{name: row[name] for name in drafted}),
            **{name: value for name, value in row.items() if name not in drafted},
        )
        for row in found
    ]


async def living(db: pool.Database, *, limit: int = 20) -> set[str]:
    """Markers of the cakes created last that nobody deleted through us: what a scan must see to prove anything."""
    found = await db.fetch(
        "SELECT marker FROM submissions WHERE state = 'created' AND marker IS NOT NULL AND deleted_at IS NULL"
        " ORDER BY settled_at DESC LIMIT %(limit)s",
        {"limit": limit},
    )
    return {row["marker"] for row in found}


async def settle_found(
    db: pool.Database, submission_id: UUID, *, upstream_id: cakes.CakeId, cake: dict[str, Any], actor: str
) -> submissions.Submission | None:
    """The upstream has the cake: `created`. None when somebody settled the submission before."""
    async with db.transaction() as connection:
        await creating.free_id(connection, upstream_id, keeper=submission_id)
        return await _created(
            connection, submission_id, upstream_id=upstream_id, cake=cake, actor=actor, note="found by its marker"
        )


async def settle_absent(
    db: pool.Database, row: Parked, *, image_url_field: str, actor: str
) -> submissions.Submission | None:
    """Two complete scans did not find what this attempt sent; None when somebody settled the submission before.

    - A DELETE of its marker is on record: whoever asked for it read the cake, so it was `created`, and is gone.
    - Else nothing was created: `accepted`, to be sent again under the same marker; the third time `failed`.
    """
    async with db.transaction() as connection:
        found = await pool.rows(
            connection,
            "SELECT absences FROM submissions WHERE id = %(id)s AND state = 'uncertain'"
            " AND create_attempts = %(attempt)s FOR UPDATE",
            {"id": row.id, "attempt": row.attempt},
        )
        if not found:
            return None
        deleted = await pool.rows(
            connection,
            "SELECT cake_id, item, requested_at FROM deletions WHERE marker = %(marker)s ORDER BY id DESC LIMIT 1",
            {"marker": row.marker},
        )
        if deleted:
            return await _deleted(connection, row.id, deleted[0], image_url_field=image_url_field, actor=actor)
        last = found[0]["absences"] + 1 >= _ABSENCES_TO_FAIL
        return await moves.move(
            connection,
            row.id,
            State.UNCERTAIN,
            State.FAILED if last else State.ACCEPTED,
            _ABSENT_AGAIN if last else _ABSENT,
            reason=submissions.Reason.UPSTREAM_ABSENT if last else None,
            actor=actor,
            note="proved absent by two scans",
            wait_seconds=0,
        )


async def _deleted(
    connection: pool.Connection, submission_id: UUID, record: Any, *, image_url_field: str, actor: str
) -> submissions.Submission | None:
    await connection.execute(
        b"UPDATE submissions SET deleted_at = coalesce(deleted_at, %(at)s) WHERE id = %(id)s",
        {"id": submission_id, "at": record["requested_at"]},
    )
    item = record["item"]
    return await _created(
        connection,
        submission_id,
        upstream_id=record["cake_id"],
        cake=None if item is None else cakes.public(item, image_url_field=image_url_field),
        actor=actor,
        note="deleted through us before it was found",
    )


async def _created(
    connection: pool.Connection,
    submission_id: UUID,
    *,
    upstream_id: cakes.CakeId,
    cake: dict[str, Any] | None,
    actor: str,
    note: str | None,
) -> submissions.Submission | None:
    return await moves.move(
        connection, submission_id, State.UNCERTAIN, State.CREATED, _CREATED,
        actor=actor, note=note, upstream_id=upstream_id, cake=cake,
    )  # fmt: skip


_CREATED: Final = moves.query("""
    upstream_id = %(upstream_id)s, cake = %(cake)s, needs_person = false, next_attempt_at = NULL,
    settled_at = now()
""")
_ABSENT: Final = moves.query(f"{moves.WAITS}, absences = s.absences + 1, needs_person = false")
_ABSENT_AGAIN: Final = moves.query(
    f"{moves.WAITS}, absences = s.absences + 1, needs_person = false, settled_at = now()"
)


async def propose(db: pool.Database, row: Parked, cake: cakes.StoredCake) -> bool:
    """Put a cake that looks like an unmarked create before a person; False where it is another's already."""
    found = await db.fetch_one(
        """
        INSERT INTO proposals (submission_id, cake_id, item)
        SELECT %(id)s, %(cake_id)s, %(item)s
        WHERE EXISTS (SELECT FROM submissions WHERE id = %(id)s AND state = 'uncertain')
          AND NOT EXISTS (SELECT FROM submissions WHERE upstream_id = %(cake_id)s AND deleted_at IS NULL)
        ON CONFLICT DO NOTHING
        RETURNING cake_id
        """,
        {"id": row.id, "cake_id": cake.id, "item": Jsonb(cake.item)},
    )
    return found is not None


async def looked_for(db: pool.Database, row: Parked) -> None:
    """Two complete scans found nothing that looks like an unmarked create: said so, for the person who decides."""
    await db.execute(
        "UPDATE submissions SET absences = 1, updated_at = now(), detail = 'no cake like it was found upstream'"
        " WHERE id = %(id)s AND state = 'uncertain' AND create_attempts = %(attempt)s"
        " AND NOT EXISTS (SELECT FROM proposals WHERE submission_id = %(id)s)",
        {"id": row.id, "attempt": row.attempt},
    )


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A cake upstream, the whole item, that may be what an unmarked create made."""

    cake_id: cakes.CakeId
    item: dict[str, Any]


async def proposal(db: pool.Database, submission_id: UUID) -> Proposal | None:
    """What was found for a person to look at."""
    row = await db.fetch_one("SELECT cake_id, item FROM proposals WHERE submission_id = %(id)s", {"id": submission_id})
    return Proposal(**row) if row else None
