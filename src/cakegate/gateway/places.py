"""How many requests may be at one thing at once: what comes above it is told so at once, not kept waiting in a line.

A slow legacy API would otherwise gather requests until each has waited out its time, reads that could be served too.
"""

import contextlib
from collections.abc import Iterator

from cakegate.domain import errors


class Places:
    """So many places; whoever finds none gets `Overloaded`."""

    def __init__(self, most: int, *, what: str) -> None:
        self._most = most
        self._what = what
        self._taken = 0

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place for a block. Raises `Overloaded`."""
        if self._taken >= self._most:
            raise errors.Overloaded(f"Too many requests wait for {self._what}.", retry_after_seconds=1)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
