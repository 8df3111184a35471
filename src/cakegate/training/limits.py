"""What a model cannot do, from its own validation pictures: a card must not repeat what was seen of another model."""

import numpy as np

from cakegate.domain import verdicts

#: A share of fewer pictures of a kind says nothing.
_FEWEST = 10
_NAMED = 4

FLATTERED = "Validated on pictures whose sources training may have seen too: its figures flatter."
GENERAL = (
    "Judges one small view of the whole picture: a cake that is a small part of it is missed.",
    "Knows nothing of what is not in its training data; a high score is no proof.",
)


def stated(labels: np.ndarray, scores: np.ndarray, *, kinds: list[str], thresholds: verdicts.Thresholds) -> list[str]:
    """Sentences for a card: what holds for any such model, and the kinds that this one got wrong most often.

    `labels` and `scores` (n,) are of validation; `kinds` are their n kinds, empty where unknown.
    """
    found = list(GENERAL)
    for label, wrong, words in (
        (0, scores >= thresholds.accept, "Accepted of held-out pictures that show no cake"),
        (1, scores < thresholds.review, "Rejected of held-out cakes"),
    ):
        worst = _worst(np.array(kinds), wrong, chosen=labels == label)
        if worst:
            found.append(f"{words}, the worst kinds: {'; '.join(worst)}.")
    return found


def _worst(kinds: np.ndarray, wrong: np.ndarray, *, chosen: np.ndarray) -> list[str]:
    shares = []
    for kind in sorted(set(kinds[chosen]) - {""}):
        of_kind = chosen & (kinds == kind)
        if of_kind.sum() >= _FEWEST and wrong[of_kind].any():
            shares.append((float(wrong[of_kind].mean()), str(kind), int(of_kind.sum())))
    return [f"{kind} {share:.0%} of {count}" for share, kind, count in sorted(shares, reverse=True)[:_NAMED]]
