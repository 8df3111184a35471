"""The arithmetic that says whether something grew or got slower."""

import math

import pytest
from benchmarks import trends


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 2.0), (0.75, 3.0), (0.76, 4.0), (0.99, 4.0), (1.0, 4.0), (0.0, 1.0)]
)
def test_a_quantile_is_a_value_that_so_many_do_not_exceed(share, expected):
    assert expected == trends.quantile([3.0, 1.0, 4.0, 2.0], share)


def test_of_nothing_there_is_no_quantile_and_no_part():
    assert math.isnan(trends.quantile([], 0.5))
    assert math.isnan(trends.part([1.0], 0, of=3))


def test_parts_are_equal_and_leave_nothing_out():
    values = [1.0, 1.0, 2.0, 2.0, 9.0, 9.0]

    assert [1.0, 2.0, 9.0] == [trends.part(values, number, of=3) for number in range(3)]
    assert [1.0, 9.0] == [trends.part(values, number, of=2) for number in range(2)]


def test_a_slope_is_what_an_hour_adds():
    assert pytest.approx(360.0) == trends.slope_per_hour([0.0, 10.0, 20.0], [5.0, 6.0, 7.0])
    assert math.isnan(trends.slope_per_hour([1.0, 1.0], [1.0, 2.0]))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (100.0, 120.0, True),
        (100.0, 109.0, False),  # by less than its share
        (10.0, 15.0, False),  # by less than the slack
        (100.0, 50.0, False),
    ],
)
def test_growth_is_by_more_than_a_share_and_more_than_the_slack(first, last, expected):
    assert expected == trends.grew(first, last, share=0.1, slack=8.0)
