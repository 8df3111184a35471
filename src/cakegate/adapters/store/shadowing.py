"""Shadows' verdicts: kept beside those that count, and read again in pairs."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from cakegate.adapters.store import judging, pool
from cakegate.domain import comparisons, verdicts


async def record(db: pool.Database, submission_id: UUID, verdict: verdicts.Verdict) -> None:
    """Keep a shadow's verdict on a submission. Raises `DatabaseUnavailable`."""
    await db.execute(
        """
        INSERT INTO verdicts (submission_id, role, score, decision, accept_threshold, review_threshold,
                              model_name, model_version, model_sha256, labels)
        VALUES (%(id)s, 'shadow', %(score)s, %(decision)s, %(accept)s, %(review)s, %(name)s, %(version)s, %(sha256)s,
                %(labels)s)
        """,
        {
            "id": submission_id,
            "score": verdict.score,
            "decision": verdict.decision.value,
            **msgspec.structs.asdict(verdict.thresholds),
            **msgspec.structs.asdict(verdict.model),
            "labels": judging.labels_as_json(verdict),
        },
    )


async def pairs(db: pool.Database, *, since: datetime, batch: int = 2000) -> AsyncIterator[comparisons.Pair]:
    """Each shadow's verdict from `since` on beside the one that counted on the same picture, oldest first.

    Read in batches, each a statement of its own. Raises `DatabaseUnavailable`.
    """
    at, last = since, 0
    models: dict[tuple[str, str, str], verdicts.Model] = {}

    def model(name: str, version: str, sha256: str) -> verdicts.Model:
        """One object for each: there may be hundreds of thousands of pairs."""
        return models.setdefault((name, version, sha256), verdicts.Model(name=name, version=version, sha256=sha256))

    while True:
        found = await db.fetch(_PAIRS, {"at": at, "last": last, "batch": batch})
        for row in found:
            yield comparisons.Pair(
                submission_id=row["submission_id"],
                primary=model(row["p_name"], row["p_version"], row["p_sha256"]),
                shadow=model(row["h_name"], row["h_version"], row["h_sha256"]),
                primary_score=row["p_score"],
                shadow_score=row["h_score"],
                primary_decision=verdicts.Decision(row["p_decision"]),
                shadow_decision=verdicts.Decision(row["h_decision"]),
            )
        if len(found) < batch:
            return
        at, last = found[-1]["judged_at"], found[-1]["id"]


def _columns(alias: str) -> str:
    return (
        f"{alias}.score AS {alias}_score, {alias}.decision AS {alias}_decision, {alias}.model_name AS {alias}_name,"
        f" {alias}.model_version AS {alias}_version, {alias}.model_sha256 AS {alias}_sha256"
    )


# What counted is what was settled last before the shadow spoke: a submission that is replayed is judged again.
_PAIRS: Final = f"""
    SELECT h.id, h.judged_at, h.submission_id, {_columns("h")}, {_columns("p")}
    FROM verdicts h CROSS JOIN LATERAL (
        SELECT * FROM verdicts earlier
        WHERE earlier.submission_id = h.submission_id AND earlier.role = 'primary' AND earlier.id < h.id
        ORDER BY earlier.id DESC LIMIT 1
    ) p
    WHERE h.role = 'shadow' AND (h.judged_at, h.id) > (%(at)s, %(last)s)
    ORDER BY h.judged_at, h.id LIMIT %(batch)s
"""


async def addresses(db: pool.Database, ids: Iterable[UUID]) -> dict[UUID, str]:
    """Where the pictures of these submissions are from."""
    found = await db.fetch("SELECT id, image_url FROM submissions WHERE id = ANY(%(ids)s)", {"ids": list(ids)})
    return {row["id"]: row["image_url"] for row in found}
