"""Settling creates whose answer was lost, against a real sample API: by what is found, and by what is proved absent."""

import uuid

import pytest

from cakegate import settings
from cakegate.adapters import upstream
from cakegate.adapters.store import creating, deletions, pool, reviewing, settling, submissions
from cakegate.domain import cakes, errors
from cakegate.domain.submissions import Reason, State, SubmissionId
from cakegate.local.sample import Faults, NewCake
from cakegate.scheduler import confirm, settle

PLAIN = NewCake(name="Lemon", comment="Lemon", image_url="http://p.example/l.jpg", yum_factor=3)
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
    yield Bench(db, sample_api, legacy, settle.Settler(config, db, legacy))
    await legacy.close()
    await db.close()


class Bench:
    def __init__(self, db, sample_api, legacy, settler):
        self.db, self.sample, self.legacy, self.settler = db, sample_api, legacy, settler

    async def accepted(self):
        draft = cakes.CakeDraft(name="Lemon", comment="Lemon", image_url="http://p.example/l.jpg", yum_factor=3)
        new = submissions.NewSubmission(id=SubmissionId(uuid.uuid4()), draft=draft)
        row = (await submissions.insert(self.db, new)).submission
        # The shortest way to an accepted row: a person's word on a review.
        await self.db.execute(f"UPDATE submissions SET state = 'review', reason = 'doubtful' WHERE id = '{row.id}'")
        return await reviewing.decide(self.db, row.id, target=State.ACCEPTED, actor="ada")

    async def claimed(self, row=None, *, marked=True):
        row = row or await self.accepted()
        return await creating.claim(self.db, row.id, pace=PACE, holder="w", marked=marked)

    async def uncertain(self, row=None, *, marked=True, ripe=False):
        """`ripe`: sent so long ago that the upstream is done with it."""
        if ripe and marked:
            await self.witness()
        held = await self.claimed(row, marked=marked)
        if ripe:
            await self.db.execute("UPDATE submissions SET send_deadline_at = now() - interval '1 day'")
        return await creating.settle_uncertain(self.db, held, status=None, detail="cut", actor="w", timings={})

    async def witness(self):
        """A cake of ours that is there: without one no scan proves anything."""
        if not await settling.living(self.db):
            await self.created()

    async def created(self):
        held = await self.claimed()
        item = self.bake(held)
        return await creating.settle_created(
            self.db, held, upstream_id=str(item["id"]), cake=item, status=200, actor="w", timings={}
        )

    async def rounds(self, count):
        return [await self.settler.round() for _ in range(count)]

    async def delete_through_us(self, row, cake_id, *, outcome=deletions.Outcome.DELETED):
        item = self.sample.cakes.delete(int(cake_id)) or {"id": cake_id, "imageUrl": row.draft.image_url}
        number = await deletions.record(self.db, str(cake_id), marker=row.marker, item=item)
        await deletions.settle(self.db, number, outcome)

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


async def test_what_may_still_be_on_its_way_is_not_absent_however_often_it_is_not_found(bench):
    row = await bench.uncertain()
    bench.bake()

    assert [0, 0, 0] == await bench.rounds(3)

    found = await bench.get(row)
    assert (State.UNCERTAIN, Reason.UPSTREAM_UNCERTAIN) == (found.state, found.reason)


async def test_what_two_scans_do_not_find_is_sent_again_under_its_marker(bench):
    row = await bench.uncertain(ripe=True)
    bench.bake()

    assert [0, 1] == await bench.rounds(2)

    again = await bench.claimed(await bench.get(row))
    assert (State.CREATING, row.marker, 2) == (again.state, again.marker, again.create_attempts)
    assert "proved absent by two scans" == (await submissions.history(bench.db, row.id))[-2].note


async def test_a_scan_that_broke_off_proves_nothing(bench):
    row = await bench.uncertain(ripe=True)
    await bench.settler.round()
    bench.sample.faults = Faults(down=True)
    with pytest.raises(errors.UpstreamError):
        await bench.settler.round()

    assert State.UNCERTAIN == (await bench.get(row)).state


