"""A verdict whose score is not a number, as a strange model gives it, is a person's, who must be able to read it."""

import math
from datetime import UTC, datetime

from cakegate.adapters.store import shadowing, submissions
from cakegate.domain import verdicts
from cakegate.domain.submissions import Reason, State


async def test_a_score_that_is_not_a_number_is_kept_and_left_to_a_person(db, put):
    row = await put.judged(math.nan)

    (found,) = await submissions.listing(db, states=[State.REVIEW])

    assert (row.id, Reason.DOUBTFUL) == (found.id, found.reason)
    assert math.isnan(found.verdict.score)
    assert [verdicts.Label(name="other cake", score=0.25)] == found.verdict.labels


async def test_a_shadow_may_say_it_too(db, put):
    row = await put.judged(math.nan)

    await shadowing.record(db, row.id, row.verdict)

    (found,) = [each async for each in shadowing.pairs(db, since=datetime(2020, 1, 1, tzinfo=UTC))]
    assert math.isnan(found.shadow_score)
