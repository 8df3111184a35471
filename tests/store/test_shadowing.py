"""Shadows' verdicts beside those that count, and the models that workers wrote down."""

import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from store_shapes import MODEL, PICTURE, THRESHOLDS

from cakegate.adapters.store import judging, models, reviewing, shadowing, submissions
from cakegate.domain import verdicts
from cakegate.domain.submissions import State

SHADOW = verdicts.Model(name="shadow", version="2", sha256="1" * 64)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
HISTOGRAM = {"cake": [1] * 20, "not_cake": [2] * 20}


def verdict(score, *, model=SHADOW):
    return verdicts.Verdict(
        score=score,
        decision=verdicts.decide(score, THRESHOLDS),
        thresholds=THRESHOLDS,
        model=model,
        labels=[verdicts.Label(name="cake", score=score)],
    )


async def pairs(db, *, since=LONG_AGO, batch=2000):
    return [each async for each in shadowing.pairs(db, since=since, batch=batch)]


async def test_a_shadows_verdict_changes_nothing_of_a_submission(db, put):
    row = await put.judged(0.9)
    before = await submissions.get(db, row.id)

    await shadowing.record(db, row.id, verdict(0.1))

    assert before == await submissions.get(db, row.id)
    assert 0.9 == before.verdict.score


async def test_both_verdicts_on_a_picture_are_a_pair(db, put):
    row = await put.judged(0.9)
    await put.judged(0.2)
    await shadowing.record(db, row.id, verdict(0.4))

    (found,) = await pairs(db)

    assert (row.id, MODEL, SHADOW) == (found.submission_id, found.primary, found.shadow)
    assert (0.9, "accept", 0.4, "review") == (
        found.primary_score, found.primary_decision, found.shadow_score, found.shadow_decision,
    )  # fmt: skip


async def test_a_pair_is_of_one_judging(db, put):
    row = await put.judged(0.5)
    await shadowing.record(db, row.id, verdict(0.6))
    await db.execute("UPDATE submissions SET state = 'failed', reason = 'image-unreachable'")
    await reviewing.replay(db, row.id, actor="staff")
    held = await judging.claim(db, row.id, lease_seconds=60, holder="worker-1")
    await judging.settle_verdict(
        db, held, verdict=verdict(0.8, model=MODEL), picture=PICTURE, actor="worker-1", timings={}
    )
    await shadowing.record(db, row.id, verdict(0.7))

    assert [(0.5, 0.6), (0.8, 0.7)] == [(each.primary_score, each.shadow_score) for each in await pairs(db)]


async def test_pairs_come_once_each_in_batches_of_any_size(db, put):
    for number in range(7):
        row = await put.judged(0.9)
        await shadowing.record(db, row.id, verdict(number / 10))
    await db.execute("UPDATE verdicts SET judged_at = now() WHERE role = 'shadow'")

    expected = [number / 10 for number in range(7)]
    for batch in (1, 3, 7, 100):
        assert expected == [each.shadow_score for each in await pairs(db, batch=batch)]


async def test_what_was_judged_before_is_left_out(db, put):
    row = await put.judged(0.9)
    await shadowing.record(db, row.id, verdict(0.4))

    assert [] == await pairs(db, since=datetime.now(UTC) + timedelta(hours=1))


async def test_addresses_are_looked_up_by_id(db, put):
    row = await put.judged(0.9)

    assert {row.id: "http://p.example/l.jpg"} == await shadowing.addresses(db, [row.id, uuid.uuid4()])


def loaded(**changes):
    return msgspec.structs.replace(models.Loaded(model=MODEL, thresholds=THRESHOLDS, histogram=HISTOGRAM), **changes)


async def test_scores_fall_into_the_bins_of_their_models_histogram(db, put):
    await models.remember(db, loaded())
    for score in (0.0, 0.049, 0.05, 0.95, 1.0):
        await put.judged(score)

    (found,) = await models.recent(db, most=100, days=7)

    assert (MODEL, HISTOGRAM) == (found.model, found.histogram)
    assert [2, 1, *[0] * 17, 2] == found.counts


async def test_only_verdicts_that_counted_and_the_latest_are_looked_at(db, put):
    await models.remember(db, loaded())
    await models.remember(db, loaded(model=SHADOW))
    old = await put.judged(0.1)
    await db.execute("UPDATE verdicts SET judged_at = now() - interval '8 days'")
    for _ in range(3):
        row = await put.judged(0.99)
    await shadowing.record(db, row.id, verdict(0.3))

    (found,) = await models.recent(db, most=3, days=7)
    (all_of_them,) = await models.recent(db, most=100, days=7)
    (with_old,) = await models.recent(db, most=100, days=30)

    assert ([*[0] * 19, 3], [*[0] * 19, 3]) == (found.counts, all_of_them.counts)
    assert (State.REJECTED, 1) == (old.state, with_old.counts[2])


async def test_a_score_that_is_no_number_falls_into_no_bin(db, put):
    await models.remember(db, loaded())
    await put.judged(float("nan"))
    await put.judged(0.5)

    (found,) = await models.recent(db, most=100, days=7)

    assert 1 == sum(found.counts)


async def test_a_model_without_a_histogram_or_without_verdicts_is_left_out(db, put):
    await models.remember(db, loaded(histogram={}))
    await models.remember(db, loaded(model=SHADOW))
    await put.judged(0.5)

    assert [] == await models.recent(db, most=100, days=7)


async def test_what_a_worker_says_later_of_a_model_counts(db, put):
    await models.remember(db, loaded(histogram={}))
    await models.remember(db, loaded())
    await put.judged(0.5)

    assert [HISTOGRAM] == [each.histogram for each in await models.recent(db, most=100, days=7)]


@pytest.mark.parametrize(
    "histogram",
    [
        "{}",
        '{"cake": [1, 2]}',
        '{"cake": [1, 2], "not_cake": [1]}',
        '{"cake": [], "not_cake": []}',
        '{"cake": 1}',
        "[]",
    ],
)
async def test_a_histogram_of_another_kind_is_none_to_measure_by(db, put, histogram):
    """Another release may have written it; the leader that measures has more to do than this."""
    await put.judged(0.9)
    await models.remember(db, models.Loaded(model=MODEL, thresholds=THRESHOLDS, histogram=HISTOGRAM))
    await db.execute("UPDATE models SET histogram = %(histogram)s::jsonb", {"histogram": histogram})

    assert [] == await models.recent(db, most=10, days=1)