async def test_the_third_absence_fails_and_a_person_may_try_again(bench):
    row = await bench.accepted()
    for _ in range(3):
        row = await bench.uncertain(await bench.get(row), ripe=True)
        await bench.rounds(2)

    failed = await bench.get(row)
    assert (State.FAILED, Reason.UPSTREAM_ABSENT) == (failed.state, failed.reason)

    await reviewing.replay(bench.db, row.id, actor="ada")
    await bench.uncertain(await bench.get(row), ripe=True)
    await bench.rounds(2)
    assert State.ACCEPTED == (await bench.get(row)).state


async def test_what_was_deleted_through_us_before_it_was_found_is_not_made_again(bench):
    row = await bench.uncertain(ripe=True)
    await bench.delete_through_us(row, bench.bake(row)["id"], outcome=deletions.Outcome.UNCERTAIN)

    assert [0, 1] == await bench.rounds(2)

    found = await bench.get(row)
    assert (State.CREATED, "2", "http://p.example/l.jpg") == (
        found.state, found.upstream_id, found.cake["imageUrl"],
    )  # fmt: skip
    assert found.deleted_at is not None


async def test_what_was_deleted_before_the_answer_to_its_create_came_is_marked_deleted(bench):
    held = await bench.claimed()
    item = bench.bake(held)
    await bench.delete_through_us(held, item["id"])

    settled = await creating.settle_created(
        bench.db, held, upstream_id=str(item["id"]), cake=item, status=200, actor="w", timings={}
    )

    assert settled.deleted_at is not None


async def test_a_word_that_comes_too_late_is_about_another_attempt(bench):
    row = await bench.uncertain(ripe=True)
    (proved,) = await settling.parked(bench.db, limit=1, write_max_seconds=1)
    await bench.rounds(2)
    await bench.uncertain(await bench.get(row), ripe=True)

    assert await settling.settle_absent(bench.db, proved, image_url_field="imageUrl", actor="an old leader") is None
    assert State.UNCERTAIN == (await bench.get(row)).state


async def test_a_new_attempt_needs_a_proof_of_its_own(bench):
    row = await bench.uncertain(ripe=True)
    await bench.settler.round()
    await reviewing.say_absent(bench.db, row.id, write_max_seconds=1, actor="ada")
    await bench.uncertain(await bench.get(row), ripe=True)

    assert [0, 1] == await bench.rounds(2)


async def test_what_carries_no_marker_is_proposed_to_a_person_and_not_settled(bench):
    row = await bench.uncertain(marked=False, ripe=True)
    item = bench.bake()

    assert [0, 0, 0] == await bench.rounds(3)

    assert State.UNCERTAIN == (await bench.get(row)).state
    assert str(item["id"]) == (await settling.proposal(bench.db, row.id)).cake_id


async def test_one_cake_is_proposed_once_and_none_that_is_a_submission_s_own(bench):
    found = await bench.uncertain()
    bench.bake(found)
    await bench.settler.round()
    # A PUT past us may strip a marker; the id tells whose it is.
    bench.sample.cakes.replace(1, PLAIN)
    rows = [await bench.uncertain(marked=False) for _ in range(3)]
    others = {str(bench.bake()["id"]) for _ in range(2)}

    await bench.rounds(2)

    proposed = [await settling.proposal(bench.db, row.id) for row in rows]
    assert [True, True, False] == [each is not None for each in proposed]
    assert others == {each.cake_id for each in proposed[:2]}


async def test_a_person_is_told_that_nothing_like_it_was_found_and_no_more_scans_are_made_for_it(bench):
    row = await bench.uncertain(marked=False, ripe=True)
    await bench.witness()
    await bench.rounds(2)
    bench.sample.faults = Faults(down=True)

    assert 0 == await bench.settler.round()
    assert "no cake like it was found upstream" == (await bench.get(row)).detail


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


