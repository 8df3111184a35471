"""How far the scores of today's pictures have moved from those that a model was validated on."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

#: Added to each bin: one that is empty on either side would make the index infinite.
_SMOOTHING: Final = 0.5
#: Steps in which the share of cakes is tried: one in two hundred changes the index by less than counting does.
_STEPS: Final = 200


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """Two population stability indices over `verdicts` scores.

    `validation` is against the validation pictures as they were; it also tells that another share of what comes are
    cakes, which is no fault of a model. `mixed` is against them in the mix of cakes and others that comes closest:
    what is left are scores that no such mix gives. `cake_share` is that mix's, 0 to 1.
    """

    validation: float
    mixed: float
    cake_share: float
    verdicts: int


def stability_index(expected: Sequence[float], found: Sequence[float]) -> float:
    """The population stability index of two distributions over the same bins, all shares above 0.

    Sum over bins of (found - expected) * ln(found / expected): N. Siddiqi, Credit Risk Scorecards (Wiley 2006), chapter
    on monitoring, which calls up to 0.1 stable and from 0.25 on a significant shift. It is Jeffreys' divergence. Two
    samples of n and m from one distribution in B bins differ by about (B - 1)(1/n + 1/m) by chance (B. Yurdakul,
    Statistical Properties of Population Stability Index, Western Michigan University 2018).
    """
    return sum((now - then) * math.log(now / then) for then, now in zip(expected, found, strict=True))


def measure(histogram: Mapping[str, Sequence[int]], counts: Sequence[int]) -> Drift:
    """The drift of `counts` scores a bin, from a card's histogram of `cake` and `not_cake` in the same bins."""
    cakes, others = histogram["cake"], histogram["not_cake"]
    found = _shares(counts)
    validated = _shares([cake + other for cake, other in zip(cakes, others, strict=True)])
    of_cakes, of_others = _shares(cakes), _shares(others)

    def against(share: float) -> float:
        mix = [share * cake + (1 - share) * other for cake, other in zip(of_cakes, of_others, strict=True)]
        return stability_index(mix, found)

    best = min((step / _STEPS for step in range(_STEPS + 1)), key=against)
    return Drift(
        validation=stability_index(validated, found), mixed=against(best), cake_share=best, verdicts=sum(counts)
    )


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) + _SMOOTHING * len(counts)
    return [(count + _SMOOTHING) / total for count in counts]
