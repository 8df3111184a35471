"""Submissions that two models judged and people decided on, put into a database by the functions of the processes."""

import hashlib
import uuid

from cakegate.adapters.store import judging, renditions, reviewing, sampling, shadowing, submissions
from cakegate.domain import cakes, verdicts
from cakegate.domain import renditions as kinds
from cakegate.domain.submissions import Picture, State, SubmissionId

THRESHOLDS = verdicts.Thresholds(accept=0.7, review=0.3)
PRIMARY = verdicts.Model(name="old", version="1", sha256="a" * 64)
SHADOW = verdicts.Model(name="new", version="2", sha256="b" * 64)


class Judged:
    """Judges by hand: scores instead of pictures."""

    def __init__(self, db) -> None:
        self.db = db

    async def submission(self, primary, shadow=None, *, flaw=None, host="shop.example", content=None):
        """A submission judged by both; sampled where it is accepted. `content` is its picture's only rendition."""
        new = submissions.NewSubmission(
            id=SubmissionId(uuid.uuid4()),
            draft=cakes.CakeDraft(name="Lemon", comment="Lemon", image_url=f"http://{host}/l.jpg", yum_factor=3),
        )
        await submissions.insert(self.db, new)
        held = await judging.claim(self.db, new.id, lease_seconds=60, holder="w")
        verdict = _verdict(primary, PRIMARY)
        outcome = verdicts.Outcome(decision=verdicts.Decision.REVIEW, flaw=flaw) if flaw else None
        sha256 = hashlib.sha256(content or new.id.bytes).digest()
        row = await judging.settle_verdict(
            self.db, held, verdict=verdict, outcome=outcome, sampled=True, actor="w", timings={},
            picture=Picture(sha256=sha256, size_bytes=1, format="jpeg", width=1, height=1),
        )  # fmt: skip
        if shadow is not None:
            await shadowing.record(self.db, row.id, _verdict(shadow, SHADOW))
        if content is not None:
            await self.rendered(row, content)
        return row

    async def rendered(self, row, content):
        made = kinds.Rendition(
            preset=kinds.Preset.WEB, format=kinds.Format.JPEG, width=1, height=1, content=b"\xff\xd8" + content
        )
        await renditions.TableBlobs(self.db).put([kinds.blob(row.picture.sha256, made)])
        await renditions.record(self.db, row.picture.sha256, [made], submission_id=row.id)

    async def says(self, row, *, cake):
        """A person's word: the decision on one in review, an opinion on one that was sampled."""
        if row.state is State.REVIEW:
            target = State.ACCEPTED if cake else State.REJECTED
            await reviewing.decide(self.db, row.id, target=target, actor="staff")
        else:
            opinion = verdicts.Opinion.CAKE if cake else verdicts.Opinion.NOT_CAKE
            await sampling.say(self.db, row.id, opinion=opinion, actor="staff")


def _verdict(score, model):
    return verdicts.Verdict(
        score=score, decision=verdicts.decide(score, THRESHOLDS), thresholds=THRESHOLDS, model=model
    )
