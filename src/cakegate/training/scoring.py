"""Figures of a detector on labelled pictures: numpy only."""

import msgspec
import numpy as np


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """`auc`: area under the ROC curve. `recall_at_5`, `recall_at_1`: recall at 5 % and 1 % false alarms.

    `calibration_error`: expected calibration error over ten equal bins, 0 to 1.
    """

    pictures: int
    cakes: int
    auc: float
    auc_low: float
    auc_high: float
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


def figures(labels: np.ndarray, scores: np.ndarray, *, seed: int = 0, rounds: int = 200) -> Figures:
    """All figures, the AUC with a 95 % bootstrap interval over pictures."""
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(rounds):
        index = generator.integers(0, len(labels), len(labels))
        drawn.append(auc(labels[index], scores[index]))
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Figures(
        pictures=len(labels),
        cakes=int(labels.sum()),
        auc=auc(labels, scores),
        auc_low=float(low),
        auc_high=float(high),
        recall_at_5=recall_at(labels, scores, false_alarms=0.05),
        recall_at_1=recall_at(labels, scores, false_alarms=0.01),
        calibration_error=calibration_error(labels, scores),
    )
