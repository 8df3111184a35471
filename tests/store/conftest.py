"""A pool on a fresh database, and shorthands to put submissions where a test wants them."""

import uuid

import pytest
from store_shapes import MODEL, PICTURE, THRESHOLDS

from cakegate import settings
from cakegate.adapters.store import creating, judging, pool, submissions
from cakegate.domain import cakes, verdicts
from cakegate.domain.submissions import SubmissionId


@pytest.fixture
async def db(database_url):
    group = settings.Database(url=settings.SecretUrl(database_url), pool_min=1, pool_max=4, pool_wait_seconds=5)
    opened = await pool.Database.open(group, application_name="tests")
    yield opened
    await opened.close()


class Put:
    """Puts submissions into states, by the same functions that processes use."""

    def __init__(self, db: pool.Database) -> None:
        self.db = db

    def new(self, **changes) -> submissions.NewSubmission:
        draft = cakes.CakeDraft(
            name="Lemon cheesecake", comment="Made of lemon", image_url="http://p.example/l.jpg", yum_factor=3
        )
        return submissions.NewSubmission(**{"id": SubmissionId(uuid.uuid4()), "draft": draft, **changes})

    async def pending(self, **changes):
        return (await submissions.insert(self.db, self.new(**changes))).submission

    async def judging(self, *, lease_seconds: float = 60):
        row = await self.pending()
        return await judging.claim(self.db, row.id, lease_seconds=lease_seconds, holder="worker-1")

    async def judged(self, score: float, **settled):
        held = await self.judging()
        verdict = verdicts.Verdict(
            score=score, decision=verdicts.decide(score, THRESHOLDS), thresholds=THRESHOLDS, model=MODEL,
            labels=[verdicts.Label(name="cake", score=score), verdicts.Label(name="other cake", score=0.25)],
        )  # fmt: skip
        return await judging.settle_verdict(
            self.db, held, verdict=verdict, picture=PICTURE, actor="worker-1", timings={"infer": 2.5}, **settled
        )

    async def accepted(self):
        return await self.judged(0.9)

    async def creating(self, *, lease_seconds: float = 60):
        row = await self.accepted()
        pace = creating.Pace(concurrency=8, lease_seconds=lease_seconds, send_deadline_seconds=lease_seconds / 3)
        return await creating.claim(self.db, row.id, pace=pace, holder="writer-1")

    async def created(self, upstream_id: str = "1"):
        held = await self.creating()
        return await creating.settle_created(
            self.db,
            held,
            upstream_id=upstream_id,
            cake={"id": int(upstream_id)},
            status=201,
            actor="writer-1",
            timings={},
        )


@pytest.fixture
def put(db):
    return Put(db)
