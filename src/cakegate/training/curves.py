"""Curves of an evaluation as SVG that stands in a page of its own: no script, nothing fetched."""

from collections.abc import Sequence
from typing import Final

import numpy as np

_SIDE: Final = 260
_MARGIN: Final = 42
Points = Sequence[tuple[float, float]]


def roc(labels: np.ndarray, scores: np.ndarray) -> list[tuple[float, float]]:
    """(false alarms, recall) at each threshold, from (0, 0) to (1, 1)."""
    hits, alarms = _counted(labels, scores)
    return [(0.0, 0.0), *zip((alarms / alarms[-1]).tolist(), (hits / hits[-1]).tolist(), strict=True)]


def precision_recall(labels: np.ndarray, scores: np.ndarray) -> list[tuple[float, float]]:
    """(recall, precision) at each threshold, highest first."""
    hits, alarms = _counted(labels, scores)
    return list(zip((hits / hits[-1]).tolist(), (hits / (hits + alarms)).tolist(), strict=True))


def reliability(labels: np.ndarray, scores: np.ndarray, *, bins: int = 10) -> list[tuple[float, float]]:
    """(mean score, share of cakes) of the pictures in each of equal bins; empty bins are left out."""
    places = np.minimum((scores * bins).astype(int), bins - 1)
    return [
        (float(scores[places == place].mean()), float(labels[places == place].mean()))
        for place in range(bins)
        if (places == place).any()
    ]


def _counted(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many cakes and how many others score at least as high as each score that occurs, highest first."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    hits = np.cumsum(labels[order])
    return hits[last], (np.arange(1, len(labels) + 1) - hits)[last]


def chart(title: str, *, across: str, up: str, points: Points, marks: Points = (), diagonal: bool = False) -> str:
    """A square chart, both axes from 0 to 1. `marks` are points set apart: the thresholds in force."""
    whole = _SIDE + 2 * _MARGIN
    path = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in points)
    parts = [
        f'<svg viewBox="0 0 {whole} {whole}" width="{whole}" height="{whole}" role="img" aria-label="{title}">',
        f'<text x="{whole / 2}" y="18" class="title">{title}</text>',
        *(_grid(step / 5) for step in range(6)),
        f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" class="even"/>' if diagonal else "",
        f'<polyline points="{path}" class="curve"/>',
        *(f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="4" class="mark"/>' for x, y in marks),
        f'<text x="{whole / 2}" y="{whole - 6}" class="axis">{across}</text>',
        f'<text x="12" y="{whole / 2}" class="axis" transform="rotate(-90 12 {whole / 2})">{up}</text>',
        "</svg>",
    ]
    return "\n".join(part for part in parts if part)


def bars(title: str, *, cakes: Sequence[int], others: Sequence[int], lines: Sequence[float]) -> str:
    """How often each score is given, cakes and others side by side; `lines` are the thresholds."""
    whole, most = _SIDE + 2 * _MARGIN, max(*cakes, *others, 1)
    width = _SIDE / len(cakes)
    parts = [
        f'<svg viewBox="0 0 {whole} {whole}" width="{whole}" height="{whole}" role="img" aria-label="{title}">',
        f'<text x="{whole / 2}" y="18" class="title">{title}</text>',
    ]
    for place, pair in enumerate(zip(cakes, others, strict=True)):
        for name, shift, count in zip(("cakes", "others"), (0.0, width / 2), pair, strict=True):
            x, high = _x(0) + place * width + shift, count / most
            size = f'width="{width / 2 - 0.5:.1f}" height="{high * _SIDE:.1f}"'
            parts.append(f'<rect x="{x:.1f}" y="{_y(high):.1f}" {size} class="{name}"/>')
    parts += [f'<line x1="{_x(x):.1f}" y1="{_y(0)}" x2="{_x(x):.1f}" y2="{_y(1)}" class="even"/>' for x in lines]
    parts += [f'<text x="{_x(x)}" y="{_y(0) + 14}" class="tick">{x:g}</text>' for x in (0, 0.5, 1)]
    return "\n".join([*parts, f'<text x="{whole / 2}" y="{whole - 6}" class="axis">score</text>', "</svg>"])


def _x(value: float) -> float:
    return _MARGIN + value * _SIDE


def _y(value: float) -> float:
    return _MARGIN + (1 - value) * _SIDE


def _grid(value: float) -> str:
    return (
        f'<line x1="{_x(value)}" y1="{_y(0)}" x2="{_x(value)}" y2="{_y(1)}" class="grid"/>'
        f'<line x1="{_x(0)}" y1="{_y(value)}" x2="{_x(1)}" y2="{_y(value)}" class="grid"/>'
        f'<text x="{_x(value)}" y="{_y(0) + 14}" class="tick">{value:g}</text>'
        f'<text x="{_x(0) - 14}" y="{_y(value) + 4}" class="tick">{value:g}</text>'
    )
