"""A person's word: on what waits in review, on what nobody can know, and on what failed and shall be tried again."""

from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg

from cakegate.adapters.store import moves, pool, settling
from cakegate.adapters.store.submissions import get
from cakegate.domain import cakes, errors, submissions
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
    return await _moved(
        db, submission_id, State.REVIEW, target, _DECIDE[target],
        actor=actor, note=note, reason=reason, wait_seconds=0,
    )  # fmt: skip


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
        IllegalTransition: it has not failed (any more), or it was given up while it may have been created.
    """
    row = await db.fetch_one(
        "SELECT accepted_at IS NOT NULL AS judged, reason FROM submissions WHERE id = %(id)s", {"id": submission_id}
    )
    if row is not None and row["reason"] == submissions.Reason.UPSTREAM_UNCERTAIN:
        raise errors.IllegalTransition(f"Submission {submission_id} may have been created: submit the cake anew.")
    target = State.ACCEPTED if row is not None and row["judged"] else State.PENDING
    return await _moved(
        db, submission_id, State.FAILED, target, _REPLAY, actor=actor, note=note, wait_seconds=0
    )  # fmt: skip


_REPLAY: Final = moves.query(f"""
    {moves.WAITS}, fetch_attempts = 0, first_fetch_at = NULL, decoder_deaths = 0, absences = 0,
    settled_at = NULL
""")


async def say_created(
    db: pool.Database, submission_id: UUID, *, cake_id: cakes.CakeId | None, actor: str, note: str | None = None
) -> submissions.Submission:
    """A person knows that an uncertain submission was created: as `cake_id`, else as the cake proposed for it.

    Raises:
        SubmissionNotFound: there is no such submission.
        IllegalTransition: it is not uncertain (any more), no cake is named or proposed, or it is another submission's.
    """
    found = await get(db, submission_id)
    proposed = await settling.proposal(db, submission_id)
    if proposed is not None and cake_id in {None, proposed.cake_id}:
        named, item = proposed.cake_id, proposed.item
    elif cake_id is not None:
        named, item = cakes.check_id(cake_id), {"id": cake_id, **msgspec.to_builtins(found.draft)}
    else:
        raise errors.IllegalTransition(f"No cake is proposed for submission {submission_id}: name one.")
    try:
        return await _moved(
            db, submission_id, State.UNCERTAIN, State.CREATED, _SAY_CREATED,
            actor=actor, note=note, upstream_id=named, cake=item,
        )  # fmt: skip
    except psycopg.errors.UniqueViolation as error:
        raise errors.IllegalTransition(f"Cake {named} is another submission's.") from error


async def say_absent(
    db: pool.Database, submission_id: UUID, *, write_max_seconds: float, actor: str, note: str | None = None
) -> submissions.Submission:
    """A person knows that nothing was created: `accepted`, to be sent again.

    Raises:
        SubmissionNotFound: there is no such submission.
        IllegalTransition: it is not uncertain (any more), or what was sent may still arrive.
    """
    return await _moved(
        db, submission_id, State.UNCERTAIN, State.ACCEPTED, _SAY_ABSENT,
        actor=actor, note=note, wait_seconds=0, write_max=write_max_seconds,
    )  # fmt: skip


async def give_up(
    db: pool.Database, submission_id: UUID, *, actor: str, note: str | None = None
) -> submissions.Submission:
    """A person gives an uncertain submission up, as it is: `failed`, and it may have been created.

    Raises:
        SubmissionNotFound: there is no such submission.
        IllegalTransition: it is not uncertain (any more).
    """
    return await _moved(
        db, submission_id, State.UNCERTAIN, State.FAILED, _GIVE_UP,
        actor=actor, note=note, reason=submissions.Reason.UPSTREAM_UNCERTAIN, detail="given up by a person",
    )  # fmt: skip


_SAID: Final = {State.REVIEW: "in review", State.FAILED: "failed", State.UNCERTAIN: "uncertain"}


async def _moved(
    db: pool.Database,
    submission_id: UUID,
    origin: State,
    target: State,
    statement: str,
    *,
    actor: str,
    **parameters: Any,
) -> submissions.Submission:
    """Carry out a person's word; where it came too late, or too early, say how the submission stands."""
    async with db.connection() as connection:
        moved = await moves.move(
            connection, submission_id, origin, target, statement, actor=f"person:{actor}", **parameters
        )
    if moved is not None:
        return moved
    found = await get(db, submission_id)
    if found.state is origin is State.UNCERTAIN:
        raise errors.IllegalTransition("What was sent may still arrive: wait until that is over.")
    raise errors.IllegalTransition(f"Submission {submission_id} is {found.state.value}, not {_SAID[origin]}.")


_RESOLVED: Final = "needs_person = false, settled_at = now(), next_attempt_at = NULL"
#: What was proposed for an attempt is no answer to the next, and may be another submission's.
_NO_PROPOSAL: Final = "DELETE FROM proposals USING s WHERE submission_id = s.id"
_SAY_CREATED: Final = moves.query(f"{_RESOLVED}, upstream_id = %(upstream_id)s, cake = %(cake)s", also=(_NO_PROPOSAL,))
_SAY_ABSENT: Final = moves.query(
    # Of a row without a marker this says that it was looked for: the next attempt was not.
    f"{moves.WAITS}, needs_person = false, absences = CASE WHEN s.marker IS NULL THEN 0 ELSE s.absences END",
    guard="AND send_deadline_at + %(write_max)s * interval '1 second' < clock_timestamp()",
    also=(_NO_PROPOSAL,),
)
_GIVE_UP: Final = moves.query(_RESOLVED, also=(_NO_PROPOSAL,))
