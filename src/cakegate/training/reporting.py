"""An evaluation as one HTML file, to be opened by whoever decides about a model: no script, nothing fetched."""

import html
from collections.abc import Iterable, Sequence

import numpy as np

from cakegate.adapters import detector
from cakegate.domain import verdicts
from cakegate.training import curves, evaluating, perturbing, scoring

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { border-bottom: 1px solid #ddd; padding: .25rem .8rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
figure { display: inline-block; width: 158px; margin: 4px; vertical-align: top; font-size: 12px;
  overflow-wrap: anywhere; }
figure img { display: block; max-width: 150px; }
.curve { fill: none; stroke: #b3446c; stroke-width: 2; } .mark { fill: #222; }
.grid { stroke: #eee; } .even { stroke: #888; stroke-dasharray: 4; }
.cakes { fill: #b3446c; } .others { fill: #7a8ba3; }
.title { font-weight: 600; text-anchor: middle; } .axis, .tick { font-size: 11px; text-anchor: middle; fill: #555; }
"""


def page(
    found: evaluating.Evaluation,
    *,
    card: detector.Card,
    worst: Sequence[tuple[evaluating.Judged, str]],
    perturbed: perturbing.Perturbed | None = None,
) -> str:
    """The whole page. `worst` are the worst mistakes, each with its thumbnail's `data:` address."""
    title = f"{html.escape(card.name)} {html.escape(card.version)}"
    parts = [
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"/><title>{title}</title>',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{title} on {len(found.pictures):,} pictures</h1>",
        f"<p>Model SHA-256 <code>{html.escape(card.sha256)}</code></p>",
        _figures(found),
        _charts(found),
        "<h2>What becomes of them</h2>",
        f"<p>Accepted from {found.thresholds.accept:g}, rejected below {found.thresholds.review:g}.</p>",
        _became(found),
        _kinds(found.by_kind),
        _perturbed(perturbed) if perturbed else "",
        "<h2>Worst mistakes</h2>" + "\n".join(_mistake(each, address) for each, address in worst),
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Cells are escaped here."""
    lines = ["<table>", "<tr>" + "".join(f"<th>{html.escape(each)}</th>" for each in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{html.escape(each)}</td>" for each in row) + "</tr>" for row in rows]
    return "\n".join([*lines, "</table>"])


def _figures(found: evaluating.Evaluation) -> str:
    figures = found.figures
    rows = [
        ("pictures", f"{figures.pictures} ({figures.cakes} cakes)"),
        ("unreadable files", f"{found.unreadable}"),
        ("ROC AUC", f"{figures.auc:.4f}"),
        ("its 95 % interval over pictures", f"{figures.auc_low:.4f} to {figures.auc_high:.4f}"),
        ("recall at 5 % false alarms", f"{figures.recall_at_5:.3f}"),
        ("recall at 1 % false alarms", f"{figures.recall_at_1:.3f}"),
        ("calibration error", f"{figures.calibration_error:.3f}"),
    ]
    if not np.isnan(figures.auc_low_over_sources):
        over = f"{figures.auc_low_over_sources:.4f} to {figures.auc_high_over_sources:.4f}"
        rows.insert(4, ("its 95 % interval over sources", over))
    return _table(("figure", "value"), rows)


def _charts(found: evaluating.Evaluation) -> str:
    labels, scores, limits = found.labels, found.scores, found.thresholds
    at = [
        (float((scores[labels == 0] >= each).mean()), float((scores[labels == 1] >= each).mean()))
        for each in (limits.accept, limits.review)
    ]
    cakes, others = (scoring.histogram(scores[labels == label], bins=detector.HISTOGRAM_BINS) for label in (1, 0))
    return "\n".join(
        [
            curves.chart("ROC", across="false alarms", up="recall", points=curves.roc(labels, scores), marks=at),
            curves.chart(
                "Precision and recall", across="recall", up="precision", points=curves.precision_recall(labels, scores)
            ),
            curves.chart(
                "Calibration",
                across="score",
                up="share of cakes",
                points=curves.reliability(labels, scores),
                diagonal=True,
            ),
            curves.bars("Scores (cakes red)", cakes=cakes, others=others, lines=(limits.accept, limits.review)),
        ]
    )


def _became(found: evaluating.Evaluation) -> str:
    rows = []
    for name, label in (("cakes", 1), ("others", 0)):
        became = found.became(label)
        rows.append((name, *(f"{became[decision]:.1%}" for decision in verdicts.Decision)))
    return _table(("", "accepted", "for a person", "rejected"), rows)


def _kinds(by_kind: dict[str, scoring.OfKind]) -> str:
    if not by_kind:
        return ""
    rows = [
        (
            name,
            "cake" if of_kind.cakes else "not cake",
            f"{of_kind.pictures}",
            f"{of_kind.auc:.3f}",
            f"{of_kind.accepted:.0%}",
            f"{of_kind.rejected:.0%}",
        )
        for name, of_kind in by_kind.items()
    ]
    return "<h2>By kind</h2>" + _table(("kind", "label", "pictures", "AUC", "accepted", "rejected"), rows)


def _perturbed(found: perturbing.Perturbed) -> str:
    rows = [
        ("changed files", f"{found.changes}"),
        ("median change of score", f"{found.median:.3f}"),
        ("95th percentile", f"{found.p95:.3f}"),
        ("decisions that become others", f"{found.flipped:.1%}"),
        ("of these from accepted to rejected or back", f"{found.turned:.1%}"),
    ]
    return "<h2>Re-encoded and rescaled</h2>" + _table(("figure", "value"), rows)


def _mistake(each: evaluating.Judged, address: str) -> str:
    name = html.escape(f"{'cake' if each.label else 'not cake'}, score {each.score:.2f} {each.kind}")
    place = html.escape(f"{each.archive} {each.file}")
    caption = f"<figcaption>{name}<br/><small>{place}</small></figcaption>"
    return f'<figure><img src="{address}" alt="{name}"/>{caption}</figure>'
