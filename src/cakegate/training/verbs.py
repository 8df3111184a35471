"""`cakegate model train|evaluate|fetch|inspect`. Only `train` needs the training library."""

import io
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from cakegate.adapters import detector, packs
from cakegate.adapters.pixels import preparing
from cakegate.domain import errors
from cakegate.training import config as configuration
from cakegate.training import data, scoring

_MINUTES = 30.0


@click.group()
def model() -> None:
    """Train, measure and look at model packs."""


@model.command()
@click.option("--data", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
              help="Folder of labelled pictures: cake/ and not_cake/, or tar archives of such folders.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Where the pack goes.")
@click.option("--config", "config_file", type=click.Path(exists=True, path_type=Path), default=configuration.STARTER,
              help="Configuration; default: the starter pack's.")  # fmt: skip
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="How long to train; default: 30.")
@click.option("--samples", type=click.IntRange(min=1), help="How many samples to train on; with --minutes: at most.")
@click.option("--from", "start", type=click.Path(exists=True, path_type=Path),
              help="Begin with the weights of a pack (its folder), or of another run's checkpoint.")  # fmt: skip
@click.option("--threads", type=int, default=1, show_default=True, help="Threads of the training library.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in the pack's folder.")
@click.option("--note", "notes", multiple=True, help="A line for the card about the data: source and terms.")
def train(
    *,
    folder: Path,
    out: Path,
    config_file: Path,
    minutes: float | None,
    samples: int | None,
    start: Path | None,
    threads: int,
    resume: bool,
    notes: tuple[str, ...],
) -> None:
    """Train a model and write its pack."""
    try:
        from cakegate.training import running  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise errors.InvalidSettings("Training needs the extra: pip install 'cakegate[train]'") from error
    order = running.Order(
        folder=folder,
        out=out,
        config=configuration.load(config_file),
        minutes=minutes if minutes or samples else _MINUTES,
        samples=samples,
        start=start,
        threads=threads,
        resume=resume,
        notes=list(notes),
    )
    _show(running.run(order, say=click.echo))


@model.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--pack", type=click.Path(path_type=Path), default=None, help="Model pack; default: the starter pack.")
def evaluate(*, folder: Path, pack: Path | None) -> None:
    """Measure a pack on labelled pictures: FOLDER holds cake/ and not_cake/."""
    judge = detector.Detector.load(pack or detector.starter_pack())
    labels, scores, broken = [], [], 0
    for row in track(list(data.read(folder)), description="judging", console=Console(stderr=True)):
        try:
            image = data.decode(row.content)
        except data.UNREADABLE:
            broken += 1
            continue
        scores.append(judge.judge(preparing.prepare(image, judge.model_input)).score)
        labels.append(row.label)
    known, given = np.array(labels), np.array(scores)
    if not 0 < known.sum() < len(known):
        raise errors.InvalidSettings(f"{folder} needs pictures both in cake/ and in not_cake/")
    found = scoring.figures(known, given)
    click.echo(f"pictures {found.pictures} (cake {found.cakes}, not cake {found.pictures - found.cakes})")
    if broken:
        click.echo(f"unreadable {broken}")
    click.echo(f"auc {found.auc:.4f} (95 % interval {found.auc_low:.4f} to {found.auc_high:.4f})")
    click.echo(f"recall at 5 % false alarms {found.recall_at_5:.4f}")
    click.echo(f"recall at 1 % false alarms {found.recall_at_1:.4f}")
    click.echo(f"calibration error {found.calibration_error:.4f}")
    for name, chosen in (("cakes", given[known == 1]), ("others", given[known == 0])):
        accepted = (chosen >= judge.thresholds.accept).mean()
        rejected = (chosen < judge.thresholds.review).mean()
        click.echo(f"{name}: accepted {accepted:.3f}, review {1 - accepted - rejected:.3f}, rejected {rejected:.3f}")


@model.command()
@click.argument("url")
@click.option("--sha256", required=True, help="The archive's SHA-256; nothing is unpacked unless it is that.")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), required=True, help="Where the pack goes.")
def fetch(*, url: str, sha256: str, into: Path) -> None:
    """Fetch a pack: URL leads to a tar archive of its folder."""
    packs.fetch(url, sha256=sha256.lower(), into=into, files=detector.FILES)
    click.echo(f"{into}: {', '.join(sorted(each.name for each in into.iterdir()))}")


@model.command()
@click.argument("pack", type=click.Path(path_type=Path), required=False)
def inspect(*, pack: Path | None) -> None:
    """Check a pack and print its card; default: the starter pack."""
    _show(detector.Detector.load(pack or detector.starter_pack()).card)


def _show(card: detector.Card) -> None:
    table = Table(title=f"{card.name} {card.version}", show_header=False)
    table.add_row("sha256", card.sha256)
    table.add_row("input", f"{card.input.side_pixels} px, {card.input.fit.value}")
    table.add_row("parameters", f"{card.parameters:,}")
    table.add_row("thresholds", f"accept from {card.thresholds.accept}, reject below {card.thresholds.review}")
    table.add_row("rule", card.threshold_rule)
    for split, figures in card.metrics.items():
        table.add_row(split, "\n".join(f"{name} {value:g}" for name, value in figures.items()))
    table.add_row("training data", "\n".join(card.training_data))
    table.add_row("held out", f"{len(card.held_out_sources)} sources")
    table.add_row("limits", "\n".join(card.limits))
    buffer = io.StringIO()
    Console(file=buffer, width=118).print(table)
    click.echo(buffer.getvalue(), nl=False)
