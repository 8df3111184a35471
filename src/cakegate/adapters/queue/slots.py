"""How many messages a process may hold, and which it does."""

import threading
from collections.abc import Iterable, Sequence

from cakegate import contract


class Slots:
    """Which messages this process holds, its queues together: never more than it has threads.

    Counted by queue, as Dramatiq does, a message would wait here behind those of another queue while other processes
    are idle. `bulk` gets no more than half, so that a verdict waits for no rendition.
    """

    def __init__(self, *, threads: int, queues: Sequence[str]) -> None:
        self._threads = threads
        self._most = {contract.QUEUE_BULK: max(1, threads // 2)} if len(queues) > 1 else {}
        self._changed = threading.Condition()
        self._held: dict[str, set[str]] = {name: set() for name in queues}
        self._reserved = 0
        self._closed = False
        self._ended = threading.Event()

    def free(self, queue_name: str) -> int:
        """How many messages of a queue may be fetched now."""
        if self._closed:
            return 0
        in_all = self._threads - self._reserved - sum(map(len, self._held.values()))
        of_queue = self._most.get(queue_name, self._threads) - len(self._held[queue_name])
        return max(0, min(in_all, of_queue))

    def reserve(self, queue_name: str, *, seconds: float) -> int:
        """Take all slots that are free, once one is; 0 when none was in time. `fill` must follow."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self.free(queue_name), timeout=seconds)
            taken = self.free(queue_name)
            self._reserved += taken
        if self._closed and not taken:
            self._ended.wait(seconds)
        return taken

    def fill(self, queue_name: str, ids: Iterable[str], *, reserved: int) -> None:
        """Exchange a reservation for the messages that were fetched."""
        with self._changed:
            self._reserved -= reserved
            self._held[queue_name].update(ids)
            self._changed.notify_all()

    def empty(self, queue_name: str, ids: Iterable[str]) -> None:
        """These are held no more."""
        with self._changed:
            self._held[queue_name].difference_update(ids)
            self._changed.notify_all()

    def held(self, queue_name: str) -> frozenset[str]:
        """Ids of the messages that are held."""
        with self._changed:
            return frozenset(self._held[queue_name])

    def close(self) -> None:
        """Fetch no more: whoever asks waits for the `end`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def end(self) -> None:
        """Let consumers go that wait."""
        self.close()
        self._ended.set()
