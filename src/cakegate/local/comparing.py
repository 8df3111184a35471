"""`cakegate model compare`: where the shadow would have decided otherwise, and who was right as people say."""

from datetime import datetime
from pathlib import Path
from uuid import UUID

import click
import msgspec
from rich.table import Table

from cakegate.adapters.store import labelling, pool, shadowing
from cakegate.domain import comparisons, verdicts
from cakegate.domain.comparisons import DECISIONS
from cakegate.local import asking


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Comparisons, and the addresses of the pictures that they name."""

    comparisons: list[comparisons.Comparison]
    addresses: dict[UUID, str]


@click.command()
@click.option("--since", type=asking.SINCE, default="7d", show_default=True, help="A time, or how long ago: 7d, 12h.")
@click.option("--limit", type=click.IntRange(0, 1000), default=10, show_default=True,
              help="How many of the most different to name.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each primary and shadow.")
@asking.STATE
def compare(*, since: datetime, limit: int, as_json: bool, folder: Path | None) -> None:
    """Compare the shadow's verdicts with those that counted, on the same pictures."""
    found = asking.with_database(folder, lambda db: ask(db, since=since, limit=limit))
    if as_json:
        for each in found.comparisons:
            click.echo(msgspec.json.encode(_as_json(each, found.addresses)))
        return
    if not found.comparisons:
        click.echo(f"no shadow has judged since {since:%Y-%m-%d %H:%M} UTC (CAKEGATE_DETECTOR_SHADOW_PACK)")
    for each in found.comparisons:
        _show(each, found.addresses)


async def ask(db: pool.Database, *, since: datetime, limit: int) -> Found:
    """What was judged by two models from `since` on. Raises `DatabaseUnavailable`."""
    pairs = [pair async for pair in shadowing.pairs(db, since=since)]
    # A submission that was in review for a flaw of its picture may have been rejected for that.
    opinions = {each.submission_id: each.opinion async for each in labelling.labelled(db, since=since) if each.is_sound}
    found = comparisons.compared(pairs, opinions, limit=limit)
    named = {pair.submission_id for each in found for pair in each.most_different}
    return Found(comparisons=found, addresses=await shadowing.addresses(db, named))


def _as_json(found: comparisons.Comparison, addresses: dict[UUID, str]) -> dict[str, object]:
    shown: dict[str, object] = msgspec.to_builtins(found)
    return {
        **shown,
        "accepted_anew": found.accepted_anew,
        "rejected_anew": found.rejected_anew,
        "most_different": [
            {
                "submission_id": pair.submission_id,
                "image_url": addresses.get(pair.submission_id),
                "primary_score": pair.primary_score,
                "shadow_score": pair.shadow_score,
                "primary_decision": pair.primary_decision,
                "shadow_decision": pair.shadow_decision,
            }
            for pair in found.most_different
        ],
    }


def _show(found: comparisons.Comparison, addresses: dict[UUID, str]) -> None:
    console = asking.plain_console()
    console.print(f"{_named(found.primary)} decides, {_named(found.shadow)} is its shadow: {found.pairs:,} pictures")
    table = Table("primary \\ shadow", *(each.value for each in DECISIONS))
    for mine in DECISIONS:
        table.add_row(mine.value, *(f"{found.decisions[mine][its]:,}" for its in DECISIONS))
    console.print(table)
    console.print(
        f"agreement {found.agreement:.1%}; the shadow would have accepted {found.accepted_anew:,} that the primary did"
        f" not, and rejected {found.rejected_anew:,} that the primary did not"
    )
    console.print(
        f"score difference median {found.difference_median:.4f}, p95 {found.difference_p95:.4f},"
        f" mean {found.shift:+.4f} (shadow minus primary)"
    )
    _show_people(found.people)
    if found.most_different:
        table = Table("submission", "primary", "shadow", "picture", title="most different")
        for pair in found.most_different:
            table.add_row(
                str(pair.submission_id),
                f"{pair.primary_score:.4f} {pair.primary_decision.value}",
                f"{pair.shadow_score:.4f} {pair.shadow_decision.value}",
                addresses.get(pair.submission_id, ""),
            )
        console.print(table)


def _show_people(people: comparisons.People) -> None:
    console = asking.plain_console()
    if not people.cakes + people.others:
        console.print("people have said nothing of these pictures yet")
        return
    console.print(f"people say of {people.cakes} that they are cakes, of {people.others} that they are not:")
    table = Table("", "right", "wrong", "for a person", "auc")
    for name, judged in (("primary", people.primary), ("shadow", people.shadow)):
        asked = people.cakes + people.others - judged.right - judged.wrong
        auc = "" if judged.auc is None else f"{judged.auc:.4f}"
        table.add_row(name, str(judged.right), str(judged.wrong), str(asked), auc)
    console.print(table)
    console.print(
        "(people are mostly shown what the primary was in doubt about, which makes it look worse than it is:"
        " docs/retraining.md)"
    )


def _named(model: verdicts.Model) -> str:
    return f"{model.name} {model.version} ({model.sha256[:12]})"
