"""Arithmetic on figures that were taken one after the other."""

import math
import statistics
from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed; NaN where there are none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def part(values: Sequence[float], number: int, *, of: int) -> float:
    """The median of one part out of `of` equal ones, counted from 0; NaN where that part is empty."""
    start, end = len(values) * number // of, len(values) * (number + 1) // of
    return statistics.median(values[start:end]) if end > start else math.nan


def slope_per_hour(seconds: Sequence[float], values: Sequence[float]) -> float:
    """What the straight line through the points gains in an hour; least squares. NaN for fewer than two moments."""
    if len({*seconds}) < 2:
        return math.nan
    return statistics.linear_regression(seconds, values).slope * 3600


def grew(first: float, last: float, *, share: float, slack: float) -> bool:
    """Whether `last` exceeds `first` by more than `share` of it and by more than `slack`.

    Both: a tenth of little is noise, and so is a little of much.
    """
    return last > first * (1 + share) and last > first + slack
