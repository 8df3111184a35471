"""Open the adapters that the gateway needs, and close them in reverse order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from time import monotonic
from typing import Final

import msgspec

from cakegate import settings
from cakegate.adapters import allowances, blobs, mailbox, probes, queue, upstream
from cakegate.adapters.store import pool, renditions, schema
from cakegate.domain import errors
from cakegate.gateway import places, waiting

#: Probes ask every few seconds, from every gateway, and strangers may: no dependency is asked more often than this.
_PING_SECONDS: Final = 1.0
_UPSTREAM_PING_SECONDS: Final = 10.0


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What flows work with."""

    config: settings.Settings
    db: pool.Database
    work: queue.Queue
    room: waiting.Room
    upstream: upstream.Upstream
    upstream_places: places.Places
    blobs: blobs.Blobs
    allowances: allowances.Allowances
    readiness: probes.Readiness


@contextlib.asynccontextmanager
async def opened(config: settings.Settings) -> AsyncIterator[Gate]:
    """All adapters of a gateway. None needs its other side to be there now.

    Raises:
        InvalidSettings: a setting turns out not to be usable.
    """
    async with contextlib.AsyncExitStack() as stack:
        db = await pool.Database.open(config.database, application_name="cakegate-gateway")
        stack.push_async_callback(db.close)
        work = queue.Queue(config.redis)
        stack.callback(work.close)
        legacy = await upstream.Upstream.open(config.upstream)
        stack.push_async_callback(legacy.close)
        counted = allowances.Allowances(config.redis)
        stack.push_async_callback(counted.close)
        room = waiting.Room(db, mailbox.Mailbox(config.redis), most=config.gateway.max_waiters)
        await stack.enter_async_context(room.reading())
        readiness = probes.Readiness(
            schema=lambda: schema.current(db),
            checks={
                "postgres": _Seldom(db.ping, seconds=_PING_SECONDS).ping,
                "redis": _Seldom(work.ping, seconds=_PING_SECONDS).ping,
                "upstream": _Seldom(legacy.ping, seconds=_UPSTREAM_PING_SECONDS).ping,
            },
        )
        yield Gate(
            config=config,
            db=db,
            work=work,
            room=room,
            upstream=legacy,
            upstream_places=places.Places(config.gateway.max_upstream_requests, what="the legacy API"),
            blobs=blobs.opened(config.pictures, table=renditions.TableBlobs(db)),
            allowances=counted,
            readiness=readiness,
        )


class _Seldom:
    """A ping whose outcome is remembered for a while."""

    def __init__(self, ping: Callable[[], Awaitable[None]], *, seconds: float) -> None:
        self._ping = ping
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._asked_at = -seconds
        self._error: errors.UpstreamError | errors.Unavailable | None = None

    async def ping(self) -> None:
        """Raise what the last ping raised."""
        async with self._lock:
            if monotonic() - self._asked_at >= self._seconds:
                try:
                    await self._ping()
                    self._error = None
                except (errors.UpstreamError, errors.Unavailable) as error:
                    self._error = error
                self._asked_at = monotonic()
        if self._error is not None:
            raise self._error
