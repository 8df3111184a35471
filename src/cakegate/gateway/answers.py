"""What a client is told of a submission: by a POST, as HTTP has words for it, and by its own address, as a document."""

import math
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from cakegate.domain import cakes, submissions
from cakegate.domain.submissions import Reason, State
from cakegate.gateway import problems, schemas


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer that is no problem."""

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
    headers: dict[str, str] = {}


#: When to ask again, in seconds: work takes moments, people take longer.
_ASK_AGAIN_SECONDS: Final = {State.REVIEW: 60, State.UNCERTAIN: 30}
_ASK_AGAIN_SOON_SECONDS: Final = 1
_REFUSED: Final = frozenset({Reason.NOT_A_CAKE, Reason.REJECTED_BY_PERSON})


def path_of(submission: submissions.Submission) -> str:
    """The submission's address."""
    return f"/api/submissions/{submission.id}"


def cake_path(cake_id: cakes.CakeId) -> str:
    """A cake's address."""
    return f"/api/cakes/{quote(cake_id, safe='')}"


def to_post(submission: submissions.Submission) -> Answer | problems.Problem:
    """What a POST gets: the cake, a problem, or where to ask later."""
    if submission.state is State.CREATED and submission.cake is not None and submission.upstream_id is not None:
        return Answer(
            status=201,
            body=msgspec.json.encode(submission.cake),
            headers={
                "Location": cake_path(submission.upstream_id),
                "Link": f'<{path_of(submission)}>; rel="via"',
            },
        )
    if submission.state is State.REJECTED:
        return _rejected(submission)
    if submission.state is State.FAILED:
        return _failed(submission)
    return _as_document(submission, status=202 if submission.state is not State.CREATED else 200)


def to_get(submission: submissions.Submission) -> Answer:
    """What the submission's own address gives."""
    return _as_document(submission, status=200)


def _as_document(submission: submissions.Submission, *, status: int) -> Answer:
    headers = {"Location": path_of(submission)} if status == 202 else {}  # noqa: PLR2004
    if submission.state not in submissions.TERMINAL:
        headers["Retry-After"] = str(_ASK_AGAIN_SECONDS.get(submission.state, _ASK_AGAIN_SOON_SECONDS))
    return Answer(status=status, body=msgspec.json.encode(view_of(submission)), headers=headers)


def view_of(submission: submissions.Submission) -> schemas.Submission:
    """The submission as a document. Of a picture that could not be used, the kind of trouble alone is told."""
    links = {"self": path_of(submission)}
    if submission.state is State.CREATED and submission.upstream_id is not None and submission.deleted_at is None:
        links["cake"] = cake_path(submission.upstream_id)
    return schemas.Submission(
        id=submission.id,
        state=submission.state,
        reason=_reason(submission),
        detail=_REVIEW_DETAILS.get(submission.reason) if submission.reason is not None else None,
        image_problem=_image_problem(submission),
        verdict=_verdict(submission),
        cake=submission.cake,
        created_at=submission.created_at,
        updated_at=submission.updated_at,
        deleted_at=submission.deleted_at,
        links=links,
    )


#: In our own words: what is on record is for staff.
_REVIEW_DETAILS: Final[Mapping[Reason, str]] = {
    Reason.DOUBTFUL: "The model is in doubt: a person decides.",
    Reason.TOO_SMALL: "The picture is too small to be judged: a person decides. A larger one is judged at once.",
    Reason.BLANK: "There is next to nothing in the picture: a person decides. Another one is judged at once.",
    Reason.BLURRED: "The picture is too blurred to be judged: a person decides. A sharper one is judged at once.",
}


def _reason(submission: submissions.Submission) -> str | None:
    if submission.reason is None:
        return None
    return "image-unusable" if submission.reason in submissions.UNUSABLE else submission.reason.value


def _image_problem(submission: submissions.Submission) -> submissions.UnusableReason | None:
    return submissions.UNUSABLE.get(submission.reason) if submission.reason is not None else None


def _verdict(submission: submissions.Submission) -> schemas.Verdict | None:
    found = submission.verdict
    # JSON has no word for a score that is not a number; a person decides then.
    if found is None or math.isnan(found.score):
        return None
    return schemas.Verdict(
        score=round(found.score, 4),
        decision=found.decision,
        accept_threshold=round(found.thresholds.accept, 4),
        review_threshold=round(found.thresholds.review, 4),
        labels=[schemas.Label(name=each.name, score=round(each.score, 4)) for each in found.labels],
        model=schemas.Model(name=found.model.name, version=found.model.version, sha256=found.model.sha256),
    )


def _rejected(submission: submissions.Submission) -> problems.Problem:
    if submission.reason in _REFUSED:
        by_person = submission.reason is Reason.REJECTED_BY_PERSON
        return _problem(
            problems.NOT_A_CAKE, submission, "A person decided so." if by_person else "Try another picture of it."
        )
    unusable = _image_problem(submission) or submissions.UnusableReason.NOT_AN_IMAGE
    return _problem(problems.IMAGE_UNUSABLE, submission, _UNUSABLE_DETAILS[unusable])


_UNUSABLE_DETAILS: Final = {
    submissions.UnusableReason.UNREACHABLE: "It could not be fetched from its address.",
    submissions.UnusableReason.NOT_ALLOWED: "Its address is not one that we fetch from.",
    submissions.UnusableReason.TOO_LARGE: "It has more bytes or pixels than we take.",
    submissions.UnusableReason.NOT_AN_IMAGE: "At its address is no JPEG, PNG, WebP or GIF that can be read.",
}


def _failed(submission: submissions.Submission) -> problems.Problem:
    unusable = _image_problem(submission)
    detail = _UNUSABLE_DETAILS[unusable] if unusable else "The legacy Cake API did not take it."
    return _problem(problems.SUBMISSION_FAILED, submission, detail)


def _problem(kind: problems.Kind, submission: submissions.Submission, detail: str) -> problems.Problem:
    view = view_of(submission)
    members: dict[str, Any] = {
        "reason": view.reason,
        "imageProblem": view.image_problem,
        "verdict": view.verdict,
        "submission": path_of(submission),
    }
    return problems.Problem(
        kind=kind, detail=detail, extensions={name: value for name, value in members.items() if value is not None}
    )
