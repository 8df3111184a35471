"""`/healthz` and `/readyz` of processes that serve no HTTP otherwise, and the rules of readiness for those that do.

Readiness fails only while starting, draining, or when the schema is too old. A dependency that is down is reported, and
does not take every process out of service at once.
"""

import asyncio
import enum
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from cakegate import contract, settings
from cakegate.adapters import metrics
from cakegate.domain import errors

T = TypeVar("T")
Check = Callable[[], Awaitable[Any]]

_CHECK_SECONDS: Final = 2.0


class Phase(enum.StrEnum):
    """Where a process is in its life."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


class Readiness:
    """What a process knows of its own readiness."""

    def __init__(self, *, schema: Callable[[], Awaitable[str | None]], checks: Mapping[str, Check]) -> None:
        self._schema = schema
        self._checks = dict(checks)
        self.phase = Phase.STARTING
        self._schema_ok = False

    def ready(self) -> None:
        """Started."""
        self.phase = Phase.SERVING
        metrics.READY.set(1)

    def drain(self) -> None:
        """Ending: send nobody here any more."""
        self.phase = Phase.DRAINING
        metrics.READY.set(0)

    async def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether we are ready, and how our dependencies are."""
        names = list(self._checks)
        states = await asyncio.gather(*(_state(self._checks[name]) for name in names))
        schema = await self._schema_state()
        ready = self.phase is Phase.SERVING and self._schema_ok
        body = {"phase": self.phase.value, "schema": schema, "dependencies": dict(zip(names, states, strict=True))}
        return ready, {"status": "ready" if ready else "not ready", **body}

    async def _schema_state(self) -> str:
        """A schema that was new enough once stays so (migrations only expand), also while the database is down."""
        if self._schema_ok:
            return "ok"
        try:
            found = await _answered(self._schema())
        except (errors.Unavailable, TimeoutError):
            return "unknown: the database does not answer"
        if found is None or found < contract.SCHEMA_VERSION:
            return f"too old: {found or 'none'}, needed is {contract.SCHEMA_VERSION}"
        self._schema_ok = True
        return "ok"


async def _answered(asked: Awaitable[T]) -> T:
    """What was asked for; `TimeoutError` at once when the time is over, whatever its cancelling takes.

    A frozen dependency must not keep the probe waiting: whoever asks would take all of us out of service.
    """
    task = asyncio.ensure_future(asked)
    done, _ = await asyncio.wait({task}, timeout=_CHECK_SECONDS)
    if not done:
        task.cancel()
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        raise TimeoutError
    return task.result()


async def _state(check: Check) -> str:
    try:
        await _answered(check())
    except (errors.CakegateError, TimeoutError) as error:
        return f"down: {type(error).__name__}"
    return "up"


class Probes:
    """The health port."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()


async def serve(group: settings.Telemetry, readiness: Readiness) -> Probes:
    """Listen on the health port. Raises `OSError` where that is taken."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_request: web.Request) -> web.Response:
        ready, body = await readiness.report()
        return web.json_response(body, status=200 if ready else 503, dumps=_dumps)

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, group.host, group.health_port).start()
    return Probes(runner)


def _dumps(body: Any) -> str:
    return msgspec.json.encode(body).decode()
