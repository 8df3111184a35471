"""A person's word on what waits in review."""

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
