"""What keeps passes going: a task for each bakery, woken by events, and by the clock where none came.

Level-triggered: a wake says only that something may have changed. Wakes that come during a pass make one more pass.
"""

import asyncio
import random
import time
from typing import Final

import structlog

from cakegate_operator import metrics
from cakegate_operator.cluster import ClusterError
from cakegate_operator.reconcile import Ended, Reconciler

_log = structlog.get_logger("cakegate.operator")

#: Share by which each pause is made longer or shorter, so that bakeries do not march in step.
_JITTER: Final = 0.2
#: What is not as it is to be is looked at more often: neither a Secret that somebody makes nor a kubelet's complaint is
#: an event that we see.
_OPEN_SECONDS: Final = 10.0
_OPEN: Final = frozenset({Ended.HELD, Ended.WAITING, Ended.UNSETTLED})
#: Passes after which what is still so is looked at half as often: a right that is missing holds all bakeries at once,
#: and would have them ask the API server every ten seconds for days.
_OPEN_PASSES: Final = 12
#: Events of one change come in flocks.
_GATHER_SECONDS: Final = 0.05
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 60.0


class Loop:
    """The tasks. Passes of one bakery never overlap; of all bakeries `at_once` may be under way."""

    def __init__(self, reconciler: Reconciler, *, resync_seconds: float = 120.0, at_once: int = 4) -> None:
        self._reconciler = reconciler
        self._resync_seconds = resync_seconds
        self._limit = asyncio.Semaphore(at_once)
        self._wakes: dict[tuple[str, str], asyncio.Event] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._began: dict[tuple[str, str], float] = {}

    def wake(self, namespace: str, name: str) -> None:
        """Something may have changed: look soon."""
        key = (namespace, name)
        if key not in self._tasks:
            self._wakes[key] = asyncio.Event()
            self._tasks[key] = asyncio.create_task(self._follow(key), name=f"bakery {namespace}/{name}")
            metrics.BAKERIES.set(len(self._tasks))
        self._wakes[key].set()

    def follows(self, namespace: str, name: str) -> bool:
        """Whether this bakery is looked after."""
        return (namespace, name) in self._tasks

    def longest_pass_seconds(self) -> float:
        """How long the oldest pass that is under way takes already."""
        now = time.monotonic()
        return max((now - began for began in self._began.values()), default=0.0)

    async def close(self) -> None:
        """Stop all of it; what a pass left half done, the next leader finishes."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, key: tuple[str, str]) -> None:
        event, failures, open_passes, woken = self._wakes[key], 0, 0, True
        while True:
            event.clear()
            ended = await self._pass(key)
            failures = 0 if ended else failures + 1
            # An event says that something moved: what comes of it is looked at soon again.
            open_passes = (0 if woken else open_passes) + 1 if ended in _OPEN else 0
            if ended is Ended.GONE and not event.is_set():
                self._drop(key)
                return
            woken = await self._pause(event, ended, failures, open_passes)

    def _drop(self, key: tuple[str, str]) -> None:
        del self._tasks[key], self._wakes[key]
        metrics.BAKERIES.set(len(self._tasks))

    async def _pause(self, event: asyncio.Event, ended: Ended | None, failures: int, open_passes: int) -> bool:
        """Wait; whether an event ended it."""
        if ended is None:
            # An event does not shorten it: an API server that is down gets no more questions for being talked about.
            await asyncio.sleep(_jittered(min(_FIRST_PAUSE_SECONDS * 2 ** (failures - 1), _LONGEST_PAUSE_SECONDS)))
            return event.is_set()
        seconds = open_seconds(open_passes, self._resync_seconds) if open_passes else self._resync_seconds
        try:
            await asyncio.wait_for(event.wait(), _jittered(seconds))
        except TimeoutError:
            return False
        await asyncio.sleep(_GATHER_SECONDS)
        return True

    async def _pass(self, key: tuple[str, str]) -> Ended | None:
        """One pass; None where it failed, whatever it failed of: a mistake of ours must not end the other bakeries."""
        async with self._limit:
            self._began[key] = began = time.monotonic()
            structlog.contextvars.bind_contextvars(namespace=key[0], bakery=key[1])
            try:
                ended = await self._reconciler.reconcile(*key)
            except ClusterError as error:
                _log.warning("reconcile.failed", error=str(error), kind=type(error).__name__)
                _count(error)
                return None
            except Exception as error:  # noqa: BLE001 - logged whole, counted, tried again
                _log.exception("reconcile.broken")
                _count(error)
                return None
            finally:
                del self._began[key]
                metrics.SECONDS.observe(time.monotonic() - began)
        metrics.RECONCILES.labels(ended.value).inc()
        _log.debug("reconcile.ended", outcome=ended.value)
        return ended


def open_seconds(passes: int, resync_seconds: float) -> float:
    """How long to wait after so many passes of the clock in a row that left something open."""
    return min(_OPEN_SECONDS * 2.0 ** min(passes // _OPEN_PASSES, 10), resync_seconds)


def _count(error: Exception) -> None:
    metrics.RECONCILES.labels("error").inc()
    metrics.ERRORS.labels(type(error).__name__).inc()


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
