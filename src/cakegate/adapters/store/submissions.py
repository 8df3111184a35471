"""Submissions as rows: accepting and finding them. What moves them stands in `moves` and the modules it names."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.rows import DictRow

from cakegate.adapters.store import pool
from cakegate.domain import cakes, errors, submissions, verdicts
from cakegate.domain.submissions import State


class NewSubmission(msgspec.Struct, frozen=True, kw_only=True):
    """A submission to be: its id is made by whoever accepts it, so that a repeated insert is the same insert."""

    id: submissions.SubmissionId
    draft: cakes.CakeDraft
    source: str = "api"
    request_id: str | None = None
    traceparent: str | None = None
    idempotency_key: str | None = None
    idempotency_seconds: float = 86_400.0

    @property
    def digest(self) -> bytes:
        """What an Idempotency-Key is bound to: the cleaned cake, so that white space in the JSON does not matter."""
        return hashlib.sha256(msgspec.json.encode(self.draft, order="deterministic")).digest()


class Inserted(msgspec.Struct, frozen=True, kw_only=True):
    """`fresh` is false when an Idempotency-Key named a submission that was there before."""

    submission: submissions.Submission
    fresh: bool


#: Columns of a Submission; `v` is its newest verdict that counts, if any.
PLAIN: Final = """
    s.id, s.state, s.reason, s.detail, s.name, s.comment, s.image_url, s.yum_factor, s.created_at, s.updated_at,
    s.request_id, s.traceparent, s.lease_token, s.fetch_attempts, s.first_fetch_at, s.decoder_deaths,
    s.create_attempts, s.next_attempt_at, s.image_sha256, s.image_bytes, s.image_format, s.image_width,
    s.image_height, s.renditions_at, s.marker, s.upstream_id, s.cake, s.deleted_at, s.timings
"""
PLAIN_NAMES: Final = tuple(each.strip().removeprefix("s.") for each in PLAIN.split(","))
_VERDICT: Final = """
    v.score, v.decision, v.accept_threshold, v.review_threshold, v.model_name, v.model_version, v.model_sha256,
    v.labels, v.judged_at AS verdict_at
"""
#: The verdict that counts of a submission `s`; a shadow's is never asked for here.
PRIMARY: Final = "SELECT * FROM verdicts WHERE submission_id = s.id AND role = 'primary' ORDER BY id DESC LIMIT 1"
_SELECT: Final = f"SELECT {PLAIN}, {_VERDICT} FROM submissions s LEFT JOIN LATERAL ({PRIMARY}) v ON true"


def from_row(row: DictRow) -> submissions.Submission:
    """A row of `PLAIN` columns, with or without `_VERDICT`, as a Submission."""
    return submissions.Submission(
        id=submissions.SubmissionId(row["id"]),
        state=State(row["state"]),
        reason=_reason(row["reason"]),
        detail=row["detail"],
        draft=cakes.CakeDraft(
            name=row["name"], comment=row["comment"], image_url=row["image_url"], yum_factor=row["yum_factor"]
        ),
        picture=_picture(row),
        verdict=_verdict(row),
        lease_token=submissions.LeaseToken(row["lease_token"]) if row["lease_token"] else None,
        **{name: row[name] for name in _COPIED},
    )


_COPIED: Final = (
    "created_at", "updated_at", "request_id", "traceparent", "fetch_attempts", "first_fetch_at", "decoder_deaths",
    "create_attempts", "next_attempt_at", "renditions_at", "marker", "upstream_id", "cake", "deleted_at", "timings",
)  # fmt: skip


def _reason(found: str | None) -> submissions.Reason | None:
    """None also for a reason that only a newer release knows: in a rollout, or after one was taken back, both read."""
    return submissions.Reason(found) if found in _REASONS else None


_REASONS: Final = frozenset(reason.value for reason in submissions.Reason)


def _picture(row: DictRow) -> submissions.Picture | None:
    if row["image_sha256"] is None:
        return None
    return submissions.Picture(
        sha256=row["image_sha256"],
        size_bytes=row["image_bytes"],
        format=row["image_format"],
        width=row["image_width"],
        height=row["image_height"],
    )


def _verdict(row: DictRow) -> verdicts.Verdict | None:
    if row.get("score") is None:
        return None
    return verdicts.Verdict(
        score=row["score"],
        decision=verdicts.Decision(row["decision"]),
        thresholds=verdicts.Thresholds(accept=row["accept_threshold"], review=row["review_threshold"]),
        model=verdicts.Model(name=row["model_name"], version=row["model_version"], sha256=row["model_sha256"]),
        judged_at=row["verdict_at"],
        labels=msgspec.convert(row["labels"], list[verdicts.Label]),
    )


async def insert(db: pool.Database, new: NewSubmission) -> Inserted:
    """Insert a pending submission, or find the one that its Idempotency-Key already names.

    The row counts as enqueued: the caller enqueues it next, and says `not_enqueued` where that fails. May be
    repeated with the same `new` when its outcome is unknown.

    Raises:
        IdempotencyMismatch: the key is in use with another body.
        DatabaseUnavailable: with `outcome_unknown` when the row may have been inserted.
    """
    while True:
        row = await db.fetch_one(_INSERT, _insert_parameters(new))
        if row is not None:
            return Inserted(submission=from_row(row), fresh=True)
        row = await db.fetch_one(f"{_SELECT} WHERE s.id = %(id)s", {"id": new.id})
        if row is not None:
            return Inserted(submission=from_row(row), fresh=True)
        known = await named_by_key(db, new)
        if known is not None:
            return Inserted(submission=known, fresh=False)
        # The key is past its lifetime (or was freed this moment): free it and insert again.
        await db.execute(
            "UPDATE submissions SET idempotency_key = NULL"
            " WHERE idempotency_key = %(key)s AND idempotency_expires_at <= now()",
            {"key": new.idempotency_key},
        )


_INSERT: Final = f"""
    WITH s AS (
        INSERT INTO submissions (
            id, name, comment, image_url, yum_factor, source, request_id, traceparent, idempotency_key,
            request_digest, idempotency_expires_at, enqueued_at, enqueue_count)
        VALUES (
            %(id)s, %(name)s, %(comment)s, %(image_url)s, %(yum_factor)s, %(source)s, %(request_id)s,
            %(traceparent)s, %(key)s, %(digest)s, now() + %(seconds)s * interval '1 second', now(), 1)
        ON CONFLICT DO NOTHING
        RETURNING *
    ), noted AS (
        INSERT INTO transitions (submission_id, target, actor) SELECT id, 'pending', 'gateway' FROM s
    )
    SELECT {PLAIN} FROM s
