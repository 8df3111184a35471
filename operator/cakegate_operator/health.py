"""Two small HTTP servers: one for the kubelet's probes, one for Prometheus."""

import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from cakegate_operator import metrics

Check = Callable[[], str | None]
"""What is wrong, or None."""


@contextlib.asynccontextmanager
async def serving(port: int, *, live: Check, ready: Check) -> AsyncIterator[None]:
    """`/healthz` and `/readyz`: 200, or 503 with a word."""

    def answered(check: Check) -> Callable[[web.Request], object]:
        async def answer(_request: web.Request) -> web.Response:
            wrong = check()
            return web.Response(text=wrong or "ok", status=503 if wrong else 200)

        return answer

    async with _on(port, {"/healthz": answered(live), "/readyz": answered(ready)}):
        yield


@contextlib.asynccontextmanager
async def measuring(port: int) -> AsyncIterator[None]:
    """`/metrics`."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async with _on(port, {"/metrics": answer}):
        yield


@contextlib.asynccontextmanager
async def _on(port: int, routes: dict[str, Callable[[web.Request], object]]) -> AsyncIterator[None]:
    application = web.Application()
    for path, answer in routes.items():
        application.router.add_get(path, answer)  # type: ignore[arg-type]
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        yield
    finally:
        await runner.cleanup()
