"""What people decided, as labels for the next model: on what was in review, and on what was sampled."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from cakegate.adapters.store import pool
from cakegate.adapters.store.submissions import PRIMARY
from cakegate.domain import submissions, verdicts

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BEFORE_ALL: Final = UUID(int=0)


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """One picture that a person judged, beside what the model made of it.

    `reason` says why it was in review; None: it was accepted, and sampled. One that was in review for a flaw of its
    picture (`too-small`, `blank`, `blurred`) may have been rejected for that flaw, whatever it shows: `doubtful` ones
    and samples are the sound labels.
    """

    submission_id: UUID
    opinion: verdicts.Opinion
    said_by: str
    said_at: datetime
    note: str | None
    reason: submissions.Reason | None
    score: float
    decision: verdicts.Decision
    model: verdicts.Model
    image_url: str
    image_sha256: bytes

    @property
    def is_sound(self) -> bool:
        """Whether it is surely about what the picture shows: not a rejection for a flaw of its picture."""
        return self.opinion is verdicts.Opinion.CAKE or self.reason in {None, submissions.Reason.DOUBTFUL}

    @property
    def source_host(self) -> str:
        """Where the picture is from: its address's host, as training splits by."""
        return urlsplit(self.image_url).hostname or ""


async def labelled(db: pool.Database, *, since: datetime | None = None, batch: int = 500) -> AsyncIterator[Labelled]:
    """All that people said from `since` on, oldest word first; read in batches, each a statement of its own.

    A submission comes once: nobody is asked twice. Raises `DatabaseUnavailable`.
    """
    at, last = since or _BEGINNING, _BEFORE_ALL
    while True:
        found = await db.fetch(_LABELLED, {"at": at, "last": last, "batch": batch})
        for row in found:
            if row["reason"] not in _KNOWN:
                # Only a newer release knows whether such a word is about what the picture shows.
                continue
            yield Labelled(
                opinion=verdicts.Opinion(row["opinion"]),
                said_by=row["said_by"].removeprefix("person:"),
                reason=submissions.Reason(row["reason"]) if row["reason"] else None,
                decision=verdicts.Decision(row["decision"]),
                model=verdicts.Model(name=row["model_name"], version=row["model_version"], sha256=row["model_sha256"]),
                **{name: row[name] for name in _COPIED},
            )
        if len(found) < batch:
            return
        at, last = found[-1]["said_at"], found[-1]["submission_id"]


_KNOWN: Final = frozenset([None, *(reason.value for reason in submissions.Reason)])
_COPIED: Final = ("submission_id", "said_at", "note", "score", "image_url", "image_sha256")
# Each half finds its next batch by an index on its time.
_LABELLED: Final = f"""
    SELECT said.*, s.image_url, s.image_sha256, v.score, v.decision, v.model_name, v.model_version, v.model_sha256
    FROM (
        (SELECT t.submission_id, CASE t.target WHEN 'accepted' THEN 'cake' ELSE 'not-cake' END AS opinion,
                t.actor AS said_by, t.at AS said_at, t.note,
                (SELECT reason FROM transitions asked WHERE asked.submission_id = t.submission_id
                 AND asked.target = 'review' ORDER BY id DESC LIMIT 1) AS reason
         FROM transitions t
         WHERE t.origin = 'review' AND t.at >= %(at)s AND (t.at, t.submission_id) > (%(at)s, %(last)s)
         ORDER BY t.at, t.submission_id LIMIT %(batch)s)
        UNION ALL
        (SELECT submission_id, opinion, said_by, said_at, note, NULL
         FROM samples
         WHERE opinion IS NOT NULL AND said_at >= %(at)s AND (said_at, submission_id) > (%(at)s, %(last)s)
         ORDER BY said_at, submission_id LIMIT %(batch)s)
    ) said JOIN submissions s ON s.id = said.submission_id CROSS JOIN LATERAL ({PRIMARY}) v
    ORDER BY said_at, submission_id LIMIT %(batch)s
"""
