"""What became of creates that nobody could be sure of: settled by what is found upstream under their marker."""

from typing import Any, Final
from uuid import UUID

from cakegate.adapters.store import creating, moves, pool
from cakegate.domain import cakes, submissions
from cakegate.domain.submissions import State


async def markers(db: pool.Database, *, limit: int) -> dict[str, UUID]:
    """The markers of uncertain submissions, oldest first, and whose they are."""
    found = await db.fetch(
        "SELECT marker, id FROM submissions WHERE state = 'uncertain' AND marker IS NOT NULL"
        " ORDER BY created_at LIMIT %(limit)s",
        {"limit": limit},
    )
    return {row["marker"]: row["id"] for row in found}


async def settle_found(
    db: pool.Database, submission_id: UUID, *, upstream_id: cakes.CakeId, cake: dict[str, Any], actor: str
) -> submissions.Submission | None:
    """The upstream has the cake: `created`. None when somebody settled the submission before."""
    async with db.transaction() as connection:
        await creating.free_id(connection, upstream_id, keeper=submission_id)
        return await moves.move(
            connection,
            submission_id,
            State.UNCERTAIN,
            State.CREATED,
            _FOUND,
            actor=actor,
            note="found by its marker",
            upstream_id=upstream_id,
            cake=cake,
        )


_FOUND: Final = moves.query("""
    upstream_id = %(upstream_id)s, cake = %(cake)s, needs_person = false, next_attempt_at = NULL,
    settled_at = now()
""")
