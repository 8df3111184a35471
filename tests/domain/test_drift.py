"""Drift: what chance does to it, what a change of pictures does, and what a change of their mix does not."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cakegate.domain import drift

#: As a card has it: cakes score high, others low, some of each do not.
CAKES = [10, 5, 5, 5, 5, 5, 10, 10, 10, 10, 15, 15, 20, 25, 30, 45, 60, 90, 160, 352]
OTHERS = [420, 160, 90, 60, 45, 35, 30, 25, 20, 20, 15, 15, 15, 15, 15, 15, 15, 13, 10, 10]
HISTOGRAM = {"cake": CAKES, "not_cake": OTHERS}
COUNTS = st.lists(st.integers(0, 500), min_size=20, max_size=20)


def drawn(counts: list[int], number: int, *, seed: int) -> list[int]:
    """So many scores drawn from a histogram."""
    found = [0] * len(counts)
    for place in random.Random(seed).choices(range(len(counts)), weights=counts, k=number):
        found[place] += 1
    return found


def added(*parts: list[int]) -> list[int]:
    return [sum(each) for each in zip(*parts, strict=True)]


def test_the_index_is_the_formulas():
    # Worked by hand: 0.1 * ln(0.6/0.5) + -0.1 * ln(0.4/0.5).
    assert math.isclose(0.0405465, drift.stability_index([0.5, 0.5], [0.6, 0.4]), abs_tol=1e-7)


@given(COUNTS, COUNTS, COUNTS)
def test_drift_is_a_number_of_at_least_nothing_whatever_is_counted(cakes, others, counts):
    found = drift.measure({"cake": cakes, "not_cake": others}, counts)

    assert 0 <= found.mixed < math.inf
    assert 0 <= found.validation < math.inf
    assert 0 <= found.cake_share <= 1
    assert sum(counts) == found.verdicts


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("number", "most"), [(200, 0.25), (1000, 0.08)])
def test_pictures_like_those_of_validation_drift_by_chance_alone(number, most, seed):
    found = drift.measure(HISTOGRAM, drawn(added(CAKES, OTHERS), number, seed=seed))

    assert found.validation < most
    assert found.mixed < most


@pytest.mark.parametrize(("cakes", "others", "share"), [(950, 50, 0.95), (100, 900, 0.1)])
def test_another_share_of_cakes_is_told_and_is_no_drift_of_the_model(cakes, others, share):
    found = drift.measure(HISTOGRAM, added(drawn(CAKES, cakes, seed=1), drawn(OTHERS, others, seed=2)))

    assert found.validation > 0.25
    assert found.mixed < 0.1
    assert math.isclose(share, found.cake_share, abs_tol=0.05)


def test_scores_that_no_mix_gives_are_drift():
    # A model that has become unsure of everything.
    unsure = [0] * 6 + [125] * 8 + [0] * 6

    assert drift.measure(HISTOGRAM, unsure).mixed > 1
