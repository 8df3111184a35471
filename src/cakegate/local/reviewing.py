"""`cakegate submissions list|show|approve|reject|resolve|replay|sampled|label`: what is a person's, from a terminal."""

import getpass
import os
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import msgspec
from rich.table import Table

from cakegate import settings
from cakegate.adapters.store import pool, sampling, settling
from cakegate.adapters.store import reviewing as decisions
from cakegate.adapters.store import submissions as rows
from cakegate.domain import verdicts
from cakegate.domain.submissions import State, Submission
from cakegate.local import asking


def _me() -> str:
    """The user's name, or number where the machine has no name for it (a pod under a random user id)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # KeyError before Python 3.13
        return str(os.geteuid())


_ACTOR = click.option("--as", "actor", default=_me, help="Who decides; default: you.")
_NOTE = click.option("--note", default=None, help="Why, for the record.")
_LIMIT = click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.group()
def submissions() -> None:
    """Look at submissions, decide on those in review or uncertain, say what sampled ones show."""


@submissions.command("list")
@click.option("--in", "states", multiple=True, type=click.Choice([state.value for state in State]),
              help="States to list; default: review and uncertain.")  # fmt: skip
@_LIMIT
@_JSON
@asking.STATE
def listing(*, states: tuple[str, ...], limit: int, as_json: bool, folder: Path | None) -> None:
    """List what waits for a person, oldest first."""
    chosen = [State(name) for name in states] or [State.REVIEW, State.UNCERTAIN]
    found = asking.with_database(folder, lambda db: rows.listing(db, states=chosen, limit=limit))
    if as_json:
        _print_json(map(_document, found))
    else:
        _print_table(("state", "reason", "score", "name", "picture", "since"), map(_cells, found))


def _print_table(columns: tuple[str, ...], cells: Iterable[list[str]]) -> None:
    table = Table()
    # The id is what the other verbs take: whole, however narrow the terminal.
    table.add_column("id", no_wrap=True, min_width=36)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in cells:
        table.add_row(*row)
    asking.plain_console().print(table)


def _print_json(documents: Iterable[Any]) -> None:
    for document in documents:
        click.echo(msgspec.json.encode(document))


def _cells(row: Submission) -> list[str]:
    score = f"{row.verdict.score:.3f}" if row.verdict else ""
    return [str(row.id), row.state.value, row.reason or "", score, row.draft.name, row.draft.image_url,
            _minute(row.updated_at)]  # fmt: skip


def _minute(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M") if moment else ""


def _document(row: Submission) -> dict[str, Any]:
    """What staff may want of a submission; leases and markers are the processes' own."""
    return {
        "id": row.id, "state": row.state, "reason": row.reason, "detail": row.detail, "name": row.draft.name,
        "comment": row.draft.comment, "image_url": row.draft.image_url, "yum_factor": row.draft.yum_factor,
        "verdict": row.verdict, "upstream_id": row.upstream_id, "created_at": row.created_at,
        "updated_at": row.updated_at,
    }  # fmt: skip


@submissions.command()
@click.argument("submission_id", type=click.UUID)
@asking.STATE
def show(*, submission_id: UUID, folder: Path | None) -> None:
    """Show one submission and every step it took."""
    row = asking.with_database(folder, lambda db: rows.get(db, submission_id))
    steps = asking.with_database(folder, lambda db: rows.history(db, submission_id))
    console = asking.plain_console()
    facts = Table(show_header=False)
    for name, value in _facts(row):
        facts.add_row(name, value)
    if proposed := asking.with_database(folder, lambda db: settling.proposal(db, submission_id)):
        facts.add_row("looks like", f"cake {proposed.cake_id}: {msgspec.json.encode(proposed.item).decode()}")
    console.print(facts)
    table = Table("at", "from", "to", "reason", "by", "note")
    for step in steps:
        table.add_row(step.at.isoformat(sep=" ", timespec="milliseconds"), step.origin or "", step.target,
                      step.reason or "", step.actor, step.note or "")  # fmt: skip
    console.print(table)


def _facts(row: Submission) -> list[tuple[str, str]]:
    facts = [
        ("state", row.state.value),
        ("reason", row.reason or ""),
        ("detail", row.detail or ""),
        ("name", row.draft.name),
        ("comment", row.draft.comment),
        ("picture", row.draft.image_url),
        ("yum factor", str(row.draft.yum_factor)),
        ("cake", row.upstream_id or ""),
        ("request", row.request_id or ""),
        ("timings", ", ".join(f"{name} {ms:g} ms" for name, ms in row.timings.items())),
    ]
    if row.verdict:
        model = row.verdict.model
        facts.append(("verdict", f"{row.verdict.decision.value}, score {row.verdict.score:.4f}"))
        if row.verdict.labels:
            facts.append(("may show", _named(row.verdict.labels)))
        facts.append(("model", f"{model.name} {model.version}, sha256 {model.sha256}"))
    return facts


