"""The life of a submission: its states, the transitions that are legal, and why it ended where it did."""

import enum
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NewType
from uuid import UUID

import msgspec

from cakegate.domain.cakes import CakeDraft
from cakegate.domain.errors import IllegalTransition
from cakegate.domain.verdicts import Decision, Outcome, Verdict

SubmissionId = NewType("SubmissionId", UUID)
LeaseToken = NewType("LeaseToken", UUID)


class State(enum.StrEnum):
    """Where a submission is."""

    PENDING = "pending"
    JUDGING = "judging"
    REVIEW = "review"
    ACCEPTED = "accepted"
    CREATING = "creating"
    UNCERTAIN = "uncertain"
    CREATED = "created"
    REJECTED = "rejected"
    FAILED = "failed"


#: Every legal transition; anything else is a bug.
TRANSITIONS: Mapping[State, frozenset[State]] = {
    # a worker claims it
    State.PENDING: frozenset({State.JUDGING}),
    # the verdict; or back to pending: the lease ran out, or the picture's host is to be tried later
    State.JUDGING: frozenset({State.ACCEPTED, State.REJECTED, State.REVIEW, State.FAILED, State.PENDING}),
    # a person
    State.REVIEW: frozenset({State.ACCEPTED, State.REJECTED}),
    # the writer claims it
    State.ACCEPTED: frozenset({State.CREATING}),
    # the upstream's answer; back to accepted when nothing was sent
    State.CREATING: frozenset({State.CREATED, State.ACCEPTED, State.FAILED, State.UNCERTAIN}),
    # found by marker; proved absent; absent for the third time, or a person says so
    State.UNCERTAIN: frozenset({State.CREATED, State.ACCEPTED, State.FAILED}),
    # a person replays it, before or after its acceptance
    State.FAILED: frozenset({State.PENDING, State.ACCEPTED}),
    State.CREATED: frozenset(),
    State.REJECTED: frozenset(),
}

#: Ends that no process leaves by itself.
TERMINAL = frozenset({State.CREATED, State.REJECTED, State.FAILED})
#: What has news for a client that waits: ends, and what only a person can move.
SETTLED = TERMINAL | {State.REVIEW}


def check_transition(origin: State, target: State) -> None:
    """Raise `IllegalTransition` unless the table allows it."""
    if target not in TRANSITIONS[origin]:
        raise IllegalTransition(f"A submission cannot go from {origin.value} to {target.value}.")


class Reason(enum.StrEnum):
    """Why a submission was rejected, failed, or waits for a person."""

    # rejected: final facts
    NOT_A_CAKE = "not-a-cake"
    IMAGE_NOT_ALLOWED = "image-not-allowed"
    IMAGE_GONE = "image-gone"
    IMAGE_TOO_LARGE = "image-too-large"
    IMAGE_NOT_AN_IMAGE = "image-not-an-image"
    REJECTED_BY_PERSON = "rejected-by-person"
    # failed: trouble that outlasted its attempts, poison, and the upstream's refusal
    IMAGE_UNREACHABLE = "image-unreachable"
    POISON = "poison"
    UPSTREAM_REFUSED = "upstream-refused"
    UPSTREAM_ABSENT = "upstream-absent"
    # review and uncertain
    DOUBTFUL = "doubtful"
    TOO_SMALL = "too-small"
    BLANK = "blank"
    BLURRED = "blurred"
    UPSTREAM_UNCERTAIN = "upstream-uncertain"


def after_verdict(outcome: Outcome) -> tuple[State, Reason | None]:
    """Where a judged submission goes, and why."""
    if outcome.flaw is not None:
        return State.REVIEW, Reason(outcome.flaw.value)
    return _AFTER_VERDICT[outcome.decision]


_AFTER_VERDICT: Mapping[Decision, tuple[State, Reason | None]] = {
    Decision.ACCEPT: (State.ACCEPTED, None),
    Decision.REVIEW: (State.REVIEW, Reason.DOUBTFUL),
    Decision.REJECT: (State.REJECTED, Reason.NOT_A_CAKE),
}


def is_sampled(submission_id: UUID, *, share: float) -> bool:
    """Whether a submission is among a `share` (0 to 1) of all.

    Decided by a hash of its id: ids are random and nobody's choice, so this is as good as a throw of dice, and a
    submission that is judged again, or settled again after a lost answer, gets the same. A larger share holds all of a
    smaller one.
    """
    dice = int.from_bytes(hashlib.sha256(b"cakegate-sample" + submission_id.bytes).digest()[:8], "big")
    return dice < share * 2**64


class UnusableReason(enum.StrEnum):
    """All that a client learns about a picture that could not be used: coarse on purpose."""

    UNREACHABLE = "unreachable"
    NOT_ALLOWED = "not-allowed"
    TOO_LARGE = "too-large"
    NOT_AN_IMAGE = "not-an-image"


#: What a client is told for each reason that is about its picture.
UNUSABLE: Mapping[Reason, UnusableReason] = {
    Reason.IMAGE_NOT_ALLOWED: UnusableReason.NOT_ALLOWED,
    Reason.IMAGE_GONE: UnusableReason.UNREACHABLE,
    Reason.IMAGE_UNREACHABLE: UnusableReason.UNREACHABLE,
    Reason.IMAGE_TOO_LARGE: UnusableReason.TOO_LARGE,
    Reason.IMAGE_NOT_AN_IMAGE: UnusableReason.NOT_AN_IMAGE,
    Reason.POISON: UnusableReason.NOT_AN_IMAGE,
}


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """The picture that was judged: SHA-256 of its bytes as fetched, its size in bytes and pixels, its format."""

    sha256: bytes
    size_bytes: int
    format: str
    width: int
    height: int


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A submission as Postgres holds it. Times are timezone-aware."""

    id: SubmissionId
    state: State
    reason: Reason | None
    detail: str | None
    draft: CakeDraft
    created_at: datetime
    updated_at: datetime
    request_id: str | None = None
    traceparent: str | None = None
    lease_token: LeaseToken | None = None
    fetch_attempts: int = 0
    first_fetch_at: datetime | None = None
    decoder_deaths: int = 0
    create_attempts: int = 0
    next_attempt_at: datetime | None = None
    picture: Picture | None = None
    renditions_at: datetime | None = None
    marker: str | None = None
    upstream_id: str | None = None
    cake: dict[str, Any] | None = None
    deleted_at: datetime | None = None
    verdict: Verdict | None = None
    timings: dict[str, float] = {}
