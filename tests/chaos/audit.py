"""Holds what clients were told and what Postgres says against the upstream's ledger: records in, violations out."""

import enum
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final
from uuid import UUID

import msgspec

from cakegate.domain import cakes
from cakegate.local.sample_cakes import Entry
from chaos.records import Attempt, Change, Row, Seen, Told


class Kind(enum.StrEnum):
    """What promise is broken."""

    LOST = "lost"
    DOUBLED = "doubled"
    RESURRECTED = "resurrected"
    UNTRUE = "untrue"
    UNEARNED = "unearned"
    LEFT_OVER = "left over"
    LEAKED = "leaked"
    STUCK = "stuck"
    UNFORESEEN = "unforeseen"


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One broken promise; `history` is the submission's, oldest step first."""

    kind: Kind
    subject: str
    text: str
    history: list[str] = []


class _Case:
    """What was seen, ready to be looked up."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.rows = {row.id: row for row in seen.rows}
        self.creates: dict[str, list[Entry]] = defaultdict(list)
        self.deletes: dict[int, Entry] = {}
        self.created: dict[int, Entry] = {}
        for entry in seen.ledger:
            marker = cakes.marker_of(entry.image_url)
            if entry.act == "create":
                self.created[entry.cake_id] = entry
                if marker is not None:
                    self.creates[marker].append(entry)
            elif entry.act == "delete":
                self.deletes[entry.cake_id] = entry

    def of(self, row: Row) -> list[Entry]:
        """The cakes that were ever created for a submission."""
        return self.creates.get(row.marker, []) if row.marker else []


def violations(seen: Seen) -> list[Violation]:
    """Every promise that was broken; none, where all held."""
    case = _Case(seen)
    return [violation for check in _CHECKS for violation in check(case)]


def _about(row: Row, kind: Kind, text: str) -> Violation:
    return Violation(kind=kind, subject=str(row.id), text=text, history=row.history)


def _settled(case: _Case) -> Iterator[Violation]:
    """Everything taken in ended, or waits for a person."""
    for row in case.seen.rows:
        parked = row.state == "uncertain" and row.needs_person
        if row.state not in {"created", "rejected", "failed", "review"} and not parked:
            yield _about(row, Kind.LOST, f"is {row.state} at the end")
        if row.leased:
            yield _about(row, Kind.LEFT_OVER, "has a lease at the end")


def _true_ends(case: _Case) -> Iterator[Violation]:
    """A submission is `created` exactly when the upstream created its cake, and has its fields."""
    for row in case.seen.rows:
        entries = case.of(row)
        if row.state == "created":
            if not entries:
                yield _about(row, Kind.LOST, f"is created, but the upstream never created it (cake {row.upstream_id})")
                continue
            yield from _same_cake(row, entries)
            if row.deleted and entries[-1].cake_id not in case.deletes:
                yield _about(row, Kind.UNTRUE, f"is marked deleted, but cake {entries[-1].cake_id} lives")
        elif entries and row.state != "uncertain":
            ids = [entry.cake_id for entry in entries]
            yield _about(row, Kind.UNTRUE, f"is {row.state} ({row.reason}), but the upstream created {ids}")


def _same_cake(row: Row, entries: list[Entry]) -> Iterator[Violation]:
    entry = entries[0]
    if row.upstream_id not in {None, str(entry.cake_id)}:
        yield _about(row, Kind.UNTRUE, f"says it is cake {row.upstream_id}, but is {entry.cake_id}")
    written = (entry.name, entry.comment, entry.image_url.partition("#")[0].rpartition("/")[2], entry.yum_factor)
    if written != (row.name, row.comment, row.picture, row.yum_factor):
        yield _about(row, Kind.UNTRUE, f"became another cake: {entry}")


def _once(case: _Case) -> Iterator[Violation]:
    """No marker is created twice, and none that no submission has."""
    markers = {row.marker: row for row in case.seen.rows if row.marker}
    for marker, entries in case.creates.items():
        row = markers.get(marker)
        if row is None:
            text = f"the upstream has cake {entries[0].cake_id} with marker {marker} of no submission"
            yield Violation(kind=Kind.LOST, subject=marker, text=text)
            continue
        for earlier, later in itertools.pairwise(entries):
            gone = case.deletes.get(earlier.cake_id)
            back = gone is not None and gone.number < later.number
            pair = f"cakes {earlier.cake_id} and {later.cake_id}, {later.at - earlier.at:.1f} s apart"
            if back:
                yield _about(row, Kind.RESURRECTED, f"was created again after its deletion: {pair}")
            else:
                yield _about(row, Kind.DOUBLED, f"was created twice: {pair}")


def _promises_kept(case: _Case) -> Iterator[Violation]:
    """What a client was promised is there, once, and its own address says what Postgres says."""
    for told in case.seen.told:
        subject = f"order {told.order.number}"
        if len(told.taken) > 1:
            yield Violation(kind=Kind.DOUBLED, subject=subject, text=f"one order became {sorted(map(str, told.taken))}")
        for submission in told.taken:
            row = case.rows.get(submission)
            if row is None:
                text = f"{submission} was promised and is not in Postgres"
                yield Violation(kind=Kind.LOST, subject=subject, text=text)
            elif told.final is None or told.final.get("state") != row.state:
                yield _about(row, Kind.UNTRUE, f"is {row.state}, but its address says {told.final}")
        if 404 in told.asked:
            yield Violation(kind=Kind.LOST, subject=subject, text="its address was not found right after its 2xx")
    yield from _keys_once(case)


def _keys_once(case: _Case) -> Iterator[Violation]:
    keys: dict[str, Row] = {}
    for row in case.seen.rows:
        if row.key is not None and keys.setdefault(row.key, row) is not row:
            yield _about(row, Kind.DOUBLED, f"has the key {row.key} of {keys[row.key].id}")


def _true_words(case: _Case) -> Iterator[Violation]:
    """Each answer to a POST agrees with what became of it."""
    requests = {row.request_id for row in case.seen.rows}
    for told in case.seen.told:
        subject = f"order {told.order.number}"
        for attempt in told.attempts:
            text = _untruth(case, told, attempt, requests)
            if text:
                row = case.rows.get(attempt.submission) if attempt.submission else None
                history = row.history if row else []
                yield Violation(kind=Kind.UNTRUE, subject=subject, text=text, history=history)
        last = told.last
        unsure = last.status is None or last.problem == "outcome-unknown"
        if (unsure and told.order.key is not None) or (last.status == 503 and not unsure):
            yield Violation(kind=Kind.LOST, subject=subject, text=f"was never answered: {last}")


_NO_CAKE: Final = frozenset({"not-a-cake", "rejected-by-person"})
#: What a row must be where a POST got this status; None: anything.
_STATE_OF: Final = {200: None, 202: None, 422: "rejected", 502: "failed"}


def _untruth(case: _Case, told: Told, attempt: Attempt, requests: set[str | None]) -> str | None:
    """What is wrong with an answer, if anything."""
    if attempt.status is None or attempt.problem == "outcome-unknown":
        return None
    if attempt.status == 503:
        return f"{attempt} was taken in all the same" if attempt.request_id in requests else None
    row = case.rows.get(attempt.submission) if attempt.submission else None
    if row is None:
        return f"{attempt} names no submission"
    if attempt.status == 201:
        return _untrue_cake(case, told, attempt, row)
    known = attempt.status in _STATE_OF and _STATE_OF[attempt.status] in {None, row.state}
    reasoned = attempt.status != 422 or (attempt.problem == "not-a-cake") == (row.reason in _NO_CAKE)
    return None if known and reasoned else f"{attempt}, but it is {row.state} ({row.reason})"


def _untrue_cake(case: _Case, told: Told, attempt: Attempt, row: Row) -> str | None:
    cake, order = attempt.cake or {}, told.order
    given = (cake.get("name"), cake.get("comment"), cake.get("yumFactor"), str(cake.get("imageUrl")).rpartition("/")[2])
    if given != (order.name, order.comment, order.yum_factor, order.picture):
        return f"201 with another cake than was sent: {cake}"
    if row.state != "created" or str(cake.get("id")) not in {str(entry.cake_id) for entry in case.of(row)}:
        return f"201 for cake {cake.get('id')}, but it is {row.state} as {row.upstream_id}"
    return None


#: Problems of a PUT or DELETE that say that nothing was changed.
_UNCHANGED: Final = frozenset(
    {"upstream-unreachable", "upstream-refused", "upstream-broken", "upstream-slow", "upstream-busy",
     "database-unavailable"}
)  # fmt: skip


def _true_changes(case: _Case) -> Iterator[Violation]:
    """Each answer to a PUT or DELETE agrees with the ledger, and no PUT takes a cake's marker away."""
    comments = {entry.comment for entry in case.seen.ledger if entry.act == "replace"}
    for change in case.seen.changes:
        if text := _untrue_change(case, change, comments):
            yield Violation(kind=Kind.UNTRUE, subject=f"cake {change.cake_id}", text=f"{change}: {text}")
    for entry in case.seen.ledger:
        origin = case.created.get(entry.cake_id)
        if entry.act == "replace" and origin is not None and origin.image_url != entry.image_url:
            text = f"its address became {entry.image_url}, it was {origin.image_url}"
            yield Violation(kind=Kind.UNTRUE, subject=f"cake {entry.cake_id}", text=text)


