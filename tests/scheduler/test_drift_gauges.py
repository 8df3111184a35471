"""The leader measures how far the latest scores have moved from those that their model was validated on."""

import uuid

import pytest
from prometheus_client import REGISTRY

from cakegate import settings
from cakegate.adapters.store import judging, models, submissions
from cakegate.domain import cakes, verdicts
from cakegate.domain.submissions import Picture, SubmissionId
from cakegate.scheduler import sweep

MODEL = verdicts.Model(name="starter", version="1", sha256="0" * 64)
THRESHOLDS = verdicts.Thresholds(accept=0.7, review=0.3)
#: Sure of itself, and right.
HISTOGRAM = {"cake": [*[0] * 19, 1000], "not_cake": [1000, *[0] * 19]}


@pytest.fixture
def sweeper(db, work):
    return sweep.Sweeper(settings.Scheduler(), db, work)


async def judged(db, score):
    draft = cakes.CakeDraft(name="Lemon", comment="Lemon", image_url="http://p.example/l.jpg", yum_factor=3)
    new = submissions.NewSubmission(id=SubmissionId(uuid.uuid4()), draft=draft)
    await submissions.insert(db, new)
    held = await judging.claim(db, new.id, lease_seconds=60, holder="w")
    verdict = verdicts.Verdict(
        score=score, decision=verdicts.decide(score, THRESHOLDS), thresholds=THRESHOLDS, model=MODEL
    )
    picture = Picture(sha256=b"1" * 32, size_bytes=1, format="jpeg", width=1, height=1)
    await judging.settle_verdict(db, held, verdict=verdict, picture=picture, actor="w", timings={})


def gauge(name, **labels):
    return REGISTRY.get_sample_value(name, {"model": "starter", "version": "1", **labels})


async def test_a_round_measures_drift_and_a_model_that_judges_no_more_is_gone(db, sweeper):
    await models.remember(db, models.Loaded(model=MODEL, thresholds=THRESHOLDS, histogram=HISTOGRAM))
    for score in (0.99, 0.98, 0.5, 0.02):
        await judged(db, score)

    await sweeper.round()

    assert 4 == gauge("cakegate_score_drift_verdicts")
    mixed, validation = (gauge("cakegate_score_drift", against=each) for each in ("mix", "validation"))
    assert 0.25 < mixed <= validation

    await db.execute("DELETE FROM verdicts")
    sweeper._samples_due = 0.0
    await sweeper.round()

    assert gauge("cakegate_score_drift", against="mix") is None
