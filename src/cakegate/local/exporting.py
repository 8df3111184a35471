"""`cakegate model export-reviews`: what people said of pictures, as a folder that `cakegate model train` reads.

`cake/` and `not_cake/` hold the largest rendition of each picture, named by the picture's hash, and `manifest.csv` says
which host each is from: whole hosts are held out for validation. An export that was cut off is taken up where it ended,
and what is there is never written over.
"""

import csv
import io
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cakegate import settings
from cakegate.adapters import blobs
from cakegate.adapters.store import labelling, pool, renditions
from cakegate.domain import errors
from cakegate.domain.renditions import Format, Preset
from cakegate.domain.verdicts import Opinion
from cakegate.local import asking

MANIFEST: Final = "manifest.csv"
#: As training reads them. Without an archive a file is one beside the manifest.
COLUMNS: Final = ("archive", "file", "label", "source", "kind")
_LABELS: Final = {Opinion.CAKE: "cake", Opinion.NOT_CAKE: "not_cake"}
_SUFFIXES: Final = {Format.JPEG: ".jpg", Format.WEBP: ".webp"}
#: Of a picture's hash: more than enough to tell pictures apart.
_NAME_DIGITS: Final = 32


class Report(msgspec.Struct, kw_only=True):
    """What became of what people said: `written` by label, the rest by why it is not."""

    written: Counter[str] = msgspec.field(default_factory=Counter)
    there_already: int = 0
    told_apart: int = 0
    for_a_flaw: int = 0
    without_rendition: int = 0


@click.command("export-reviews")
@click.argument("target", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path))
@click.option("--since", type=asking.SINCE, default=None, help="What was said since a time, or so long ago: 30d.")
@click.option("--until", type=asking.SINCE, default=None, help="And before another: what came later is to test on.")
@asking.STATE
def export_reviews(*, target: Path, since: datetime | None, until: datetime | None, folder: Path | None) -> None:
    """Write the pictures that people decided on into FOLDER, by what they said, to train on."""
    group = settings.from_env().pictures

    async def run(db: pool.Database) -> Report:
        kept = blobs.opened(group, table=renditions.TableBlobs(db))
        with Progress(
            SpinnerColumn(), TextColumn("{task.completed} pictures"), TimeElapsedColumn(), console=Console(stderr=True)
        ) as progress:
            task = progress.add_task("exporting", total=None)
            said = labelling.labelled(db, since=since)
            return await export(db, kept, target, said=said, until=until, told=lambda: progress.advance(task))

    found = asking.with_database(folder, run)
    click.echo(f"{target}: {found.written['cake']} cakes and {found.written['not_cake']} others written")
    for count, why in (
        (found.there_already, "there already"),
        (found.told_apart, "there already as the other, left as they are"),
        (found.for_a_flaw, "rejected while too small, blank or blurred: nobody said what they show"),
        (found.without_rendition, "of which no rendition is kept"),
    ):
        if count:
            click.echo(f"{count} {why}")


async def export(
    db: pool.Database,
    kept: blobs.Blobs,
    target: Path,
    *,
    said: AsyncIterator[labelling.Labelled],
    until: datetime | None,
    told: Callable[[], None],
) -> Report:
    """Write what people `said` before `until` into a folder, which is made. `told` is called once a picture.

    Of a picture that was submitted twice the later word counts.

    Raises:
        InvalidSettings: the folder cannot be written, or holds a manifest that is none of ours.
        DatabaseUnavailable: what is written stays; begin again.
    """
    report = Report()
    words: dict[bytes, labelling.Labelled] = {}
    async for each in said:
        if until is not None and each.said_at >= until:
            break
        if each.is_sound:
            words[each.image_sha256] = each
        else:
            report.for_a_flaw += 1
    try:
        folder = _Folder(target)
        for word in words.values():
            await _export(db, kept, folder, word, report)
            told()
    except OSError as error:
        raise errors.InvalidSettings(f"{target} cannot be written: {error.strerror}") from error
    return report


async def _export(
    db: pool.Database, kept: blobs.Blobs, folder: "_Folder", word: labelling.Labelled, report: Report
) -> None:
    label, name = _LABELS[word.opinion], word.image_sha256.hex()[:_NAME_DIGITS]
    if there := folder.label_of(name):
        report.there_already += there == label
        report.told_apart += there != label
        return
    found = {each.format: each for each in await renditions.find(db, word.image_sha256, Preset.WEB)}
    chosen = found.get(Format.JPEG) or found.get(Format.WEBP)
    content = await kept.get(chosen.blob_key) if chosen else None
    if chosen is None or content is None:
        report.without_rendition += 1
        return
    folder.write(f"{label}/{name}{_SUFFIXES[chosen.format]}", content, source=word.source_host)
    report.written[label] += 1


class _Folder:
    """A folder of labelled pictures and their manifest, as it is and as it grows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._manifest = folder / MANIFEST
        for label in _LABELS.values():
            (folder / label).mkdir(parents=True, exist_ok=True)
        self._labels = {
            path.stem: label
            for label in _LABELS.values()
            for path in (folder / label).iterdir()
            if path.suffix in _SUFFIXES.values()
        }
        self._listed = self._read()

    def _read(self) -> set[str]:
        if not self._manifest.exists():
            self._append(COLUMNS)
            return set()
        content = self._manifest.read_bytes()
        ended = content.rfind(b"\n") + 1
        rows, last = _rows(content[:ended]), _rows(content[ended:])
        if not rows or tuple(rows[0]) != COLUMNS:
            raise errors.InvalidSettings(f"{self._manifest} has not the columns {', '.join(COLUMNS)}")
        if last and len(last[0]) == len(COLUMNS) and (self._folder / last[0][1]).is_file():
            # An editor left the end of the last line out.
            rows += last
            self._manifest.write_bytes(content + b"\r\n")
        else:
            # A line that was cut off in the middle names a file that was not written yet.
            os.truncate(self._manifest, ended)
        return {row[1] for row in rows[1:]}

    def label_of(self, name: str) -> str | None:
        """Where a picture lies already; None where it does not."""
        return self._labels.get(name)

    def write(self, file: str, content: bytes, *, source: str) -> None:
        """Write a picture, its line first: a line too many does no harm, a picture of unknown source may."""
        path = self._folder / file
        if file not in self._listed:
            self._append(("", file, path.parent.name, source, ""))
            self._listed.add(file)
        partial = path.with_suffix(".partial")
        partial.write_bytes(content)
        partial.rename(path)
        self._labels[path.stem] = path.parent.name

    def _append(self, row: tuple[str, ...]) -> None:
        with self._manifest.open("a", encoding="utf-8", newline="") as lines:
            csv.writer(lines).writerow(row)


def _rows(lines: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(lines.decode(errors="replace"), newline="")))
