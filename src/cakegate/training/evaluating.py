"""A pack judged on labelled pictures: what `cakegate model evaluate` measures. Pictures go the worker's own way."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from cakegate.adapters import detector
from cakegate.adapters.pixels import preparing
from cakegate.domain import errors, verdicts
from cakegate.training import data, scoring


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One picture and what the pack says of it."""

    archive: str
    file: str
    label: int
    source: str
    kind: str
    score: float


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """All pictures that could be judged; `unreadable` files were passed over, `near_copies` left out."""

    pictures: list[Judged]
    thresholds: verdicts.Thresholds
    unreadable: int = 0
    near_copies: int = 0

    @property
    def labels(self) -> np.ndarray:
        """(n,), 1 for cakes."""
        return np.array([each.label for each in self.pictures], dtype=np.int64)

    @property
    def scores(self) -> np.ndarray:
        """(n,), 0 to 1."""
        return np.array([each.score for each in self.pictures])

    @property
    def figures(self) -> scoring.Figures:
        """All figures; the interval over sources where there are several."""
        return scoring.figures(self.labels, self.scores, sources=[each.source for each in self.pictures])

    @property
    def by_kind(self) -> dict[str, scoring.OfKind]:
        """Figures of the kinds that the manifest names."""
        kinds = [each.kind for each in self.pictures]
        return scoring.by_kind(self.labels, self.scores, kinds=kinds, thresholds=self.thresholds)

    def became(self, label: int) -> dict[verdicts.Decision, float]:
        """What share of a label's pictures is accepted, left to a person, rejected."""
        decided = [verdicts.decide(each.score, self.thresholds) for each in self.pictures if each.label == label]
        return {decision: decided.count(decision) / len(decided) for decision in verdicts.Decision}

    def worst(self, count: int) -> list[Judged]:
        """The pictures whose score is furthest from their label, worst first."""
        return sorted(self.pictures, key=lambda each: -abs(each.label - each.score))[:count]


def score(judge: detector.Detector, image: Image.Image) -> float:
    """A pack's score of an upright RGB picture."""
    return judge.judge(preparing.prepare(image, judge.model_input)).score


def evaluate(judge: detector.Detector, rows: Iterable[data.Labelled]) -> Evaluation:
    """Judge labelled pictures.

    Raises:
        InvalidSettings: there are not both cakes and others.
    """
    found, broken = [], 0
    for row in rows:
        try:
            image = data.decode(row.content)
        except data.UNREADABLE:
            broken += 1
            continue
        found.append(
            Judged(
                archive=row.archive,
                file=row.file,
                label=row.label,
                source=row.source,
                kind=row.kind.partition(":")[2].replace("_", " "),
                score=score(judge, image),
            )
        )
    if {each.label for each in found} != set(data.LABELS.values()):
        raise errors.InvalidSettings("Pictures are needed both in cake/ and in not_cake/")
    return Evaluation(pictures=found, thresholds=judge.thresholds, unreadable=broken)


def held_out(folder: Path, card: detector.Card, *, near_duplicate_bits: int) -> tuple[list[data.Labelled], int]:
    """The pictures of the sources that a pack's card says were held out, without near-copies of any others.

    Returns:
        The pictures, and how many near-copies were left out.

    Raises:
        InvalidSettings: the folder has none of those sources.
    """
    sources = set(card.held_out_sources)
    candidates: list[tuple[data.Labelled, int]] = []
    others: list[int] = []
    for row in data.read(folder):
        try:
            plain, mirrored = data.difference_hashes(data.decode(row.content))
        except data.UNREADABLE:
            continue
        if row.source in sources:
            candidates.append((row, plain))
        else:
            others += [plain, mirrored]
    if not candidates:
        raise errors.InvalidSettings(f"{folder} has no picture of the {len(sources)} sources that the pack held out")
    known = np.array(others, dtype=np.uint64)
    kept = [row for row, plain in candidates if not data.near(known, plain, bits=near_duplicate_bits)]
    return kept, len(candidates) - len(kept)


def lines(found: Evaluation) -> Iterator[str]:
    """What the verb prints."""
    figures = found.figures
    yield f"pictures {figures.pictures} (cake {figures.cakes}, not cake {figures.pictures - figures.cakes})"
    if found.unreadable:
        yield f"unreadable {found.unreadable}"
    if found.near_copies:
        yield f"left out as near-copies of others {found.near_copies}"
    over = f", over sources {figures.auc_low_over_sources:.4f} to {figures.auc_high_over_sources:.4f}"
    over = "" if np.isnan(figures.auc_low_over_sources) else over
    yield f"auc {figures.auc:.4f} (95 % interval {figures.auc_low:.4f} to {figures.auc_high:.4f}{over})"
    yield f"recall at 5 % false alarms {figures.recall_at_5:.4f}"
    yield f"recall at 1 % false alarms {figures.recall_at_1:.4f}"
    yield f"calibration error {figures.calibration_error:.4f}"
    for name, label in (("cakes", 1), ("others", 0)):
        became = found.became(label)
        accepted, review, rejected = (became[decision] for decision in verdicts.Decision)
        yield f"{name}: accepted {accepted:.3f}, review {review:.3f}, rejected {rejected:.3f}"
    for name, of_kind in found.by_kind.items():
        yield (
            f"{'cake' if of_kind.cakes else 'not cake'}, {name}: {of_kind.pictures} pictures, auc {of_kind.auc:.3f}, "
            f"accepted {of_kind.accepted:.2f}, rejected {of_kind.rejected:.2f}"
        )
