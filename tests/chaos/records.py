"""What was seen in a run: what clients were told, what Postgres holds, what the upstream's ledger says."""

from typing import Any
from uuid import UUID

import msgspec

from cakegate.local.sample_cakes import Entry
from chaos.plans import Order


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One POST. `status` is None where the connection broke or the client hung up; `submission` is what was named."""

    request_id: str
    status: int | None
    problem: str | None = None
    submission: UUID | None = None
    cake: dict[str, Any] | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One PUT or DELETE of a cake, as `Attempt`. `comment` is what the PUT wanted to write."""

    method: str
    cake_id: str
    status: int | None
    problem: str | None = None
    comment: str | None = None


class Told(msgspec.Struct, kw_only=True):
    """All that one order's client heard, in order; `final` is what the submission's own address says at the end."""

    order: Order
    attempts: list[Attempt] = []
    asked: list[int | None] = []
    final: dict[str, Any] | None = None

    @property
    def last(self) -> Attempt:
        """What it was told in the end."""
        return self.attempts[-1]

    @property
    def taken(self) -> set[UUID]:
        """The submissions that it was promised: by a 2xx, or by a verdict."""
        return {each.submission for each in self.attempts if each.submission and each.status not in {None, 503}}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A submission in Postgres. `picture` is the last part of its address."""

    id: UUID
    state: str
    reason: str | None
    name: str
    comment: str
    picture: str
    yum_factor: int
    request_id: str | None
    key: str | None
    marker: str | None
    upstream_id: str | None
    deleted: bool
    needs_person: bool
    leased: bool
    decoder_deaths: int
    history: list[str] = []


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. `quiet` is how each picture was judged before the first blow: its state and reason.

    `leaks` are answers with a marker in them, `left_over` processes and messages, `stuck` what did not get ready again,
    `unforeseen` what died or failed without being struck.
    """

    told: list[Told]
    changes: list[Change]
    rows: list[Row]
    ledger: list[Entry]
    quiet: dict[str, tuple[str, str | None]]
    leaks: list[str] = []
    left_over: list[str] = []
    stuck: list[str] = []
    unforeseen: list[str] = []
