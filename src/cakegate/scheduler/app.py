"""`cakegate scheduler`: stand for election, sweep while leading, stop on SIGTERM."""

import asyncio
import contextlib
import signal

import msgspec
import structlog
import uvloop

from cakegate import contract, settings
from cakegate.adapters import logs, metrics, probes, queue, tether, upstream
from cakegate.adapters.store import leadership, pool, schema
from cakegate.domain import errors
from cakegate.scheduler import settle, sweep

_log = structlog.get_logger()

#: Arbitrary, constant: whoever holds this advisory lock leads.
_LEADER_KEY = 0x43414B45_0002


def run(config: settings.Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        InvalidSettings: a needed address is not set.
    """
    config.require("database.url", "redis.url")
    logs.configure(config.telemetry, process="scheduler")
    tether.watch()
    uvloop.run(_serve(config))


async def _serve(config: settings.Settings) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(metrics.serve(config.telemetry, process="scheduler").close)
        db = await pool.Database.open(config.database, application_name="cakegate-scheduler")
        stack.push_async_callback(db.close)
        stack.callback(metrics.watch_pool(db.stats))
        work = queue.Queue(config.redis)
        stack.callback(work.close)
        readiness = probes.Readiness(
            schema=lambda: schema.current(db), checks={"postgres": db.ping, "redis": work.ping}
        )
        stack.push_async_callback((await probes.serve(config.telemetry, readiness)).close)
        settler = None
        if config.upstream.url:
            legacy = await upstream.Upstream.open(config.upstream)
            stack.push_async_callback(legacy.close)
            settler = settle.Settler(config, db, legacy)
        duties = Duties(sweeper=sweep.Sweeper(config.scheduler, db, work), settler=settler)
        readiness.ready()
        await _await_schema(config.scheduler, db, stopping)
        await _stand(config.scheduler, db, duties, stopping)
        readiness.drain()


class Duties(msgspec.Struct, frozen=True, kw_only=True):
    """What a leader does. Without the upstream's address there is nobody to settle with."""

    sweeper: sweep.Sweeper
    settler: settle.Settler | None


async def _await_schema(group: settings.Scheduler, db: pool.Database, stopping: asyncio.Event) -> None:
    """Wait for the migration that runs beside our start: unlike the others, we work without being asked."""
    while not stopping.is_set():
        try:
            found = await schema.current(db)
        except errors.DatabaseUnavailable as error:
            _log.warning("database.unavailable", error=str(error))
        else:
            if found is not None and found >= contract.SCHEMA_VERSION:
                return
            _log.info("schema.awaited", found=found, needed=contract.SCHEMA_VERSION)
        await _pause(stopping, group.sweep_seconds)


async def _stand(group: settings.Scheduler, db: pool.Database, duties: Duties, stopping: asyncio.Event) -> None:
    """Try to lead, again and again; a lost Postgres is waited for."""
    while not stopping.is_set():
        try:
            async with leadership.candidacy(db, key=_LEADER_KEY) as leader:
                if leader is not None:
                    _log.info("scheduler.elected")
                    metrics.LEADER.set(1)
                    await _lead(group, leader, duties, stopping)
        except (errors.DatabaseUnavailable, TimeoutError) as error:
            _log.warning("database.unavailable", error=str(error))
        metrics.LEADER.set(0)
        await _pause(stopping, group.sweep_seconds)


async def _lead(
    group: settings.Scheduler, leader: leadership.Leadership, duties: Duties, stopping: asyncio.Event
) -> None:
    """Sweep while leading; beside it, so that a slow upstream delays no sweep, settle."""
    settling = asyncio.create_task(duties.settler.run()) if duties.settler else None
    try:
        while not stopping.is_set() and await leader.check():
            if settling is not None and settling.done():
                settling.result()  # it never ends but by an error that nobody expected: ours too, then
            await duties.sweeper.round()
            await _pause(stopping, group.sweep_seconds)
    finally:
        if settling is not None:
            settling.cancel()
            await asyncio.wait({settling})


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