async def test_a_delete_whose_answer_was_lost_is_settled_by_asking_for_the_cake(bench):
    gone, there, other = [await bench.created() for _ in range(3)]
    bench.sample.cakes.delete(int(gone.upstream_id))
    bench.sample.cakes.replace(int(other.upstream_id), PLAIN)  # its id is another cake's by now
    for row, outcome in ((gone, "requested"), (there, "uncertain"), (other, "uncertain")):
        await deletions.record(
            bench.db, row.upstream_id, marker=row.marker, item=row.cake, outcome=deletions.Outcome(outcome)
        )

    confirmer = confirm.Confirmer(bench.db, bench.legacy, write_max_seconds=0)

    assert 3 == await confirmer.round()
    assert 0 == await confirmer.round()

    assert ["absent", "refused", "absent"] == [each.outcome for each in (await deletions.newest(bench.db))[::-1]]
    assert [True, False, True] == [(await bench.get(row)).deleted_at is not None for row in (gone, there, other)]


async def test_a_delete_that_may_still_be_on_its_way_is_left_alone(bench):
    row = await bench.created()
    await deletions.record(bench.db, row.upstream_id, marker=row.marker, item=row.cake)

    assert 0 == await confirm.Confirmer(bench.db, bench.legacy, write_max_seconds=60).round()


async def test_a_cake_that_the_upstream_cannot_show_keeps_up_no_other_deletion(bench, monkeypatch):
    monkeypatch.setattr(confirm, "_BATCH", 1)
    broken, gone = await bench.created(), await bench.created()
    for row in (broken, gone):
        await deletions.record(bench.db, row.upstream_id, marker=row.marker, item=row.cake)
    bench.sample.cakes.delete(int(gone.upstream_id))
    confirmer = confirm.Confirmer(bench.db, bench.legacy, write_max_seconds=0)

    bench.sample.faults = Faults(error_share=1)
    assert 0 == await confirmer.round()
    bench.sample.faults = Faults()
    assert 1 == await confirmer.round()

    assert (await bench.get(gone)).deleted_at is not None


@pytest.mark.parametrize("trouble", ["no cake was ever created", "fragments are dropped", "the list is empty"])
async def test_a_scan_without_a_witness_proves_nothing(bench, trouble):
    row = await bench.uncertain(ripe=trouble != "no cake was ever created")
    await bench.db.execute("UPDATE submissions SET send_deadline_at = now() - interval '1 day'")
    if trouble == "fragments are dropped":
        bench.sample.cakes.replace(1, PLAIN)
    elif trouble == "the list is empty":
        bench.sample.cakes.delete(1)

    assert [0, 0, 0] == await bench.rounds(3)

    assert State.UNCERTAIN == (await bench.get(row)).state


async def test_a_text_that_postgres_does_not_take_stops_nothing(bench):
    row, other = await bench.uncertain(), await bench.uncertain()
    marked = cakes.with_marker("http://p.example/l.jpg", row.marker)
    bench.sample.cakes.add(NewCake(name="Lem\0n", comment="Lemon", image_url=marked, yum_factor=3))
    bench.bake(other)

    assert 2 == await bench.settler.round()

    assert "Lem\ufffdn" == (await bench.get(row)).cake["name"]


async def test_nobody_is_told_that_nothing_was_found_beside_what_was_found(bench):
    row = await bench.uncertain(marked=False, ripe=True)
    await bench.witness()
    await bench.settler.round()
    bench.bake()
    await bench.rounds(2)

    assert await settling.proposal(bench.db, row.id) is not None
    assert "cut" == (await bench.get(row)).detail


async def test_the_next_attempt_of_an_unmarked_create_is_looked_for_anew(bench):
    row = await bench.uncertain(marked=False, ripe=True)
    await bench.witness()
    bench.bake()
    await bench.settler.round()
    await reviewing.say_absent(bench.db, row.id, write_max_seconds=1, actor="ada")
    await bench.uncertain(await bench.get(row), marked=False, ripe=True)

    assert await settling.proposal(bench.db, row.id) is None
    await bench.settler.round()
    assert await settling.proposal(bench.db, row.id) is not None
