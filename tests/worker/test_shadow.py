"""A second model beside the first: it sees what the first sees, and nothing ever follows from it."""

import asyncio
import shutil

import msgspec
import pytest

from cakegate import settings
from cakegate.adapters import detector, metrics
from cakegate.adapters.store import models, shadowing
from cakegate.domain import errors, verdicts
from cakegate.domain.submissions import State
from cakegate.worker import introducing, judging, shadow, wiring

BINS = {"cake": [1] * 20, "not_cake": [2] * 20}


@pytest.fixture
def shadow_pack(tmp_path):
    """The starter's model under another name, by whose card nothing is a cake."""
    folder = tmp_path / "shadow"
    shutil.copytree(detector.starter_pack(), folder)
    card = msgspec.json.decode((folder / detector.CARD_FILE).read_bytes(), type=detector.Card)
    changed = msgspec.structs.replace(
        card, name="shadow", thresholds=verdicts.Thresholds(accept=1.0, review=1.0), histogram=BINS
    )
    (folder / detector.CARD_FILE).write_bytes(detector.encode_card(changed))
    return folder


@pytest.fixture
def config(config, shadow_pack):
    return msgspec.structs.replace(config, detector=settings.Detector(shadow_pack=str(shadow_pack)))


def failures():
    return metrics.SHADOW_FAILURES._value.get()


async def pairs(bakery):
    since = (await bakery.context.db.fetch_one("SELECT to_timestamp(0) AS at"))["at"]
    return [each async for each in shadowing.pairs(bakery.context.db, since=since)]


async def test_both_models_judge_and_the_first_one_decides(bakery, cake_jpeg):
    before = metrics.SHADOWED.labels("accept", "reject")._value.get()

    row = await bakery.judge(await bakery.submit(cake_jpeg))

    assert (State.ACCEPTED, "cakegate-starter") == (row.state, row.verdict.model.name)
    (found,) = await pairs(bakery)
    assert ("cakegate-starter", "shadow", "accept", "reject") == (
        found.primary.name, found.shadow.name, found.primary_decision, found.shadow_decision,
    )  # fmt: skip
    # The same file by another name: the same picture gives the same score.
    assert found.primary_score == found.shadow_score == row.verdict.score
    assert 1 == metrics.SHADOWED.labels("accept", "reject")._value.get() - before


async def test_what_is_no_cake_is_judged_by_both_too(bakery, other_jpeg):
    row = await bakery.judge(await bakery.submit(other_jpeg))

    assert State.REJECTED == row.state
    assert [row.id] == [each.submission_id for each in await pairs(bakery)]


#: A shadow's verdict waits for a lock that the test holds.
_HELD_UP = """
    CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END';
    CREATE TRIGGER hold_up BEFORE INSERT ON verdicts FOR EACH ROW WHEN (NEW.role = 'shadow') EXECUTE FUNCTION hold_up();
"""


async def test_all_that_anybody_waits_for_is_done_before_the_shadow_is(bakery, cake_jpeg):
    row = await bakery.submit(cake_jpeg)
    await bakery.context.db.execute(_HELD_UP)
    async with bakery.context.db.transaction() as ours:
        await ours.execute("SELECT pg_advisory_xact_lock(7)")
        working = asyncio.create_task(bakery.judge(row))
        held_up = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        async with asyncio.timeout(20):
            while not await bakery.context.db.fetch(held_up):
                assert not working.done(), "nothing held it up"
                await asyncio.sleep(0.01)
        settled = await bakery.get(row)
        assert (State.ACCEPTED, 1) == (settled.state, (await bakery.context.work.depths())["create"].waiting)
        assert settled.renditions_at is not None
        assert [] == await pairs(bakery)
    await working

    assert [row.id] == [each.submission_id for each in await pairs(bakery)]


async def test_a_shadow_that_fails_is_counted_and_is_nobodys_trouble(bakery, cake_jpeg):
    wrong = msgspec.structs.replace(bakery.context.judges)
    wrong.shadow.model_input = msgspec.structs.replace(wrong.shadow.model_input, side_pixels=7)
    before = failures()

    row = await bakery.judge(await bakery.submit(cake_jpeg))

    assert (State.ACCEPTED, []) == (row.state, await pairs(bakery))
    assert row.renditions_at is not None
    assert 1 == failures() - before


async def test_a_shadow_that_takes_too_long_is_given_up(bakery, cake_jpeg, monkeypatch):
    monkeypatch.setattr(shadow, "MOST_SECONDS", 0.0)
    before = failures()

    row = await bakery.judge(await bakery.submit(cake_jpeg))

    assert (State.ACCEPTED, []) == (row.state, await pairs(bakery))
    assert 1 == failures() - before


async def test_a_share_of_nothing_is_judged_by_the_first_alone(bakery, cake_jpeg):
    config = bakery.context.config
    group = msgspec.structs.replace(config.detector, shadow_share=0.0)
    bakery.context = msgspec.structs.replace(bakery.context, config=msgspec.structs.replace(config, detector=group))

    await bakery.judge(await bakery.submit(cake_jpeg))

    assert [] == await pairs(bakery)


async def test_a_worker_writes_down_its_models(bakery, cake_jpeg):
    await introducing.introduce(bakery.context)

    found = await bakery.context.db.fetch("SELECT name, histogram, accept_threshold FROM models ORDER BY name")
    # One file, two cards: what was loaded last stands.
    assert [{"name": "shadow", "histogram": BINS, "accept_threshold": 1.0}] == found
    await bakery.judge(await bakery.submit(cake_jpeg))
    assert [1] == [sum(each.counts) for each in await models.recent(bakery.context.db, most=10, days=1)]


async def test_a_worker_waits_for_the_schema_to_write_them_down_and_no_longer_than_it_lives(config):
    stopping = asyncio.Event()
    async with wiring.opened(config, ["judge"], stopping=stopping) as context:
        await context.db.execute("UPDATE schema_version SET version_num = '0003'")
        task = asyncio.create_task(introducing.introduce(context))
        stopping.set()
        await asyncio.wait_for(task, 20)

        assert [] == await context.db.fetch("SELECT * FROM models")


def test_a_shadow_with_a_bad_pack_fails_the_start(tmp_path):
    with pytest.raises(errors.InvalidPack, match=r"card\.json cannot be read"):
        judging.load_shadow(settings.Detector(shadow_pack=str(tmp_path / "missing")))


def test_a_shadow_judges_by_the_settings_as_if_it_were_the_first(shadow_pack):
    group = settings.Detector(shadow_pack=str(shadow_pack), accept_threshold=0.8, review_threshold=0.4, review_band=0.5)

    found = judging.load_shadow(group)

    assert pytest.approx((0.8, 0.6)) == (found.thresholds.accept, found.thresholds.review)
    assert judging.load_detector(group).thresholds == found.thresholds
