"""`cakegate gateway`: compose the application, serve it in this one process, drain on SIGTERM."""

import asyncio
import contextlib
import errno
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any, Final

import structlog
import uvloop
from granian._granian import SocketHolder
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

#: Hyper reads headers into one buffer, which it doubles: what is larger than twice this it answers itself.
_BUFFER_BYTES: Final = 64 * 1024
#: What a gateway has open besides its clients: pools, the legacy API, logs.
_OTHER_DESCRIPTORS: Final = 512


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
    _allow_descriptors(group.max_connections)
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


class _Server(Server):  # type: ignore[misc]
    """Granian's embedded server on a socket that we made.

    Its own listens with SO_REUSEPORT: two gateways on one port would share its connections without a word. And nothing
    of it sets a limit to clients that do not read what they asked for: each would hold its answer for ever, and a drain
    up to its end. Private there: its version is pinned.
    """

    def __init__(self, target: edge.Edge, *, listener: socket.socket, group: settings.Gateway, **options: Any) -> None:
        self._listener = listener
        super().__init__(target, address=group.host, port=group.port, backlog=group.backlog, **options)

    def _init_shared_socket(self) -> None:
        # It closes the descriptor with the holder: ours to make, not to keep.
        self._shd = SocketHolder(self._listener.detach(), False, self.backlog)  # type: ignore[call-arg]  # noqa: FBT003
        self._ssp = None


def _server(group: settings.Gateway, application: edge.Edge) -> _Server:
    """Granian in this process and loop: its process manager would be a second process to kill and to be killed."""
    return _Server(
        application,
        listener=_listener(group),
        group=group,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            # It counts from the end of one request to the end of the next one's headers, so it is the keep-alive too: a
            # proxy whose own is longer would send requests into connections that we are closing.
            header_read_timeout=int(group.keep_alive_seconds * 1000),
            max_buffer_size=_BUFFER_BYTES,
        ),
        websockets=False,
        # Of connections, not of requests: above it the kernel holds them, as many as the backlog has places.
        backpressure=group.max_connections,
        # Its own handlers would write past our logs' form; below an error it only says that it starts and stops.
        log_level=LogLevels.error,
        log_dictconfig={"formatters": {}, "handlers": {}, "loggers": {"_granian": {"propagate": True}}},
    )


def _listener(group: settings.Gateway) -> socket.socket:
    """A socket that listens; those that it accepts have its options.

    Raises:
        InvalidSettings: the port is taken.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(group.host, group.port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    # As any server does: connections of one that ended lately are no reason to wait.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sys.platform == "linux":
        # Counts unanswered data, and also data that a client has no window for (tcp(7), since Linux 2.6.37).
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(group.send_seconds * 1000))
    listener.setblocking(False)  # noqa: FBT003
    try:
        listener.bind(address)
        listener.listen(group.backlog)
    except OSError as error:
        listener.close()
        if error.errno in {errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL}:
            raise errors.InvalidSettings(
                f"CAKEGATE_GATEWAY_PORT: cannot listen on {group.host}:{group.port}"
            ) from error
        raise
    return listener


def _allow_descriptors(connections: int) -> None:
    """Raise the soft limit of open files as far as the connections need it and the hard one lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        if most < wanted:
            _log.warning("gateway.few_descriptors", allowed=most, wanted=wanted)
