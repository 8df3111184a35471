"""Figures of a detector on labelled pictures: numpy only."""

import math

import msgspec
import numpy as np

from cakegate.domain import verdicts


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """`auc`: area under the ROC curve, with the 95 % bootstrap interval over pictures.

    `auc_low_over_sources`, `auc_high_over_sources`: the interval over whole sources, whose pictures resemble each
    other; not a number where sources are not known. `recall_at_5`, `recall_at_1`: recall at 5 % and 1 % false alarms.
    `calibration_error`: expected calibration error over ten equal bins, 0 to 1.
    """

    pictures: int
    cakes: int
    auc: float
    auc_low: float
    auc_high: float
    auc_low_over_sources: float
    auc_high_over_sources: float
    recall_at_5: float
    recall_at_1: float
    calibration_error: float


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve by ranks (Mann-Whitney), ties counted half."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse]
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def threshold_at(labels: np.ndarray, scores: np.ndarray, *, false_alarms: float) -> float:
    """The lowest threshold at which at most this share of non-cakes scores as high."""
    others = np.sort(scores[labels == 0])[::-1]
    allowed = int(len(others) * false_alarms)
    if allowed >= len(others):
        return 0.0
    return float(np.nextafter(others[allowed], 2.0))


def threshold_keeping(labels: np.ndarray, scores: np.ndarray, *, recall: float) -> float:
    """The highest threshold at which this share of cakes scores as high or higher."""
    cakes = np.sort(scores[labels == 1])
    return float(cakes[int(len(cakes) * (1 - recall))])


def recall_at(labels: np.ndarray, scores: np.ndarray, *, false_alarms: float) -> float:
    """Share of cakes found where at most `false_alarms` of the others are taken for cakes."""
    return float((scores[labels == 1] >= threshold_at(labels, scores, false_alarms=false_alarms)).mean())


def calibration_error(labels: np.ndarray, scores: np.ndarray, *, bins: int = 10) -> float:
    """Expected calibration error: how far scores are from the share of cakes among pictures that got them."""
    places = np.minimum((scores * bins).astype(int), bins - 1)
    total = 0.0
    for place in range(bins):
        inside = places == place
        if inside.any():
            total += inside.mean() * abs(scores[inside].mean() - labels[inside].mean())
    return float(total)


def histogram(scores: np.ndarray, *, bins: int) -> list[int]:
    """How many scores lie in each of equal bins from 0 to 1; a score of 1 in the last."""
    return [int(count) for count in np.histogram(scores, bins=bins, range=(0.0, 1.0))[0]]


def figures(
    labels: np.ndarray, scores: np.ndarray, *, sources: list[str] | None = None, seed: int = 0, rounds: int = 200
) -> Figures:
    """All figures; `sources` are the n pictures' sources, where they are known."""
    generator = np.random.default_rng(seed)
    count = len(labels)
    low, high = _interval(labels, scores, [generator.integers(0, count, count) for _ in range(rounds)])
    low_over, high_over = math.nan, math.nan
    if sources is not None and len(set(sources)) > 1:
        _, group = np.unique(np.array(sources), return_inverse=True)
        members = [np.flatnonzero(group == place) for place in range(group.max() + 1)]
        drawn = (generator.integers(0, len(members), len(members)) for _ in range(rounds))
        low_over, high_over = _interval(
            labels, scores, [np.concatenate([members[place] for place in chosen]) for chosen in drawn]
        )
    return Figures(
        pictures=count,
        cakes=int(labels.sum()),
        auc=auc(labels, scores),
        auc_low=low,
        auc_high=high,
        auc_low_over_sources=low_over,
        auc_high_over_sources=high_over,
        recall_at_5=recall_at(labels, scores, false_alarms=0.05),
        recall_at_1=recall_at(labels, scores, false_alarms=0.01),
        calibration_error=calibration_error(labels, scores),
    )


def _interval(labels: np.ndarray, scores: np.ndarray, draws: list[np.ndarray]) -> tuple[float, float]:
    """The AUC's 95 % interval over draws of the pictures; a draw without both labels says nothing."""
    low, high = np.nanpercentile([auc(labels[index], scores[index]) for index in draws], [2.5, 97.5])
    return float(low), float(high)


class OfKind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind's pictures: the AUC of telling them from all pictures of the other label, and what becomes of them."""

    pictures: int
    cakes: int
    auc: float
    accepted: float
    rejected: float


def by_kind(
    labels: np.ndarray, scores: np.ndarray, *, kinds: list[str], thresholds: verdicts.Thresholds, fewest: int = 10
) -> dict[str, OfKind]:
    """Figures of each kind with `fewest` pictures of its label or more; cakes first, then by how common they are.

    A kind of both labels is two: that of the others is named as such.
    """
    found = {}
    known = np.array(kinds)
    for label in (1, 0):
        names, counts = np.unique(known[(labels == label) & (known != "")], return_counts=True)
        for name, count in sorted(zip(names.tolist(), counts.tolist(), strict=True), key=lambda pair: -pair[1]):
            if count < fewest:
                continue
            own = (labels == label) & (known == name)
            against = own | (labels != label)
            found[f"{name} (not cake)" if name in found else name] = OfKind(
                pictures=count,
                cakes=count * label,
                auc=auc(labels[against], scores[against]),
                accepted=float((scores[own] >= thresholds.accept).mean()),
                rejected=float((scores[own] < thresholds.review).mean()),
            )
    return found
