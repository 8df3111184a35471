"""`cakegate model train|evaluate|fetch|inspect`. Only `train` needs the training library."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import track
from rich.table import Table

from cakegate.adapters import detector, packs
from cakegate.domain import errors
from cakegate.training import config as configuration
from cakegate.training import data, evaluating, mistakes, perturbing, reporting

_MINUTES = 30.0
#: Upscaling to 2,000 pixels takes a tenth of a second a picture.
_PERTURBED_MOST = 500


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
@click.option("--held-out", "held_out_only", is_flag=True,
              help="Only the sources that the card says were held out, without near-copies of others.")  # fmt: skip
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write an HTML report to this file.")
@click.option("--worst", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the worst mistakes as one picture to this file (.png or .jpg).")  # fmt: skip
@click.option("--perturb", is_flag=True, help="Re-encode and rescale pictures, and tell how far scores move.")
def evaluate(
    *, folder: Path, pack: Path | None, held_out_only: bool, report: Path | None, worst: Path | None, perturb: bool
) -> None:
    """Measure a pack on labelled pictures: FOLDER holds cake/ and not_cake/."""
    if worst and worst.suffix.lower() not in mistakes.SUFFIXES:
        raise errors.InvalidSettings(f"--worst {worst}: the file's name must end in {' or '.join(mistakes.SUFFIXES)}")
    judge = detector.Detector.load(pack or detector.starter_pack())
    rows, copies = _chosen(folder, judge.card, held_out_only=held_out_only)
    tracked = track(rows(), description="judging", console=Console(stderr=True))
    found = msgspec.structs.replace(evaluating.evaluate(judge, tracked), near_copies=copies)
    for line in evaluating.lines(found):
        click.echo(line)
    perturbed = _perturbed(judge, found, rows()) if perturb else None
    if report or worst:
        wanted = found.worst(mistakes.COUNT)
        small = mistakes.thumbnails(rows(), wanted)
        if worst:
            mistakes.write_sheet(worst, wanted, small)
        if report:
            inlined = [(each, mistakes.inlined(picture)) for each, picture in zip(wanted, small, strict=True)]
            page = reporting.page(found, card=judge.card, worst=inlined, perturbed=perturbed)
            # A file's name may be no text at all.
            report.write_text(page, encoding="utf-8", errors="backslashreplace")


def _chosen(
    folder: Path, card: detector.Card, *, held_out_only: bool
) -> tuple[Callable[[], Iterable[data.Labelled]], int]:
    """What reads the pictures to be judged, as often as it is asked; how many near-copies it leaves out."""
    if not held_out_only:
        return lambda: data.read(folder), 0
    bits = configuration.load().holdout.near_duplicate_bits
    kept, copies = evaluating.held_out(folder, card, near_duplicate_bits=bits)
    return lambda: kept, copies


def _perturbed(
    judge: detector.Detector, found: evaluating.Evaluation, rows: Iterable[data.Labelled]
) -> perturbing.Perturbed:
    """Of at most `_PERTURBED_MOST` of the pictures that could be judged, evenly spread over them."""
    share = max(1, -(-len(found.pictures) // _PERTURBED_MOST))
    wanted = {(each.archive, each.file) for each in found.pictures[::share]}
    images = (data.decode(row.content) for row in rows if (row.archive, row.file) in wanted)
    measured = perturbing.measure(
        judge, track(images, description="changing", total=len(wanted), console=Console(stderr=True))
    )
    click.echo(
        f"re-encoded and rescaled {measured.changes} times: score moves by {measured.median:.3f} (median), "
        f"{measured.p95:.3f} (p95); decisions that change {measured.flipped:.3f}, "
        f"between accepted and rejected {measured.turned:.3f}"
    )
    return measured


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
