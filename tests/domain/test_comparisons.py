"""Two models on the same pictures: counted, ordered, and held against what people say."""

import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cakegate.domain import comparisons, verdicts
from cakegate.domain.verdicts import Decision, Opinion

OLD = verdicts.Model(name="old", version="1", sha256="a" * 64)
NEW = verdicts.Model(name="new", version="2", sha256="b" * 64)
LIMITS = verdicts.Thresholds(accept=0.7, review=0.3)
SCORES = st.floats(0, 1)


def pair(primary: float, shadow: float, *, number: int = 0, **changes):
    return comparisons.Pair(
        **{
            "submission_id": uuid.UUID(int=number or uuid.uuid4().int),
            "primary": OLD,
            "shadow": NEW,
            "primary_score": primary,
            "shadow_score": shadow,
            "primary_decision": verdicts.decide(primary, LIMITS),
            "shadow_decision": verdicts.decide(shadow, LIMITS),
            **changes,
        }
    )


PAIRS = [pair(0.9, 0.8, number=1), pair(0.5, 0.9, number=2), pair(0.5, 0.2, number=3), pair(0.1, 0.75, number=4)]


def test_decisions_are_counted_by_who_took_them():
    (found,) = comparisons.compared(PAIRS, {}, limit=2)

    assert (OLD, NEW, 4) == (found.primary, found.shadow, found.pairs)
    assert {
        Decision.ACCEPT: {Decision.ACCEPT: 1, Decision.REVIEW: 0, Decision.REJECT: 0},
        Decision.REVIEW: {Decision.ACCEPT: 1, Decision.REVIEW: 0, Decision.REJECT: 1},
        Decision.REJECT: {Decision.ACCEPT: 1, Decision.REVIEW: 0, Decision.REJECT: 0},
    } == found.decisions
    assert (0.25, 2, 1) == (found.agreement, found.accepted_anew, found.rejected_anew)


def test_differences_are_of_scores_and_the_largest_are_named_first():
    (found,) = comparisons.compared(PAIRS, {}, limit=2)

    assert pytest.approx((0.35, 0.65, 0.1625)) == (found.difference_median, found.difference_p95, found.shift)
    assert [4, 2] == [each.submission_id.int for each in found.most_different]


def test_people_say_who_was_right():
    opinions = {
        uuid.UUID(int=1): Opinion.CAKE,
        uuid.UUID(int=2): Opinion.CAKE,
        uuid.UUID(int=3): Opinion.NOT_CAKE,
        uuid.UUID(int=4): Opinion.NOT_CAKE,
        uuid.UUID(int=99): Opinion.CAKE,
    }
    (found,) = comparisons.compared(PAIRS, opinions, limit=0)

    assert (
        comparisons.People(
            cakes=2,
            others=2,
            primary=comparisons.Judged(right=2, wrong=0, auc=0.875),
            shadow=comparisons.Judged(right=3, wrong=1, auc=1.0),
        )
        == found.people
    )


def test_without_a_word_of_people_nobody_is_right():
    (found,) = comparisons.compared(PAIRS, {}, limit=0)

    assert comparisons.Judged(right=0, wrong=0, auc=None) == found.people.shadow


def test_models_are_compared_two_by_two_and_the_most_pictures_come_first():
    third = verdicts.Model(name="third", version="1", sha256="c" * 64)
    found = comparisons.compared([msgspec.structs.replace(pair(0.1, 0.1), shadow=third), *PAIRS], {}, limit=0)

    assert [("new", 4), ("third", 1)] == [(each.shadow.name, each.pairs) for each in found]


def test_of_a_submission_that_was_judged_twice_the_later_pair_counts():
    (found,) = comparisons.compared([pair(0.9, 0.1, number=7), pair(0.9, 0.8, number=7)], {}, limit=5)

    assert [0.8] == [each.shadow_score for each in found.most_different]


def test_a_score_that_is_no_number_differs_from_nothing():
    (found,) = comparisons.compared([pair(float("nan"), 0.9), pair(0.5, 0.6)], {}, limit=1)

    assert [0.5] == [each.primary_score for each in found.most_different]


@given(st.lists(SCORES, min_size=1, max_size=30), st.lists(SCORES, min_size=1, max_size=30))
def test_the_area_is_the_share_of_pairs_in_order(cakes, others):
    ordered = sum((cake > other) + (cake == other) / 2 for cake in cakes for other in others)

    assert pytest.approx(ordered / (len(cakes) * len(others))) == comparisons.area(cakes, others)


def test_scores_that_are_no_numbers_have_no_rank():
    assert 0.75 == comparisons.area([0.9, float("nan"), 0.3], [float("nan"), 0.1, 0.5])
    assert comparisons.area([float("nan")], [0.1]) is None
