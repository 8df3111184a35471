"""A person's word: on what waits in review, and on what failed and shall be tried again."""

from typing import Final
from uuid import UUID

from cakegate.adapters.store import moves, pool
from cakegate.adapters.store.submissions import get
from cakegate.domain import errors, submissions
from cakegate.domain.submissions import State


async def decide(
    db: pool.Database, submission_id: UUID, *, target: State, actor: str, note: str | None = None
) -> submissions.Submission:
    """A person's word on a submission in review: `accepted` (it waits for the writer) or `rejected`.

    Raises:
        SubmissionNotFound: there is no such submission.
        IllegalTransition: it is not in review (any more).
    """
    reason = submissions.Reason.REJECTED_BY_PERSON if target is State.REJECTED else None
    async with db.connection() as connection:
        moved = await moves.move(
            connection, submission_id, State.REVIEW, target, _DECIDE[target],
            reason=reason, actor=f"person:{actor}", note=note, wait_seconds=0,
        )  # fmt: skip
    if moved is None:
        found = await get(db, submission_id)
        raise errors.IllegalTransition(f"Submission {submission_id} is {found.state.value}, not in review.")
    return moved


_DECIDE: Final = {
    State.ACCEPTED: moves.query(f"{moves.WAITS}, accepted_at = now()"),
    State.REJECTED: moves.query("settled_at = now()"),
}


async def replay(
    db: pool.Database, submission_id: UUID, *, actor: str, note: str | None = None
) -> submissions.Submission:
    """Try a failed submission again, from where it failed: the judging, or the creating of what was accepted.

    What was counted against it is forgotten; its marker, if it has one, stays.

    Raises:
        SubmissionNotFound: there is no such submission.
        IllegalTransition: it has not failed (any more).
    """
    row = await db.fetch_one(
        "SELECT accepted_at IS NOT NULL AS judged FROM submissions WHERE id = %(id)s", {"id": submission_id}
    )
    target = State.ACCEPTED if row is not None and row["judged"] else State.PENDING
    async with db.connection() as connection:
        moved = await moves.move(
            connection, submission_id, State.FAILED, target, _REPLAY, actor=f"person:{actor}", note=note, wait_seconds=0
        )
    if moved is None:
        found = await get(db, submission_id)
        raise errors.IllegalTransition(f"Submission {submission_id} is {found.state.value}, not failed.")
    return moved


_REPLAY: Final = moves.query(f"""
    {moves.WAITS}, fetch_attempts = 0, first_fetch_at = NULL, decoder_deaths = 0, settled_at = NULL
""")
