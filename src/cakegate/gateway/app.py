"""`cakegate gateway`: compose the application, serve it in this one process, drain on SIGTERM."""

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import AsyncIterator
from typing import Any

import structlog
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server
from litestar import Litestar
from litestar.datastructures import State

from cakegate import settings
from cakegate.adapters import logs, metrics, tether
from cakegate.domain import errors
from cakegate.gateway import accepting, clients, edge, limiting, pages, routes, wiring

_log = structlog.get_logger()


def run(config: settings.Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    Raises:
        InvalidSettings: a needed address is not set, or the port is taken.
    """
    config.require("database.url", "redis.url", "upstream.url")
    logs.configure(config.telemetry, process="gateway")
    tether.watch()
    uvloop.run(_serve(config))


def compose(gate: wiring.Gate) -> edge.Edge:
    """The whole application as one ASGI callable."""
    app = Litestar(
        route_handlers=[*routes.API, *pages.PAGES],
        exception_handlers={Exception: routes.explain},
        openapi_config=None,
        logging_config=None,
        # The edge caps bodies, before any handler.
        request_max_body_size=None,
        state=State({"gate": gate, "acceptor": accepting.Acceptor(gate)}),
    )
    group = gate.config.gateway
    limiter = limiting.Limiter(group, counted=gate.allowances, told_apart=clients.Clients(gate.config))
    return edge.Edge(app, group, limiter)  # type: ignore[arg-type]


async def _serve(config: settings.Settings) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(metrics.serve(config.telemetry, process="gateway").close)
        gate = await stack.enter_async_context(wiring.opened(config))
        stack.callback(metrics.watch_pool(gate.db.stats))
        application = compose(gate)
        async with listening(config.gateway, application) as serving:
            gate.readiness.ready()
            _log.info("gateway.started", url=f"http://{config.gateway.host}:{config.gateway.port}")
            told = asyncio.create_task(stopping.wait())
            await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
            told.cancel()
            if not stopping.is_set():
                raise RuntimeError("The HTTP server ended by itself.") from _error_of(serving)
            # Nobody is sent here any more; who waits for an end learns where to ask for it.
            gate.readiness.drain()
            application.draining = True
            gate.room.close()
            _log.info("gateway.draining")
    _log.info("gateway.stopped")


@contextlib.asynccontextmanager
async def listening(group: settings.Gateway, application: edge.Edge) -> AsyncIterator["asyncio.Task[None]"]:
    """Serve for as long as this lasts, then stop listening and let running requests end within `drain_seconds`.

    Raises:
        InvalidSettings: the port is taken.
    """
    _check_free(group.host, group.port)
    server = _server(group, application)
    serving = asyncio.create_task(server.serve())
    try:
        yield serving
    finally:
        server.stop()
        _, late = await asyncio.wait({serving}, timeout=group.drain_seconds)
        if late:
            _log.warning("gateway.cut_off", after_seconds=group.drain_seconds)
            serving.cancel()
            await asyncio.wait({serving})


def _error_of(serving: "asyncio.Task[None]") -> BaseException | None:
    return serving.exception() if serving.done() and not serving.cancelled() else None


def _server(group: settings.Gateway, application: edge.Edge) -> Any:
    """Granian in this process and loop: its process manager would be a second process to kill and to be killed."""
    return Server(
        application,
        address=group.host,
        port=group.port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        # It counts from the end of one request to the end of the next one's headers, so it is the keep-alive too: a
        # proxy whose own is longer would send requests into connections that we are closing.
        http1_settings=HTTP1Settings(header_read_timeout=int(group.keep_alive_seconds * 1000)),
        websockets=False,
        backlog=group.backlog,
        # Its own handlers would write past our logs' form; below an error it only says that it starts and stops.
        log_level=LogLevels.error,
        log_dictconfig={"formatters": {}, "handlers": {}, "loggers": {"_granian": {"propagate": True}}},
    )


def _check_free(host: str, port: int) -> None:
    """Granian listens with SO_REUSEPORT: two gateways on one port would share its connections without a word."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        # As any server does: connections of one that ended lately are no reason to wait.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL}:
                raise errors.InvalidSettings(f"CAKEGATE_GATEWAY_PORT: cannot listen on {host}:{port}") from error
            raise
