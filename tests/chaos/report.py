"""What a run prints: a table, the violations, and one line of figures."""

from collections import Counter
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from chaos import audit, plans, records

#: All must be settled so soon after the last blow.
RECOVERY_SECONDS: Final = 90.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One run: its plan, what was seen, what was counted. Times in seconds; `recovered` is None where it did not."""

    plan: plans.Plan
    seen: records.Seen
    violations: list[audit.Violation]
    variables: dict[str, str]
    struck: dict[tuple[plans.Target, plans.Blow], int]
    back_seconds: dict[tuple[plans.Target, plans.Blow], float]
    troubles: dict[str, int]
    run_seconds: float
    recovered_seconds: float | None

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        recovered = self.recovered_seconds is not None and self.recovered_seconds <= RECOVERY_SECONDS
        return recovered and not self.violations

    @property
    def line(self) -> str:
        """The one line of figures."""
        kinds = Counter(violation.kind for violation in self.violations)
        kills = sum(count for (_, blow), count in self.struck.items() if blow is not plans.Blow.FREEZE)
        recovered = (
            "not recovered" if self.recovered_seconds is None else f"recovered in {self.recovered_seconds:.1f} s"
        )
        named = (audit.Kind.LOST, audit.Kind.DOUBLED, audit.Kind.RESURRECTED)
        figures = [f"{len(self.plan.orders)} submissions", f"{kills} kills"]
        figures += [f"{kinds[kind]} {kind.value}" for kind in named]
        if others := sum(count for kind, count in kinds.items() if kind not in named):
            figures.append(f"{others} other violations")
        return f"chaos seed={self.plan.seed}: {', '.join([*figures, recovered])}"


def show(outcome: Outcome, console: Console) -> None:
    """Print it all."""
    _print_table(console, "blows", ("target", "blow", "times", "longest until ready, s"), [
        (target.value, blow.value, str(count), f"{outcome.back_seconds.get((target, blow), 0):.1f}")
        for (target, blow), count in sorted(outcome.struck.items())
    ])  # fmt: skip
    _print_counts(console, "submissions by end", Counter(_end(row) for row in outcome.seen.rows))
    answers = Counter(_answer(attempt) for told in outcome.seen.told for attempt in told.attempts)
    _print_counts(console, "answers to POST", answers)
    _print_counts(console, "answers to PUT and DELETE", Counter(
        f"{change.method} {change.status or 'broken'}{f' {change.problem}' if change.problem else ''}"
        for change in outcome.seen.changes
    ))  # fmt: skip
    _print_counts(console, "troubles that the upstream gave", Counter(outcome.troubles))
    _print_table(console, "settings", ("variable", "value"), [*outcome.variables.items()])
    facts = [(f"submissions whose way has: {text}", str(_passed(outcome, text))) for text in _MILESTONES]
    facts += [
        ("upstream: cakes created", str(sum(entry.act == "create" for entry in outcome.seen.ledger))),
        ("upstream: cakes deleted", str(sum(entry.act == "delete" for entry in outcome.seen.ledger))),
        ("deletions answered 200 and not on record", str(len(audit.unnoted_deletions(outcome.seen)))),
        ("orders sent in, s", f"{outcome.run_seconds:.1f}"),
    ]
    _print_table(console, "besides", ("what", "figure"), facts)
    for violation in outcome.violations:
        console.print(f"{violation.kind.value.upper()} {violation.subject}: {violation.text}", soft_wrap=True)
        for step in violation.history:
            console.print(f"    {step}", soft_wrap=True)
    console.print(outcome.line, soft_wrap=True)


#: Parts of a history's lines that say what a run really put to the test.
_MILESTONES: Final = (
    "judging → pending by scheduler (the lease ran out)",
    "creating → uncertain",
    "creating → uncertain (upstream-uncertain) by scheduler (the lease ran out)",
    "found by its marker",
    "proved absent by two scans",
    "deleted through us before it was found",
)


def _passed(outcome: Outcome, text: str) -> int:
    return sum(any(text in step for step in row.history) for row in outcome.seen.rows)


def _end(row: records.Row) -> str:
    marks = [row.reason or "", "deleted" if row.deleted else "", "for a person" if row.needs_person else ""]
    return " ".join(filter(None, (row.state, *marks)))


def _answer(attempt: records.Attempt) -> str:
    return f"{attempt.status or 'broken'}{f' {attempt.problem}' if attempt.problem else ''}"


def _print_counts(console: Console, title: str, counts: Counter[str]) -> None:
    _print_table(console, title, ("what", "times"), [(name, str(count)) for name, count in sorted(counts.items())])


def _print_table(console: Console, title: str, columns: tuple[str, ...], lines: list[tuple[str, ...]]) -> None:
    table = Table(*columns, title=title, title_justify="left")
    for line in lines:
        table.add_row(*line)
    console.print(table)
