"""What keeps a picture from being judged, and what follows for its submission."""

import math
import uuid

import hypothesis.strategies as st
import pytest
from hypothesis import given

from cakegate.domain import submissions, verdicts
from cakegate.domain.submissions import Reason, State
from cakegate.domain.verdicts import Decision, Flaw, Minima, Quality

MINIMA = Minima(shortest_side_pixels=64, contrast=4.0, sharpness=0.3)
NOTHING_ASKED = Minima(shortest_side_pixels=0, contrast=0.0, sharpness=0.0)
GOOD = Quality(shortest_side_pixels=64, contrast=4.0, sharpness=0.3)
MODEL = verdicts.Model(name="test", version="1", sha256="0" * 64)

qualities = st.builds(
    Quality,
    shortest_side_pixels=st.integers(1, 5000),
    contrast=st.floats(0, 127.5) | st.just(math.nan),
    sharpness=st.floats(0, 5) | st.just(math.nan),
)
minima = st.builds(
    Minima,
    shortest_side_pixels=st.integers(0, 5000),
    contrast=st.floats(0, 128),
    sharpness=st.floats(0, 5),
)


def verdict(score):
    thresholds = verdicts.Thresholds(accept=0.7, review=0.3)
    return verdicts.Verdict(
        score=score, decision=verdicts.decide(score, thresholds), thresholds=thresholds, model=MODEL
    )


@pytest.mark.parametrize(
    ("quality", "flaw"),
    [
        (GOOD, None),
        (Quality(shortest_side_pixels=63, contrast=50.0, sharpness=1.0), Flaw.TOO_SMALL),
        (Quality(shortest_side_pixels=640, contrast=3.9, sharpness=1.0), Flaw.BLANK),
        (Quality(shortest_side_pixels=640, contrast=50.0, sharpness=0.29), Flaw.BLURRED),
        (Quality(shortest_side_pixels=640, contrast=0.0, sharpness=0.0), Flaw.BLANK),
        (Quality(shortest_side_pixels=1, contrast=0.0, sharpness=0.0), Flaw.TOO_SMALL),
        (Quality(shortest_side_pixels=640, contrast=math.nan, sharpness=1.0), Flaw.BLANK),
        (Quality(shortest_side_pixels=640, contrast=50.0, sharpness=math.nan), Flaw.BLURRED),
    ],
)
def test_the_plainest_flaw_is_named(quality, flaw):
    assert flaw == verdicts.flaw(quality, MINIMA)


@given(quality=qualities)
def test_where_nothing_is_asked_nothing_is_missing(quality):
    assert verdicts.flaw(quality, NOTHING_ASKED) is None


@given(quality=qualities, minima=minima, more=st.floats(1, 10))
def test_a_better_picture_is_never_flawed_where_a_worse_one_is_not(quality, minima, more):
    better = Quality(
        shortest_side_pixels=math.ceil(quality.shortest_side_pixels * more),
        contrast=quality.contrast * more,
        sharpness=quality.sharpness * more,
    )

    if verdicts.flaw(quality, minima) is None:
        assert verdicts.flaw(better, minima) is None


@given(score=st.floats(0, 1), quality=qualities, minima=minima)
def test_a_flaw_goes_to_a_person_whatever_the_score_and_nothing_else_is_changed(score, quality, minima):
    said = verdict(score)

    outcome = verdicts.after(said, quality, minima)

    if outcome.flaw is None:
        assert (said.decision, None) == (outcome.decision, outcome.detail)
    else:
        assert (Decision.REVIEW, verdicts.flaw(quality, minima)) == (outcome.decision, outcome.flaw)
        assert outcome.detail


@pytest.mark.parametrize(
    ("quality", "detail"),
    [
        (Quality(shortest_side_pixels=48, contrast=50.0, sharpness=1.0), "shorter side 48 px; 64 are wanted"),
        (Quality(shortest_side_pixels=640, contrast=1.2345, sharpness=0.0), "contrast 1.23; 4 is wanted"),
        (Quality(shortest_side_pixels=640, contrast=50.0, sharpness=0.12345), "sharpness 0.123; 0.3 is wanted"),
    ],
)
def test_a_flaw_is_said_with_what_was_measured_and_what_is_wanted(quality, detail):
    assert detail == verdicts.after(verdict(0.9), quality, MINIMA).detail


@pytest.mark.parametrize(
    ("outcome", "state", "reason"),
    [
        (verdicts.Outcome(decision=Decision.ACCEPT), State.ACCEPTED, None),
        (verdicts.Outcome(decision=Decision.REVIEW), State.REVIEW, Reason.DOUBTFUL),
        (verdicts.Outcome(decision=Decision.REJECT), State.REJECTED, Reason.NOT_A_CAKE),
        (verdicts.Outcome(decision=Decision.REVIEW, flaw=Flaw.TOO_SMALL), State.REVIEW, Reason.TOO_SMALL),
        (verdicts.Outcome(decision=Decision.REVIEW, flaw=Flaw.BLANK), State.REVIEW, Reason.BLANK),
        (verdicts.Outcome(decision=Decision.REVIEW, flaw=Flaw.BLURRED), State.REVIEW, Reason.BLURRED),
    ],
)
def test_every_outcome_has_a_state_and_a_reason(outcome, state, reason):
    assert (state, reason) == submissions.after_verdict(outcome)
    submissions.check_transition(State.JUDGING, state)


@given(submission_id=st.uuids(), share=st.floats(0, 1), more=st.floats(0, 1))
def test_whether_one_is_sampled_depends_on_its_id_alone_and_grows_with_the_share(submission_id, share, more):
    low, high = sorted((share, more))

    first, again = (submissions.is_sampled(submission_id, share=low) for _ in range(2))

    assert first == again
    assert first <= submissions.is_sampled(submission_id, share=high)


@given(submission_id=st.uuids())
def test_a_share_of_nothing_holds_none_and_one_of_all_every_one(submission_id):
    assert (False, True) == tuple(submissions.is_sampled(submission_id, share=share) for share in (0.0, 1.0))


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_share_is_what_it_says(share):
    ids = [uuid.UUID(int=number) for number in range(20_000)]

    found = sum(submissions.is_sampled(each, share=share) for each in ids)

    # Five standard deviations of as many throws of dice.
    assert abs(found - share * len(ids)) < 5 * math.sqrt(len(ids) * share * (1 - share))
