"""Accepted submissions that people are shown, and what they say of them. It never changes what becomes of one."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from psycopg.rows import DictRow

from cakegate.adapters.store import moves, pool
from cakegate.adapters.store.submissions import PRIMARY, get
from cakegate.domain import errors, verdicts


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One sampled submission: its cake's name and picture, what the model said, and what a person says, if any did."""

    submission_id: UUID
    name: str
    image_url: str
    score: float
    model: verdicts.Model
    labels: list[verdicts.Label]
    sampled_at: datetime
    opinion: verdicts.Opinion | None
    said_by: str | None
    said_at: datetime | None
    note: str | None


_SELECT: Final = f"""
    SELECT p.*, s.name, s.image_url, v.score, v.model_name, v.model_version, v.model_sha256, v.labels
    FROM samples p JOIN submissions s ON s.id = p.submission_id CROSS JOIN LATERAL ({PRIMARY}) v
"""


def _from_row(row: DictRow) -> Sample:
    return Sample(
        model=verdicts.Model(name=row["model_name"], version=row["model_version"], sha256=row["model_sha256"]),
        labels=msgspec.convert(row["labels"], list[verdicts.Label]),
        opinion=verdicts.Opinion(row["opinion"]) if row["opinion"] else None,
        **{name: row[name] for name in _COPIED},
    )


_COPIED: Final = ("submission_id", "name", "image_url", "score", "sampled_at", "said_by", "said_at", "note")


async def listing(db: pool.Database, *, seen: bool = False, limit: int = 50) -> list[Sample]:
    """Samples that nobody said anything of, oldest first; or with `seen` those that somebody did, newest word first."""
    chosen = "IS NOT NULL ORDER BY p.said_at DESC" if seen else "IS NULL ORDER BY p.sampled_at"
    found = await db.fetch(f"{_SELECT} WHERE p.opinion {chosen}, p.submission_id LIMIT %(limit)s", {"limit": limit})
    return [_from_row(row) for row in found]


async def say(
    db: pool.Database, submission_id: UUID, *, opinion: verdicts.Opinion, actor: str, note: str | None = None
) -> Sample:
    """A person's word on what a sampled picture shows. Said again it replaces what was said before.

    Raises:
        SubmissionNotFound: there is no such submission.
        SampleNotFound: it was not sampled: an error rate holds for those alone that nobody chose.
    """
    said = await db.execute(
        "UPDATE samples SET opinion = %(opinion)s, said_by = %(actor)s, said_at = now(), note = %(note)s"
        " WHERE submission_id = %(id)s",
        {"id": submission_id, "opinion": opinion.value, "actor": moves.as_sql(actor), "note": moves.as_sql(note)},
    )
    if not said:
        await get(db, submission_id)
        raise errors.SampleNotFound(submission_id)
    (row,) = await db.fetch(f"{_SELECT} WHERE p.submission_id = %(id)s", {"id": submission_id})
    return _from_row(row)


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many samples of one model's verdicts people say this of; None: nobody said anything."""

    model_name: str
    model_version: str
    opinion: verdicts.Opinion | None
    count: int


async def counts(db: pool.Database, *, days: float) -> list[Count]:
    """What people say of the samples of the last `days`, by model: `not-cake` is what it accepts wrongly."""
    found = await db.fetch(
        f"""
        SELECT v.model_name, v.model_version, p.opinion, count(*) AS count
        FROM samples p JOIN submissions s ON s.id = p.submission_id CROSS JOIN LATERAL ({PRIMARY}) v
        WHERE p.sampled_at > now() - %(days)s * interval '1 day' GROUP BY 1, 2, 3
        """,
        {"days": days},
    )
    return [Count(**{**row, "opinion": verdicts.Opinion(row["opinion"]) if row["opinion"] else None}) for row in found]
