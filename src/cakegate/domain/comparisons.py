"""Two models on the same pictures: where they differ, and who was right where people have said so."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final
from uuid import UUID

import msgspec

from cakegate.domain import verdicts
from cakegate.domain.verdicts import Decision, Opinion

DECISIONS: Final = (Decision.ACCEPT, Decision.REVIEW, Decision.REJECT)
#: What a decision says of a picture; `review` says nothing.
_SAYS: Final = {Decision.ACCEPT: Opinion.CAKE, Decision.REJECT: Opinion.NOT_CAKE}


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """What two models say of one submission's picture. The primary's decided; the shadow's did nothing."""

    submission_id: UUID
    primary: verdicts.Model
    shadow: verdicts.Model
    primary_score: float
    shadow_score: float
    primary_decision: Decision
    shadow_decision: Decision

    @property
    def difference(self) -> float:
        """How much higher the shadow scores; 0 where either score is not a number, which has no place in an order."""
        apart = self.shadow_score - self.primary_score
        return 0.0 if math.isnan(apart) else apart


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One model against what people say. `right` and `wrong` count what it would have decided; the rest it would ask.

    `auc`: how often a cake scores above something else, ties counted half; None without both.
    """

    right: int
    wrong: int
    auc: float | None


class People(msgspec.Struct, frozen=True, kw_only=True):
    """What people say of the pictures that both models judged."""

    cakes: int
    others: int
    primary: Judged
    shadow: Judged


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A primary and a shadow on the same pictures.

    `decisions[primary][shadow]` counts pairs of decisions. `difference_median` and `difference_p95` are of the absolute
    difference of scores; `shift` is the mean of shadow minus primary. `most_different`: the pairs that differ most.
    """

    primary: verdicts.Model
    shadow: verdicts.Model
    pairs: int
    decisions: dict[Decision, dict[Decision, int]]
    agreement: float
    difference_median: float
    difference_p95: float
    shift: float
    people: People
    most_different: list[Pair]

    @property
    def accepted_anew(self) -> int:
        """What the shadow would have accepted and the primary did not."""
        return sum(counts[Decision.ACCEPT] for each, counts in self.decisions.items() if each is not Decision.ACCEPT)

    @property
    def rejected_anew(self) -> int:
        """What the shadow would have rejected and the primary did not."""
        return sum(counts[Decision.REJECT] for each, counts in self.decisions.items() if each is not Decision.REJECT)


def compared(pairs: Iterable[Pair], opinions: Mapping[UUID, Opinion], *, limit: int) -> list[Comparison]:
    """One comparison for each primary and shadow that judged the same pictures, those with most pictures first.

    Of a submission that two models judged twice the later pair counts. `limit` is how many different pairs are named.
    """
    latest = {(pair.primary.sha256, pair.shadow.sha256, pair.submission_id): pair for pair in pairs}
    groups: dict[tuple[str, str], list[Pair]] = {}
    for (primary, shadow, _), pair in latest.items():
        groups.setdefault((primary, shadow), []).append(pair)
    found = [_compared(group, opinions, limit=limit) for group in groups.values()]
    return sorted(found, key=lambda each: -each.pairs)


def _compared(pairs: Sequence[Pair], opinions: Mapping[UUID, Opinion], *, limit: int) -> Comparison:
    decisions = {mine: dict.fromkeys(DECISIONS, 0) for mine in DECISIONS}
    for pair in pairs:
        decisions[pair.primary_decision][pair.shadow_decision] += 1
    apart = sorted(abs(pair.difference) for pair in pairs)
    by_difference = sorted(pairs, key=lambda pair: (-abs(pair.difference), pair.submission_id))
    return Comparison(
        primary=pairs[-1].primary,
        shadow=pairs[-1].shadow,
        pairs=len(pairs),
        decisions=decisions,
        agreement=sum(decisions[each][each] for each in DECISIONS) / len(pairs),
        difference_median=median(apart),
        # The nearest rank: the least value that 95 % do not exceed.
        difference_p95=apart[math.ceil(0.95 * len(apart)) - 1],
        shift=sum(pair.difference for pair in pairs) / len(pairs),
        people=_people(pairs, opinions),
        most_different=by_difference[:limit],
    )


def _people(pairs: Sequence[Pair], opinions: Mapping[UUID, Opinion]) -> People:
    known = [(pair, opinions[pair.submission_id]) for pair in pairs if pair.submission_id in opinions]
    cakes = sum(opinion is Opinion.CAKE for _, opinion in known)
    return People(
        cakes=cakes,
        others=len(known) - cakes,
        primary=_judged([(pair.primary_score, pair.primary_decision, opinion) for pair, opinion in known]),
        shadow=_judged([(pair.shadow_score, pair.shadow_decision, opinion) for pair, opinion in known]),
    )


def _judged(known: Sequence[tuple[float, Decision, Opinion]]) -> Judged:
    said = [(_SAYS[decision], opinion) for _, decision, opinion in known if decision in _SAYS]
    right = sum(says is opinion for says, opinion in said)
    return Judged(
        right=right,
        wrong=len(said) - right,
        auc=area(
            [score for score, _, opinion in known if opinion is Opinion.CAKE],
            [score for score, _, opinion in known if opinion is Opinion.NOT_CAKE],
        ),
    )


def area(cakes: Sequence[float], others: Sequence[float]) -> float | None:
    """The area under the ROC curve by ranks (Mann-Whitney), ties counted half; None where either is empty.

    Scores that are not numbers have no rank and are left out.
    """
    cakes, others = ([each for each in scores if not math.isnan(each)] for scores in (cakes, others))
    if not cakes or not others:
        return None
    ordered = sorted([(score, 1) for score in cakes] + [(score, 0) for score in others])
    above, place = 0.0, 0
    below = 0
    while place < len(ordered):
        end = place
        while end < len(ordered) and ordered[end][0] == ordered[place][0]:
            end += 1
        tied_cakes = sum(is_cake for _, is_cake in ordered[place:end])
        tied_others = end - place - tied_cakes
        above += tied_cakes * (below + tied_others / 2)
        below += tied_others
        place = end
    return above / (len(cakes) * len(others))
