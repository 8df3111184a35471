"""From a score to a decision."""

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from cakegate.domain import verdicts
from cakegate.domain.verdicts import Decision

THRESHOLDS = verdicts.Thresholds(accept=0.7, review=0.3)


@pytest.mark.parametrize(
    ("score", "decision"),
    [
        (1.0, Decision.ACCEPT),
        (0.7, Decision.ACCEPT),
        (0.6999, Decision.REVIEW),
        (0.3, Decision.REVIEW),
        (0.2999, Decision.REJECT),
        (0.0, Decision.REJECT),
    ],
)
def test_thresholds_belong_to_the_better_side(score, decision):
    assert decision == verdicts.decide(score, THRESHOLDS)


def test_a_score_that_is_no_number_goes_to_a_person():
    assert Decision.REVIEW == verdicts.decide(math.nan, THRESHOLDS)


@given(low=st.floats(0, 1), high=st.floats(0, 1), accept=st.floats(0, 1), review=st.floats(0, 1))
def test_a_higher_score_never_gets_a_worse_decision(low, high, accept, review):
    thresholds = verdicts.Thresholds(accept=max(accept, review), review=min(accept, review))
    order = [Decision.REJECT, Decision.REVIEW, Decision.ACCEPT]

    first, second = (order.index(verdicts.decide(score, thresholds)) for score in sorted((low, high)))

    assert first <= second


@pytest.mark.parametrize(("accept", "review"), [(0.3, 0.7), (1.1, 0.5), (0.5, -0.1), (math.nan, 0.5)])
def test_thresholds_out_of_order_are_refused(accept, review):
    with pytest.raises(ValueError, match="thresholds must satisfy"):
        verdicts.Thresholds(accept=accept, review=review)


def ordered(first, second):
    return verdicts.Thresholds(accept=max(first, second), review=min(first, second))


thresholds = st.builds(ordered, st.floats(0, 1), st.floats(0, 1))


@given(card=thresholds)
def test_by_default_a_card_is_taken_at_its_word(card):
    assert card == verdicts.in_force(card, accept=None, review=None, band=1.0)


@given(card=thresholds, score=st.floats(0, 1))
def test_without_a_band_nobody_is_asked_and_the_same_is_accepted(card, score):
    found = verdicts.decide(score, verdicts.in_force(card, accept=None, review=None, band=0.0))

    assert Decision.REVIEW != found
    assert (Decision.ACCEPT == verdicts.decide(score, card)) == (Decision.ACCEPT == found)


@given(card=thresholds, score=st.floats(0, 1), band=st.floats(0, 100), wider=st.floats(0, 100))
def test_a_wider_band_asks_more_of_people_and_accepts_the_same(card, score, band, wider):
    low, high = sorted((band, wider))
    narrow, wide = (
        verdicts.decide(score, verdicts.in_force(card, accept=None, review=None, band=each)) for each in (low, high)
    )

    assert (Decision.ACCEPT == narrow) == (Decision.ACCEPT == wide)
    assert not (narrow is Decision.REVIEW and wide is Decision.REJECT)


@pytest.mark.parametrize(
    ("accept", "review", "band", "expected"),
    [
        (None, None, 1.0, (0.7, 0.3)),
        (None, None, 0.5, (0.7, 0.5)),
        (None, None, 2.0, (0.7, 0.0)),
        (None, None, 0.0, (0.7, 0.7)),
        (0.9, None, 1.0, (0.9, 0.3)),
        (0.9, None, 0.5, (0.9, 0.6)),
        (0.2, None, 1.0, (0.2, 0.2)),
        (None, 0.1, 0.5, (0.7, 0.4)),
        (0.5, 0.5, 3.0, (0.5, 0.5)),
    ],
)
def test_given_thresholds_win_over_the_card_and_the_band_is_of_what_results(accept, review, band, expected):
    found = verdicts.in_force(THRESHOLDS, accept=accept, review=review, band=band)

    assert expected == pytest.approx((found.accept, found.review))


@pytest.mark.parametrize(("accept", "review"), [(None, 0.8), (0.5, 0.6)])
def test_a_review_threshold_above_the_accept_threshold_is_refused(accept, review):
    with pytest.raises(ValueError, match="is above the accept threshold"):
        verdicts.in_force(THRESHOLDS, accept=accept, review=review, band=1.0)