def _untrue_change(case: _Case, change: Change, comments: set[str]) -> str | None:
    if change.status in {200, 404}:
        gone = int(change.cake_id) in case.deletes
        if change.method == "DELETE" and not gone:
            return "the cake lives"
        if change.method == "PUT" and change.status == 200 and change.comment not in comments:
            return "it was not written"
    elif change.problem in _UNCHANGED:
        return "it was written all the same" if change.comment in comments else None
    elif change.status not in {None, 502, 503}:
        return "is no answer"
    return None


def _fair(case: _Case) -> Iterator[Violation]:
    """Nobody is poison, since no picture kills a child; and each is judged as its picture was in quiet times."""
    for row in case.seen.rows:
        if row.decoder_deaths or row.reason == "poison":
            yield _about(row, Kind.UNEARNED, f"{row.decoder_deaths} deaths of a child count against it")
        state, reason = case.seen.quiet[row.picture]
        if not _is_fair(row, state, reason):
            yield _about(
                row, Kind.UNEARNED, f"is {row.state} ({row.reason}); {row.picture} alone is {state} ({reason})"
            )


def _is_fair(row: Row, state: str, reason: str | None) -> bool:
    """Whether a row may be as it is, its picture being judged so alone. What has not ended is not judged here."""
    decided = any(" by person:" in step for step in row.history)
    if decided and row.reason == "rejected-by-person":
        return True
    if state == "created" or decided:
        return row.state not in {"rejected", "review", "failed"} or row.reason == "upstream-absent"
    return (state, reason) == (row.state, row.reason) or row.state in {"pending", "judging"}


def _clean(case: _Case) -> Iterator[Violation]:
    """Nothing is left over, nobody saw a marker, whatever was struck came back, and nothing else fell."""
    seen = case.seen
    for kind, texts in (
        (Kind.LEFT_OVER, seen.left_over),
        (Kind.LEAKED, seen.leaks),
        (Kind.STUCK, seen.stuck),
        (Kind.UNFORESEEN, seen.unforeseen),
    ):
        for text in texts:
            yield Violation(kind=kind, subject=text.partition(" ")[0], text=text)


_CHECKS: Final[tuple[Callable[[_Case], Iterator[Violation]], ...]] = (
    _settled, _true_ends, _once, _promises_kept, _true_words, _true_changes, _fair, _clean,
)  # fmt: skip


def unnoted_deletions(seen: Seen) -> list[UUID]:
    """Submissions whose cake was deleted through the gateway, with a 200, and that do not say so.

    No promise: the process, or Postgres, died between the upstream's answer and its record.
    """
    deleted = {change.cake_id for change in seen.changes if change.method == "DELETE" and change.status == 200}
    return [row.id for row in seen.rows if row.upstream_id in deleted and not row.deleted]