"""


def _insert_parameters(new: NewSubmission) -> dict[str, Any]:
    keyed = new.idempotency_key is not None
    return {
        "id": new.id,
        "name": new.draft.name,
        "comment": new.draft.comment,
        "image_url": new.draft.image_url,
        "yum_factor": new.draft.yum_factor,
        "source": new.source,
        "request_id": new.request_id,
        "traceparent": new.traceparent,
        "key": new.idempotency_key,
        "digest": new.digest if keyed else None,
        "seconds": new.idempotency_seconds if keyed else None,
    }


async def named_by_key(db: pool.Database, new: NewSubmission) -> submissions.Submission | None:
    """The submission that an Idempotency-Key names within its lifetime.

    Raises:
        IdempotencyMismatch: the key is in use with another body.
    """
    found = await db.fetch_one(
        "SELECT id, request_digest FROM submissions WHERE idempotency_key = %(key)s AND idempotency_expires_at > now()",
        {"key": new.idempotency_key},
    )
    if found is None:
        return None
    if found["request_digest"] != new.digest:
        raise errors.IdempotencyMismatch("This Idempotency-Key was used before with another body.")
    return await get(db, found["id"])


async def get(db: pool.Database, submission_id: UUID) -> submissions.Submission:
    """Raises `SubmissionNotFound`."""
    row = await db.fetch_one(f"{_SELECT} WHERE s.id = %(id)s", {"id": submission_id})
    if row is None:
        raise errors.SubmissionNotFound(submission_id)
    return from_row(row)


async def by_upstream_id(db: pool.Database, cake_id: cakes.CakeId) -> submissions.Submission | None:
    """The submission that became this living cake, if it came through us."""
    row = await db.fetch_one(
        f"{_SELECT} WHERE s.upstream_id = %(cake_id)s AND s.deleted_at IS NULL", {"cake_id": cake_id}
    )
    return from_row(row) if row else None


async def listing(
    db: pool.Database, *, states: Sequence[State], limit: int = 50, oldest_first: bool = True
) -> list[submissions.Submission]:
    """Submissions in any of these states, by age. For people's lists, not for a public one."""
    order = "ASC" if oldest_first else "DESC"
    found = await db.fetch(
        f"{_SELECT} WHERE s.state = ANY(%(states)s) ORDER BY s.created_at {order} LIMIT %(limit)s",
        {"states": [state.value for state in states], "limit": limit},
    )
    return [from_row(row) for row in found]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a submission's history."""

    origin: str | None
    target: str
    reason: str | None
    actor: str
    note: str | None
    at: Any


async def history(db: pool.Database, submission_id: UUID) -> list[Step]:
    """All steps that a submission took, oldest first."""
    found = await db.fetch(
        "SELECT origin, target, reason, actor, note, at FROM transitions WHERE submission_id = %(id)s ORDER BY id",
        {"id": submission_id},
    )
    return [Step(**row) for row in found]


async def settled_among(db: pool.Database, ids: Iterable[UUID]) -> list[UUID]:
    """Which of these have news for a client that waits."""
    found = await db.fetch(
        "SELECT id FROM submissions WHERE id = ANY(%(ids)s) AND state = ANY(%(settled)s)",
        {"ids": list(ids), "settled": [state.value for state in submissions.SETTLED]},
    )
    return [row["id"] for row in found]


async def count_waiting(db: pool.Database, *, cap: int) -> int:
    """How many submissions wait for a worker or for the writer, counted no further than `cap`.

    Those that one of them holds are as few as they are; those that wait for a person wait for no machine.
    """
    row = await db.fetch_one(
        "SELECT count(*) AS waiting FROM ("
        "SELECT 1 FROM submissions WHERE state IN ('pending', 'accepted') LIMIT %(cap)s) AS counted",
        {"cap": cap},
    )
    return int(row["waiting"]) if row else 0


async def not_enqueued(db: pool.Database, ids: Iterable[UUID]) -> None:
    """Say that these are on no queue after all: the next sweep puts them there."""
    await db.execute("UPDATE submissions SET enqueued_at = NULL WHERE id = ANY(%(ids)s)", {"ids": list(ids)})