def _named(labels: list[verdicts.Label]) -> str:
    return ", ".join(f"{label.name} {label.score:.3f}" for label in labels)


def _decision(verb: Callable[..., None]) -> click.Command:
    """A verb with which a person decides on one submission: whose word it is, and why, is on record."""
    for option in (asking.STATE, _NOTE, _ACTOR, click.argument("submission_id", type=click.UUID)):
        verb = option(verb)
    return submissions.command()(verb)


@_decision
def approve(*, submission_id: UUID, actor: str, note: str | None, folder: Path | None) -> None:
    """Say that a submission in review is a cake: it will be created."""
    _decide(folder, submission_id, target=State.ACCEPTED, actor=actor, note=note)


@_decision
def reject(*, submission_id: UUID, actor: str, note: str | None, folder: Path | None) -> None:
    """Say that a submission in review is no cake."""
    _decide(folder, submission_id, target=State.REJECTED, actor=actor, note=note)


@_decision
@click.argument("outcome", type=click.Choice(["created", "absent", "given-up"]))
@click.option("--cake", "cake_id", default=None, help="With `created`: its id upstream; default: the proposed one.")
def resolve(
    *, submission_id: UUID, outcome: str, cake_id: str | None, actor: str, note: str | None, folder: Path | None
) -> None:
    """Say what became of an uncertain submission.

    `created`: it is there. `absent`: it is not, send it again. `given-up`: nobody knows and nobody will.
    """
    if cake_id is not None and outcome != "created":
        raise click.UsageError("--cake goes with `created` alone.")
    write_max_seconds = settings.from_env().upstream.write_max_seconds

    async def resolved(db: pool.Database) -> Submission:
        if outcome == "created":
            return await decisions.say_created(db, submission_id, cake_id=cake_id, actor=actor, note=note)
        if outcome == "absent":
            return await decisions.say_absent(
                db, submission_id, write_max_seconds=write_max_seconds, actor=actor, note=note
            )
        return await decisions.give_up(db, submission_id, actor=actor, note=note)

    _carry_out(folder, resolved)


@_decision
def replay(*, submission_id: UUID, actor: str, note: str | None, folder: Path | None) -> None:
    """Try a failed submission again, from where it failed."""
    _carry_out(folder, lambda db: decisions.replay(db, submission_id, actor=actor, note=note))


@submissions.command()
@click.option(
    "--seen", is_flag=True, help="Those that somebody labelled, the last first; default: those that nobody did."
)
@_LIMIT
@_JSON
@asking.STATE
def sampled(*, seen: bool, limit: int, as_json: bool, folder: Path | None) -> None:
    """List accepted submissions that were sampled, for people to say with `label` what they show."""
    found = asking.with_database(folder, lambda db: sampling.listing(db, seen=seen, limit=limit))
    if as_json:
        _print_json(found)
        return
    cells = (
        [str(each.submission_id), f"{each.score:.3f}", _named(each.labels[1:]), each.name, each.image_url,
         _minute(each.sampled_at), each.opinion or "", each.said_by or "", each.note or ""]
        for each in found
    )  # fmt: skip
    _print_table(("score", "may show", "name", "picture", "sampled", "opinion", "by", "note"), cells)


@_decision
@click.argument("opinion", type=click.Choice([opinion.value for opinion in verdicts.Opinion]))
def label(*, submission_id: UUID, opinion: str, actor: str, note: str | None, folder: Path | None) -> None:
    """Say what a sampled picture really shows. Nothing becomes of the submission; the model is measured by it."""
    said = verdicts.Opinion(opinion)
    found = asking.with_database(
        folder, lambda db: sampling.say(db, submission_id, opinion=said, actor=actor, note=note)
    )
    click.echo(f"{found.submission_id}: {said.value}, says {actor}; the model's score was {found.score:.3f}")


def _decide(folder: Path | None, submission_id: UUID, *, target: State, actor: str, note: str | None) -> None:
    _carry_out(folder, lambda db: decisions.decide(db, submission_id, target=target, actor=actor, note=note))


def _carry_out(folder: Path | None, decision: Callable[[pool.Database], Awaitable[Submission]]) -> None:
    moved = asking.with_database(folder, decision)
    click.echo(f"{moved.id} is {moved.state.value} now")
