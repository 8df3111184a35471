"""Settling creates whose answer was lost, against a real sample API: found is created, the rest stays parked."""

import uuid

import pytest

from cakegate import settings
from cakegate.adapters import upstream
from cakegate.adapters.store import creating, pool, reviewing, submissions
from cakegate.domain import cakes, errors
from cakegate.domain.submissions import Reason, State, SubmissionId
from cakegate.local.sample import Faults, NewCake
from cakegate.scheduler import settle

PACE = creating.Pace(concurrency=100, lease_seconds=60, send_deadline_seconds=20)


@pytest.fixture
async def bench(database_url, sample_api):
    """A settler, and a way to put uncertain submissions where it looks."""
    config = settings.Settings(
        upstream=settings.Upstream(url=sample_api.url, page_max=10, timeout_seconds=2),
        database=settings.Database(url=settings.SecretUrl(database_url), pool_min=1, pool_max=4),
    )
    db = await pool.Database.open(config.database, application_name="tests")
    legacy = await upstream.Upstream.open(config.upstream)
    yield Bench(db, sample_api, settle.Settler(config, db, legacy))
    await legacy.close()
    await db.close()


class Bench:
    def __init__(self, db, sample_api, settler):
        self.db, self.sample, self.settler = db, sample_api, settler

    async def uncertain(self):
        draft = cakes.CakeDraft(name="Lemon", comment="Lemon", image_url="http://p.example/l.jpg", yum_factor=3)
        new = submissions.NewSubmission(id=SubmissionId(uuid.uuid4()), draft=draft)
        row = (await submissions.insert(self.db, new)).submission
        # The shortest way to an accepted row: a person's word on a review.
        await self.db.execute(f"UPDATE submissions SET state = 'review', reason = 'doubtful' WHERE id = '{row.id}'")
        await reviewing.decide(self.db, row.id, target=State.ACCEPTED, actor="ada")
        held = await creating.claim(self.db, row.id, pace=PACE, holder="w")
        return await creating.settle_uncertain(self.db, held, status=None, detail="cut", actor="w", timings={})

    def bake(self, row=None):
        address = "http://p.example/l.jpg"
        marked = cakes.with_marker(address, row.marker) if row else address
        return self.sample.cakes.add(NewCake(name="Lemon", comment="Lemon", image_url=marked, yum_factor=3))

    async def get(self, row):
        return await submissions.get(self.db, row.id)


async def test_what_is_found_was_created_and_is_shown_without_its_marker(bench):
    row = await bench.uncertain()
    item = bench.bake(row)

    assert 1 == await bench.settler.round()

    found = await bench.get(row)
    assert (State.CREATED, str(item["id"]), "http://p.example/l.jpg") == (
        found.state, found.upstream_id, found.cake["imageUrl"],
    )  # fmt: skip
    assert "found by its marker" == (await submissions.history(bench.db, row.id))[-1].note


async def test_all_pages_are_looked_at(bench):
    for _ in range(25):
        bench.bake()
    row = await bench.uncertain()
    bench.bake(row)

    await bench.settler.round()

    assert State.CREATED == (await bench.get(row)).state


async def test_what_is_not_found_stays_parked(bench):
    row = await bench.uncertain()
    bench.bake()

    assert 0 == await bench.settler.round()

    found = await bench.get(row)
    assert (State.UNCERTAIN, Reason.UPSTREAM_UNCERTAIN) == (found.state, found.reason)


async def test_without_uncertain_rows_the_upstream_is_not_asked(bench):
    bench.sample.faults = Faults(down=True)

    assert 0 == await bench.settler.round()


async def test_an_upstream_that_is_down_settles_nothing_and_is_said_so(bench):
    row = await bench.uncertain()
    bench.sample.faults = Faults(down=True)

    with pytest.raises(errors.UpstreamError):
        await bench.settler.round()

    assert State.UNCERTAIN == (await bench.get(row)).state


async def test_two_cakes_with_one_marker_are_an_alarm_and_one_of_them_counts(bench):
    row = await bench.uncertain()
    first = bench.bake(row)
    bench.bake(row)

    assert 1 == await bench.settler.round()

    assert str(first["id"]) == (await bench.get(row)).upstream_id
