"""Samples of what was accepted, and what people say of them: nothing of the submission ever changes by it."""

import uuid

import pytest
from store_shapes import MODEL, PICTURE, THRESHOLDS

from cakegate.adapters.store import judging, sampling, submissions
from cakegate.domain import errors, verdicts
from cakegate.domain.verdicts import Opinion


async def test_an_accepted_submission_is_shown_until_somebody_says_what_it_is(db, put):
    row = await put.judged(0.9, sampled=True)

    (shown,) = await sampling.listing(db)
    said = await sampling.say(db, row.id, opinion=Opinion.NOT_CAKE, actor="ada", note="a hat")

    assert (row.id, "Lemon cheesecake", 0.9, MODEL, None) == (
        shown.submission_id,
        shown.name,
        shown.score,
        shown.model,
        shown.opinion,
    )
    assert (Opinion.NOT_CAKE, "ada", "a hat") == (said.opinion, said.said_by, said.note)
    assert [] == await sampling.listing(db)
    assert [said] == await sampling.listing(db, seen=True)


async def test_an_opinion_changes_nothing_of_its_submission(db, put):
    row = await put.judged(0.9, sampled=True)
    before, steps = await submissions.get(db, row.id), await submissions.history(db, row.id)

    await sampling.say(db, row.id, opinion=Opinion.NOT_CAKE, actor="ada")

    assert (before, steps) == (await submissions.get(db, row.id), await submissions.history(db, row.id))


async def test_being_sampled_changes_nothing_either(db, put):
    sampled, other = await put.judged(0.9, sampled=True), await put.judged(0.9)

    assert (other.state, other.reason, other.detail) == (sampled.state, sampled.reason, sampled.detail)
    assert [(None, "pending"), ("pending", "judging"), ("judging", "accepted")] == [
        (step.origin, step.target) for step in await submissions.history(db, sampled.id)
    ]


@pytest.mark.parametrize("score", [0.1, 0.5])
async def test_what_is_not_accepted_is_never_a_sample(db, put, score):
    await put.judged(score, sampled=True)

    assert [] == await sampling.listing(db)


async def test_a_worker_that_lost_its_lease_samples_nothing(db, put):
    held = await put.judging()
    await judging.release(db, held, wait_seconds=0, detail=None, actor="worker-1")
    verdict = verdicts.Verdict(score=0.9, decision=verdicts.Decision.ACCEPT, thresholds=THRESHOLDS, model=MODEL)

    with pytest.raises(errors.LeaseLost):
        await judging.settle_verdict(
            db, held, verdict=verdict, picture=PICTURE, actor="worker-1", timings={}, sampled=True
        )

    assert [] == await sampling.listing(db)
    assert [] == await db.fetch("SELECT id FROM verdicts")


async def test_the_last_word_counts(db, put):
    row = await put.judged(0.9, sampled=True)

    for opinion, actor in ((Opinion.NOT_CAKE, "ada"), (Opinion.CAKE, "bob")):
        await sampling.say(db, row.id, opinion=opinion, actor=actor)

    assert [(Opinion.CAKE, "bob")] == [(each.opinion, each.said_by) for each in await sampling.listing(db, seen=True)]


async def test_a_note_may_hold_what_postgres_cannot(db, put):
    row = await put.judged(0.9, sampled=True)

    said = await sampling.say(db, row.id, opinion=Opinion.CAKE, actor="ada", note="a\0b\udcff")

    assert "a\ufffdb?" == said.note


async def test_nothing_is_said_of_what_nobody_sampled(db, put):
    row = await put.accepted()

    with pytest.raises(errors.SampleNotFound):
        await sampling.say(db, row.id, opinion=Opinion.CAKE, actor="ada")
    with pytest.raises(errors.SubmissionNotFound):
        await sampling.say(db, uuid.uuid4(), opinion=Opinion.CAKE, actor="ada")


async def test_samples_are_counted_by_model_and_opinion(db, put):
    rows = [await put.judged(0.9, sampled=True) for _ in range(4)]
    for row, opinion in zip(rows, [Opinion.CAKE, Opinion.CAKE, Opinion.NOT_CAKE], strict=False):
        await sampling.say(db, row.id, opinion=opinion, actor="ada")
    await put.accepted()

    counted = {
        (each.model_name, each.model_version, each.opinion): each.count for each in await sampling.counts(db, days=1)
    }

    assert {
        ("test", "1", Opinion.CAKE): 2,
        ("test", "1", Opinion.NOT_CAKE): 1,
        ("test", "1", None): 1,
    } == counted
    await db.execute("UPDATE samples SET sampled_at = now() - interval '2 days'")
    assert [] == await sampling.counts(db, days=1)


async def test_what_was_sampled_first_is_shown_first(db, put):
    rows = [await put.judged(0.9, sampled=True) for _ in range(3)]
    await db.execute(
        "UPDATE samples SET sampled_at = now() - interval '1 day' WHERE submission_id = %(id)s", {"id": rows[2].id}
    )

    assert [rows[2].id, rows[0].id] == [each.submission_id for each in await sampling.listing(db, limit=2)]
