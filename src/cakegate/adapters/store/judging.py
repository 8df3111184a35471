"""Judging: claim, and every way in which it can end."""

import math
import uuid
from typing import Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from cakegate.adapters.store import moves, pool
from cakegate.domain import submissions, verdicts
from cakegate.domain.submissions import State


async def claim(
    db: pool.Database, submission_id: UUID, *, lease_seconds: float, holder: str
) -> submissions.Submission | None:
    """Take a pending submission under a lease; None when it is not pending, or not yet due."""
    async with db.connection() as connection:
        return await moves.move(
            connection,
            submission_id,
            State.PENDING,
            State.JUDGING,
            _CLAIM,
            new_token=uuid.uuid4(),
            lease_seconds=lease_seconds,
            actor=holder,
        )


_CLAIM: Final = moves.query(moves.LEASE, guard="AND (next_attempt_at IS NULL OR next_attempt_at <= now())")


async def settle_verdict(
    db: pool.Database,
    held: submissions.Submission,
    *,
    verdict: verdicts.Verdict,
    picture: submissions.Picture,
    actor: str,
    timings: dict[str, float],
    outcome: verdicts.Outcome | None = None,
    sampled: bool = False,
) -> submissions.Submission:
    """Write the verdict and what follows from it, in one statement. An accepted one counts as enqueued on `create`.

    `outcome` is what follows; by default what the verdict's own decision says. `sampled`: if it is accepted, people
    shall be shown it.

    Raises:
        LeaseLost: the submission is not ours any more; nothing is written.
    """
    follows = outcome or verdicts.Outcome(decision=verdict.decision)
    target, reason = submissions.after_verdict(follows)
    moved = await moves.held_move(
        db,
        held,
        State.JUDGING,
        target,
        _SETTLE_VERDICT[target],
        reason=reason,
        detail=follows.detail,
        actor=actor,
        timings=timings,
        sampled=sampled,
        sha256=picture.sha256,
        size_bytes=picture.size_bytes,
        format=picture.format,
        width=picture.width,
        height=picture.height,
        role="primary",
        score=verdict.score,
        decision=verdict.decision,
        accept=verdict.thresholds.accept,
        review=verdict.thresholds.review,
        model_name=verdict.model.name,
        model_version=verdict.model.version,
        model_sha256=verdict.model.sha256,
        labels=labels_as_json(verdict),
    )
    return msgspec.structs.replace(moved, verdict=verdict)


def labels_as_json(verdict: verdicts.Verdict) -> Jsonb:
    """A verdict's labels as they are read again; JSON has no word for a score that is not a number: it is left out."""
    return Jsonb(msgspec.to_builtins([each for each in verdict.labels if not math.isnan(each.score)]))


_PICTURE_SETS: Final = f"""
    {moves.UNLEASED}, {moves.TIMED}, judged_at = now(), image_sha256 = %(sha256)s, image_bytes = %(size_bytes)s,
    image_format = %(format)s, image_width = %(width)s, image_height = %(height)s
"""
_VERDICT: Final = """
    INSERT INTO verdicts (submission_id, role, score, decision, accept_threshold, review_threshold,
                          model_name, model_version, model_sha256, labels)
    SELECT id, %(role)s, %(score)s, %(decision)s, %(accept)s, %(review)s,
           %(model_name)s, %(model_version)s, %(model_sha256)s, %(labels)s FROM s
"""
_SAMPLE: Final = "INSERT INTO samples (submission_id) SELECT id FROM s WHERE %(sampled)s ON CONFLICT DO NOTHING"
_SETTLE_VERDICT: Final = {
    State.ACCEPTED: moves.query(f"{_PICTURE_SETS}, {moves.ON_QUEUE}, accepted_at = now()", also=(_VERDICT, _SAMPLE)),
    State.REVIEW: moves.query(f"{_PICTURE_SETS}, next_attempt_at = NULL", also=(_VERDICT,)),
    State.REJECTED: moves.query(f"{_PICTURE_SETS}, next_attempt_at = NULL, settled_at = now()", also=(_VERDICT,)),
}


async def settle_unusable(
    db: pool.Database,
    held: submissions.Submission,
    *,
    target: State,
    reason: submissions.Reason,
    detail: str,
    actor: str,
    timings: dict[str, float],
) -> submissions.Submission:
    """End a submission whose picture cannot be judged: `rejected` for a final fact, `failed` for lasting trouble.

    Raises:
        LeaseLost: the submission is not ours any more.
    """
    return await moves.held_move(
        db, held, State.JUDGING, target, _END_UNUSABLE,
        reason=reason, detail=detail, actor=actor, timings=timings,
    )  # fmt: skip


_END_UNUSABLE: Final = moves.query(f"{moves.UNLEASED}, {moves.TIMED}, next_attempt_at = NULL, settled_at = now()")


async def release(
    db: pool.Database,
    held: submissions.Submission,
    *,
    wait_seconds: float,
    detail: str | None,
    actor: str,
    fetch_failed: bool = False,
    decoder_died: bool = False,
) -> submissions.Submission:
    """Give a submission that is being judged back to `pending`, to be tried again after `wait_seconds`.

    `fetch_failed` and `decoder_died` count against its attempts; a worker that only stops counts against nobody.

    Raises:
        LeaseLost: the submission is not ours any more.
    """
    return await moves.held_move(
        db, held, State.JUDGING, State.PENDING, _RELEASE,
        detail=detail, actor=actor, wait_seconds=wait_seconds, fetches=int(fetch_failed), deaths=int(decoder_died),
    )  # fmt: skip


_RELEASE: Final = moves.query(f"""
    {moves.UNLEASED}, {moves.WAITS}, fetch_attempts = fetch_attempts + %(fetches)s,
    first_fetch_at = CASE WHEN %(fetches)s > 0 THEN coalesce(first_fetch_at, now()) ELSE first_fetch_at END,
    decoder_deaths = decoder_deaths + %(deaths)s
""")


async def put_off(
    db: pool.Database,
    held: submissions.Submission,
    *,
    base_seconds: float,
    max_seconds: float,
    detail: str,
    actor: str,
) -> submissions.Submission:
    """Give back a submission whose judging broke off for a reason that nobody expected: likely a fault of ours.

    It counts against nobody, so it does not end either; the pause doubles with each time that it, or its lease, was
    lost, from `base_seconds` to `max_seconds`.

    Raises:
        LeaseLost: the submission is not ours any more.
    """
    return await moves.held_move(
        db, held, State.JUDGING, State.PENDING, _PUT_OFF,
        detail=detail, note=moves.BROKE_OFF, actor=actor, base_seconds=base_seconds, max_seconds=max_seconds,
    )  # fmt: skip


_PUT_OFF: Final = moves.query(f"""
    {moves.UNLEASED}, enqueued_at = NULL, enqueue_count = 0, next_attempt_at = now() + interval '1 second'
        * least(%(max_seconds)s, %(base_seconds)s * power(2, least({moves.LOSSES}, 30)))
""")
