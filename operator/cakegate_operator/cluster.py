"""What the operator asks of a cluster: a handful of calls and a few errors. `apiserver` answers them for real.

ClusterError
├── Unreachable      no answer, or none that says anything: try again
└── Refused          a definite no, with the API server's own words
    ├── Conflict     something was there first, or was changed in between
    └── Denied       a right is missing
"""

from collections.abc import Mapping
from typing import Protocol

from cakegate_operator import inputs
from cakegate_operator.kinds import Kind, Object


class ClusterError(Exception):
    """Base of what may go wrong between the operator and the API server."""


class Unreachable(ClusterError):
    """No answer within the time, or one that says nothing about the object (429, 5xx)."""


class Refused(ClusterError):
    """The API server said no; its words name the wrong field."""


class Conflict(Refused):
    """There is such an object already, or it is no longer the one that was seen."""


class Denied(Refused):
    """The operator's account may not do that."""


class Cluster(Protocol):
    """The only door to the API server. Every call is limited in time and raises `ClusterError`s alone."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """One object as it is now; None only where the API server says that there is none."""

    async def list(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Object]:
        """All objects with these labels, as they are now: complete, or an error."""

    async def apply(self, body: Object, *, manager: str, force: bool) -> Object:
        """Server-side apply; `force` takes fields over from other managers, else a difference is a `Conflict`."""

    async def apply_status(self, body: Object, *, manager: str) -> Object:
        """Server-side apply of the status subresource."""

    async def create(self, body: Object) -> Object:
        """Make it; `Conflict` where it is there already."""

    async def delete(self, body: Object) -> None:
        """Delete exactly this object as it was seen (uid, resourceVersion); `Conflict` where it is another by now.

        What is gone already is fine.
        """

    async def has(self, api: inputs.Api) -> bool | None:
        """Whether an optional API is there; None where no definite answer came."""
