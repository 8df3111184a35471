"""What clients get: submissions, verdicts and the answer to a POST, from what Postgres holds."""

from datetime import datetime
from typing import Any, Final

import msgspec
from litestar import Response

from cakegate.domain import submissions
from cakegate.domain.submissions import Reason, State
from cakegate.gateway import problems

_RETRY_SECONDS: Final = {State.REVIEW: 3600, State.UNCERTAIN: 60, State.ACCEPTED: 5, State.CREATING: 2}
_BY_PICTURE: Final = "The picture cannot be used"


class VerdictView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a model said: `score` from 0 to 1, and which model it was."""

    score: float
    decision: str
    accept_threshold: float
    review_threshold: float
    model: str
    model_version: str
    model_sha256: str


class SubmissionView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A submission as its client sees it. `reason` is coarse on purpose; `cake` is there when it was created."""

    id: str
    state: str
    created_at: datetime
    updated_at: datetime
    name: str
    comment: str
    image_url: str
    yum_factor: int
    reason: str | None = None
    verdict: VerdictView | None = None
    cake: dict[str, Any] | None = None
    cake_url: str | None = None
    deleted_at: datetime | None = None


def address(found: submissions.Submission) -> str:
    """Where a submission is looked at."""
    return f"/api/submissions/{found.id}"


def coarse(reason: Reason | None) -> str | None:
    """All that a client learns of a reason."""
    if reason is None:
        return None
    about_picture = submissions.UNUSABLE.get(reason)
    return f"image-{about_picture.value}" if about_picture else reason.value


def verdict(found: submissions.Submission) -> VerdictView | None:
    """The verdict that counts, if there is one."""
    given = found.verdict
    if given is None:
        return None
    return VerdictView(
        score=round(given.score, 4),
        decision=given.decision.value,
        accept_threshold=given.thresholds.accept,
        review_threshold=given.thresholds.review,
        model=given.model.name,
        model_version=given.model.version,
        model_sha256=given.model.sha256,
    )


def submission(found: submissions.Submission) -> SubmissionView:
    """The whole view."""
    return SubmissionView(
        id=str(found.id),
        state=found.state.value,
        created_at=found.created_at,
        updated_at=found.updated_at,
        name=found.draft.name,
        comment=found.draft.comment,
        image_url=found.draft.image_url,
        yum_factor=found.draft.yum_factor,
        reason=coarse(found.reason),
        verdict=verdict(found),
        cake=found.cake,
        cake_url=f"/api/cakes/{found.upstream_id}" if found.upstream_id and found.deleted_at is None else None,
        deleted_at=found.deleted_at,
    )


def answer(found: submissions.Submission, *, preference: str | None = None) -> Response[Any]:
    """The answer to the POST that made a submission, or that repeats its Idempotency-Key."""
    headers = {"Link": f'<{address(found)}>; rel="monitor"'}
    if preference:
        headers["Preference-Applied"] = preference
    if found.state is State.CREATED:
        headers["Location"] = f"/api/cakes/{found.upstream_id}"
        return Response(found.cake, status_code=201, headers=headers)
    if found.state is State.REJECTED:
        return problems.respond(_rejected(found), headers)
    if found.state is State.FAILED:
        detail = f"The submission failed: {coarse(found.reason)}."
        return problems.respond(
            problems.problem("submission-failed", 502, "The submission failed", detail, **_about(found)), headers
        )
    headers |= {"Location": address(found), "Retry-After": str(_RETRY_SECONDS.get(found.state, 1))}
    return Response(submission(found), status_code=202, headers=headers)


def _rejected(found: submissions.Submission) -> problems.Problem:
    reason = found.reason
    about_picture = submissions.UNUSABLE.get(reason) if reason else None
    if about_picture is not None:
        detail = f"{_BY_PICTURE}: {about_picture.value}."
        return problems.problem("image-unusable", 422, _BY_PICTURE, detail, **_about(found))
    who = "A person" if reason is Reason.REJECTED_BY_PERSON else "The detector"
    detail = f"{who} says that the picture shows no cake."
    return problems.problem("not-a-cake", 422, "The picture shows no cake", detail, **_about(found))


def _about(found: submissions.Submission) -> dict[str, Any]:
    reason = submissions.UNUSABLE.get(found.reason) if found.reason else None
    return {
        "reason": reason.value if reason else coarse(found.reason),
        "verdict": verdict(found),
        "submission": address(found),
    }
