"""What people said, as labels: of what was in review and of what was sampled, each once and in order."""

from datetime import timedelta

import pytest
from store_shapes import MODEL, PICTURE

from cakegate.adapters.store import labelling, reviewing, sampling
from cakegate.domain import verdicts
from cakegate.domain.submissions import Reason, State
from cakegate.domain.verdicts import Decision, Opinion


async def labels(db, **options):
    return [each async for each in labelling.labelled(db, **options)]


@pytest.fixture
async def said(db, put):
    """Three words of people, oldest first, among submissions that nobody said anything of."""
    await put.judged(0.5)
    await put.judged(0.9, sampled=True)
    await put.created()
    approved, rejected, sampled = await put.judged(0.6), await put.judged(0.4), await put.judged(0.95, sampled=True)
    await reviewing.decide(db, approved.id, target=State.ACCEPTED, actor="ada", note="with candles")
    await reviewing.decide(db, rejected.id, target=State.REJECTED, actor="bob")
    await sampling.say(db, sampled.id, opinion=Opinion.NOT_CAKE, actor="ada")
    return [approved.id, rejected.id, sampled.id]


async def test_a_label_is_whatever_a_person_said_beside_what_the_model_did(db, said):
    found = await labels(db)

    assert [
        (said[0], Opinion.CAKE, "ada", "with candles", Reason.DOUBTFUL, 0.6, Decision.REVIEW),
        (said[1], Opinion.NOT_CAKE, "bob", None, Reason.DOUBTFUL, 0.4, Decision.REVIEW),
        (said[2], Opinion.NOT_CAKE, "ada", None, None, 0.95, Decision.ACCEPT),
    ] == [
        (each.submission_id, each.opinion, each.said_by, each.note, each.reason, each.score, each.decision)
        for each in found
    ]
    assert {(MODEL, PICTURE.sha256, "p.example")} == {
        (each.model, each.image_sha256, each.source_host) for each in found
    }


@pytest.mark.parametrize("batch", [1, 2, 3, 500])
async def test_batches_of_any_size_give_all_of_them_once(db, said, batch):
    assert said == [each.submission_id for each in await labels(db, batch=batch)]


async def test_words_of_the_same_moment_are_not_lost_between_batches(db, said):
    await db.execute("UPDATE transitions SET at = now() WHERE origin = 'review'")
    await db.execute("UPDATE samples SET said_at = (SELECT max(at) FROM transitions) WHERE opinion IS NOT NULL")

    assert sorted(said) == [each.submission_id for each in await labels(db, batch=1)]


async def test_only_what_was_said_since_is_given(db, said):
    second = (await labels(db))[1].said_at

    assert said[1:] == [each.submission_id for each in await labels(db, since=second)]
    assert said[2:] == [each.submission_id for each in await labels(db, since=second + timedelta(microseconds=1))]


async def test_a_flaw_that_may_have_decided_is_named(db, put):
    flawed = verdicts.Outcome(
        decision=Decision.REVIEW, flaw=verdicts.Flaw.BLURRED, detail="sharpness 0.1; 0.2 is wanted"
    )
    row = await put.judged(0.99, outcome=flawed)
    await reviewing.decide(db, row.id, target=State.REJECTED, actor="ada")

    assert [(Reason.BLURRED, Opinion.NOT_CAKE, Decision.ACCEPT)] == [
        (each.reason, each.opinion, each.decision) for each in await labels(db)
    ]


async def test_a_word_on_what_only_a_newer_release_asks_for_is_left_to_it(db, said):
    await db.execute(
        "UPDATE transitions SET reason = 'sideways' WHERE target = 'review' AND submission_id = %(id)s", {"id": said[0]}
    )

    assert said[1:] == [each.submission_id for each in await labels(db)]
