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
