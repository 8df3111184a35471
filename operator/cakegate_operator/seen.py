"""What was observed of one bakery, and what came of acting on it: data between `observing` and `conditions`."""

from typing import Any

import msgspec

from cakegate_operator import names
from cakegate_operator.bakery import Spec
from cakegate_operator.kinds import Key, Object
from cakegate_operator.statuses import Status


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that keeps a bakery from being as it should, by the reason that its condition will have."""

    reason: str
    message: str


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the upstream answered; coarse on purpose: the operator asks wherever a resource tells it to.

    `reachable` is None where nobody asks.
    """

    reachable: bool | None
    reason: str
    message: str


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A bakery as it is: the resource, its children of all listed kinds, the Secrets it names, its pods' troubles.

    `secrets` holds whole Secrets by name, None for those that are not there; `troubles` says by component what the
    kubelet complains of, asked only where something is not ready.
    """

    live: Object
    spec: Spec
    status: Status
    children: dict[Key, Object]
    secrets: dict[str, Object | None] = {}
    troubles: dict[str, str] = {}
    probe: Probe | None = None

    @property
    def name(self) -> str:
        """The bakery's name."""
        return str(self.live["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """The bakery's namespace."""
        return str(self.live["metadata"]["namespace"])

    @property
    def uid(self) -> str:
        """The bakery's uid."""
        return str(self.live["metadata"]["uid"])

    def child(self, kind: str, component: str) -> Object | None:
        """A component's object of the usual name."""
        return self.children.get(Key(kind, names.child(self.name, component)))


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a pass: what is wrong, what is waited for, and whether everything wanted was applied.

    `desired` is all that is wanted, by key: conditions ask what there should be.
    """

    desired: dict[Key, Object] = {}
    missing: tuple[Problem, ...] = ()
    refused: tuple[Problem, ...] = ()
    waiting: Problem | None = None
    complete: bool = False


def dig(body: Any, *path: str, default: Any = None) -> Any:
    """A field deep in an object, or the default where any part of the way is missing."""
    for step in path:
        if not isinstance(body, dict) or step not in body:
            return default
        body = body[step]
    return body


def condition_of(body: Object | None, kind: str) -> Object | None:
    """The condition of a type in another object's status."""
    found: list[Object] = dig(body or {}, "status", "conditions", default=[])
    return next((each for each in found if each["type"] == kind), None)
