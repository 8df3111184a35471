"""What people say of samples, as the leader's gauges: an error rate can be drawn from them."""

import uuid

from cakegate import settings
from cakegate.adapters import metrics
from cakegate.adapters.store import judging, sampling, submissions
from cakegate.domain import cakes, verdicts
from cakegate.domain.submissions import Picture, SubmissionId
from cakegate.scheduler import sweep


async def sampled(db, *, model):
    draft = cakes.CakeDraft(name="Lemon", comment="Lemon", image_url="http://p.example/l.jpg", yum_factor=3)
    new = submissions.NewSubmission(id=SubmissionId(uuid.uuid4()), draft=draft)
    await submissions.insert(db, new)
    held = await judging.claim(db, new.id, lease_seconds=60, holder="tests")
    verdict = verdicts.Verdict(
        score=0.9,
        decision=verdicts.Decision.ACCEPT,
        thresholds=verdicts.Thresholds(accept=0.7, review=0.3),
        model=verdicts.Model(name=model, version="1", sha256="0" * 64),
    )
    picture = Picture(sha256=b"\x01" * 32, size_bytes=1234, format="jpeg", width=640, height=480)
    await judging.settle_verdict(db, held, verdict=verdict, picture=picture, actor="tests", timings={}, sampled=True)
    return new.id


def gauges():
    (family,) = metrics.SAMPLES.collect()
    return {(each.labels["model"], each.labels["opinion"]): each.value for each in family.samples}


async def test_samples_are_counted_by_what_people_say_of_them(db, work):
    first, *_ = [await sampled(db, model="older") for _ in range(3)]
    await sampling.say(db, first, opinion=verdicts.Opinion.NOT_CAKE, actor="ada")

    await sweep.Sweeper(settings.Scheduler(), db, work).round()

    assert {("older", "cake"): 0, ("older", "not-cake"): 1, ("older", "unseen"): 2} == gauges()


async def test_a_model_whose_samples_are_a_month_old_is_not_counted_any_more(db, work):
    await sampled(db, model="older")
    await sweep.Sweeper(settings.Scheduler(), db, work).round()
    await db.execute("UPDATE samples SET sampled_at = now() - interval '31 days'")
    await sampled(db, model="newer")

    await sweep.Sweeper(settings.Scheduler(), db, work).round()

    assert {("newer", "cake"): 0, ("newer", "not-cake"): 0, ("newer", "unseen"): 1} == gauges()
