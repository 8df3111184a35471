"""Models as workers load them, so that processes that load none know what they were validated on."""

from collections.abc import Mapping, Sequence

import msgspec
from psycopg.types.json import Jsonb

from cakegate.adapters.store import pool
from cakegate.domain import verdicts


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A model at work. `histogram`: of `cake` and `not_cake`, validation scores in equal bins from 0 to 1; or empty."""

    model: verdicts.Model
    thresholds: verdicts.Thresholds
    histogram: Mapping[str, Sequence[int]]


async def remember(db: pool.Database, loaded: Loaded) -> None:
    """Write down what a worker has loaded; what another, or an earlier one, said of the same model is replaced."""
    await db.execute(
        """
        INSERT INTO models (sha256, name, version, accept_threshold, review_threshold, histogram)
        VALUES (%(sha256)s, %(name)s, %(version)s, %(accept)s, %(review)s, %(histogram)s)
        ON CONFLICT (sha256) DO UPDATE SET
            name = excluded.name, version = excluded.version, accept_threshold = excluded.accept_threshold,
            review_threshold = excluded.review_threshold, histogram = excluded.histogram, loaded_at = now()
        """,
        {
            **msgspec.structs.asdict(loaded.model),
            **msgspec.structs.asdict(loaded.thresholds),
            "histogram": Jsonb({name: list(counts) for name, counts in loaded.histogram.items()}),
        },
    )


class Recent(msgspec.Struct, frozen=True, kw_only=True):
    """A model's latest scores: how many in each bin of its validation histogram."""

    model: verdicts.Model
    histogram: dict[str, list[int]]
    counts: list[int]


async def recent(db: pool.Database, *, most: int, days: float) -> list[Recent]:
    """The latest `most` verdicts that counted, none older than `days`, of each model that has a histogram."""
    found = await db.fetch(_RECENT, {"most": most, "days": days})
    return [
        Recent(
            model=verdicts.Model(name=row["name"], version=row["version"], sha256=row["sha256"]),
            histogram=row["histogram"],
            counts=row["counts"],
        )
        for row in found
    ]


def _length(label: str) -> str:
    """How many bins a label has; 0 where it has none as we know them: another release may write them otherwise."""
    bins = f"histogram -> '{label}'"
    return f"CASE jsonb_typeof({bins}) WHEN 'array' THEN jsonb_array_length({bins}) ELSE 0 END"


# By id, which is by time but for verdicts written in the same moment: the table's own index. A score that is not a
# number falls in no bin.
_RECENT = f"""
    WITH latest AS (
        SELECT model_sha256, score, judged_at FROM verdicts WHERE role = 'primary' ORDER BY id DESC LIMIT %(most)s
    ), known AS (
        SELECT * FROM (SELECT m.*, {_length("cake")} AS bins, {_length("not_cake")} AS as_many FROM models m) AS m
        WHERE bins > 0 AND bins = as_many
    ), binned AS (
        SELECT model_sha256, least(width_bucket(score, 0, 1, bins), bins) AS bin, count(*) AS times
        FROM latest JOIN known ON known.sha256 = model_sha256
        WHERE score BETWEEN 0 AND 1 AND judged_at > now() - %(days)s * interval '1 day'
        GROUP BY model_sha256, bin
    )
    SELECT sha256, name, version, histogram, ARRAY(
        SELECT coalesce(times, 0)::int FROM generate_series(1, bins) AS each
        LEFT JOIN binned ON model_sha256 = sha256 AND bin = each ORDER BY each) AS counts
    FROM known WHERE sha256 IN (SELECT model_sha256 FROM binned) ORDER BY sha256
"""
