"""Whether the upstream answers: asked beside the loop, so that a dead upstream holds no pass up.

The answer is told coarsely (reachable, refuses us, answers errors): a resource may name any address, and its writer is
not to look around in the cluster through the operator's eyes. Redirects are not followed, bodies not read.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Final

import aiohttp
import msgspec
import structlog

from cakegate import settings
from cakegate_operator import observing, reasons
from cakegate_operator.seen import Probe, Seen

_log = structlog.get_logger("cakegate.operator")

_LIST_PATH: Final = "CAKEGATE_UPSTREAM_LIST_PATH"
_LIMIT_SECONDS: Final = 5.0
_REFUSING: Final = frozenset({401, 403})


_NOBODY_ASKS: Final = Probe(reachable=None, reason=reasons.NOT_PROBED, message="the operator is told not to ask")


class Target(msgspec.Struct, frozen=True):
    """Whom to ask, how, and how often."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    ca: str | None = None
    interval_seconds: float = 60.0


class Probes:
    """A probe for each bakery with an upstream that is not the sample. `wake` is called when an answer turns."""

    def __init__(self, wake: Callable[[str, str], None] | None = None, *, enabled: bool = True) -> None:
        self.wake = wake
        self._enabled = enabled
        self._latest: dict[tuple[str, str], Probe] = {}
        self._running: dict[tuple[str, str], tuple[Target, asyncio.Task[None]]] = {}

    def latest(self, namespace: str, name: str) -> Probe | None:
        """The newest answer; None where it is still to come."""
        return self._latest.get((namespace, name)) if self._enabled else _NOBODY_ASKS

    def follow(self, seen: Seen) -> None:
        """Probe what this bakery names from now on."""
        key, target = (seen.namespace, seen.name), _target(seen)
        running = self._running.get(key)
        if running and running[0] == target and not running[1].done():
            return
        self.forget(*key)
        if target and self._enabled:
            self._running[key] = (target, asyncio.create_task(self._watch(key, target), name=f"probe {key}"))

    def forget(self, namespace: str, name: str) -> None:
        """Probe no longer."""
        running = self._running.pop((namespace, name), None)
        self._latest.pop((namespace, name), None)
        if running:
            running[1].cancel()

    async def close(self) -> None:
        """Stop all of it."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()

    async def _watch(self, key: tuple[str, str], target: Target) -> None:
        while True:
            began = time.monotonic()
            found = await asked(target)
            if found != self._latest.get(key):
                self._latest[key] = found
                _log.info("upstream.probed", namespace=key[0], bakery=key[1], reachable=found.reachable)
                if self.wake:
                    self.wake(*key)
            await asyncio.sleep(max(1.0, target.interval_seconds - (time.monotonic() - began)))


def _target(seen: Seen) -> Target | None:
    upstream = seen.spec.upstream
    if upstream.url is None:
        return None
    path = (seen.spec.settings or {}).get(_LIST_PATH, settings.Upstream().list_path)
    headers: list[tuple[str, str]] = []
    if key := upstream.headers_secret_ref:
        lines = (observing.value_of(seen.secrets.get(key.name), key.key) or b"").decode(errors="replace").splitlines()
        headers += [
            (name.strip(), value.strip()) for name, colon, value in (line.partition(":") for line in lines) if colon
        ]
    if key := upstream.credentials_secret_ref:
        token = (observing.value_of(seen.secrets.get(key.name), key.key) or b"").decode(errors="replace").strip()
        headers.append(("Authorization", f"Bearer {token}"))
    ca = (
        observing.value_of(seen.secrets.get(upstream.ca_secret_ref.name), upstream.ca_secret_ref.key)
        if (upstream.ca_secret_ref)
        else None
    )
    return Target(
        url=f"{upstream.url.rstrip('/')}{path}",
        headers=tuple(headers),
        ca=ca.decode(errors="replace") if ca else None,
        interval_seconds=upstream.probe_interval_seconds,
    )


async def asked(target: Target) -> Probe:
    """One request for one cake."""
    try:
        trusting = ssl.create_default_context(cadata=target.ca) if target.ca else True
        timeout = aiohttp.ClientTimeout(total=_LIMIT_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=dict(target.headers)) as session,
            session.get(target.url, params={"limit": "1"}, allow_redirects=False, ssl=trusting) as answer,
        ):
            return _said(answer.status)
    except (OSError, ValueError, TimeoutError, aiohttp.ClientError) as error:
        _log.debug("upstream.unreachable", error=type(error).__name__)
        return Probe(
            reachable=False, reason=reasons.UNREACHABLE, message=f"no answer from the upstream in {_LIMIT_SECONDS:g} s"
        )


def _said(status: int) -> Probe:
    if status in _REFUSING:
        return Probe(reachable=False, reason=reasons.REFUSES_US, message=f"the upstream answered {status}")
    if status >= 300:  # noqa: PLR2004 - all but 2xx
        return Probe(reachable=False, reason=reasons.ANSWERS_ERRORS, message=f"the upstream answered {status}")
    return Probe(reachable=True, reason=reasons.REACHABLE, message="the upstream answered")
