"""Connecting, checked: names are resolved here, every answer is looked at, and the connection goes to what was checked.

A check before the connection would be worth nothing: a name's server may answer differently the second time (DNS
rebinding). So this is the network backend below httpx itself: there is no way around it, redirect or not. No connection
is used twice: what a host sends behind its answer would be taken for the answer to the next request (httpcore 1.0.9).
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import httpcore
import httpx

from cakegate.adapters.fetcher import addresses, metering
from cakegate.domain import errors

#: Ports that a stranger may name.
_PORTS: Final = frozenset({80, 443})
#: How many of a name's addresses are tried, and for how long each: one that swallows packets leaves time for the next.
_ATTEMPTS: Final = 4
_ATTEMPT_SECONDS: Final = 5.0
#: Look-ups at the same time. The system's resolver cannot be interrupted: those given up on still hold their place.
_LOOKUPS: Final = 64
#: A resolver's word that there is no such name, or none with an address; all else may pass (RFC 3493 §6.1). The second
#: was taken out of the standard and is still what some resolvers say.
_NO_SUCH_NAME: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})

#: From a host's name to its addresses.
Resolve = Callable[[str, int], Awaitable[list[str]]]


class SystemResolver:
    """The system's resolver, each look-up on a thread of its own.

    Neither uvloop's four threads nor asyncio's default executor: a few names with slow servers would fill either, and
    the interpreter waits at its end for an executor's threads.
    """

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_LOOKUPS)

    async def __call__(self, host: str, port: int) -> list[str]:
        """All addresses of a name. Raises `OSError`, and `UnicodeError` for what can be no name."""
        await self._places.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[str]] = loop.create_future()

        def settle(found: list[str] | Exception) -> None:
            self._places.release()
            if answer.done():
                return  # nobody waits any more
            if isinstance(found, Exception):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def look_up() -> None:
            found: list[str] | Exception
            try:
                answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                found = list(dict.fromkeys(str(each[4][0]) for each in answers))
            except (OSError, UnicodeError) as error:
                found = error
            # The loop may be closed by the time that a slow server answers.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, found)

        threading.Thread(target=look_up, name="resolve", daemon=True).start()
        return await answer


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to public addresses on ports 80 and 443, and to the `allow`ed `host:port` entries; to nothing else."""

    def __init__(self, allow: Iterable[str], *, resolve: Resolve) -> None:
        self._allow = frozenset(entry.lower() for entry in allow)
        self._resolve = resolve
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check, connect. Raises `PictureNotAllowed`, and httpcore's own errors.

        The stream is a `metering.MeteredStream`.
        """
        last: Exception | None = None
        seconds = _ATTEMPT_SECONDS if timeout is None else min(timeout, _ATTEMPT_SECONDS)
        for address in (await self._targets(host, port))[:_ATTEMPTS]:
            try:
                stream = await self._backend.connect_tcp(
                    address, port, timeout=seconds, local_address=local_address, socket_options=socket_options
                )
                return metering.MeteredStream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last or httpcore.ConnectError(f"{host} has no address")

    async def _targets(self, host: str, port: int) -> list[str]:
        allowed = self._allows(host, port)
        if not allowed and port not in _PORTS:
            raise errors.PictureNotAllowed(f"port {port} of {host}")
        try:
            found = [host] if _is_literal(host) else await self._resolve(host, port)
        except UnicodeError as error:
            raise errors.PictureNotAllowed(f"{host} is no name: {error}") from error
        except OSError as error:
            if not allowed and isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_NAME:
                # The same answer as for a name of the inside, and as soon: or else a stranger could ask which names
                # the resolver here knows.
                raise errors.PictureNotAllowed(f"{host} has no address: {error}") from error
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error
        if not allowed:
            for text in found:
                # One private address among public ones is enough: which one is tried is the client's luck.
                if reason := _refusal(text):
                    raise errors.PictureNotAllowed(f"{host}: {reason}")
        return found

    def _allows(self, host: str, port: int) -> bool:
        name = f"[{host}]" if ":" in host else host
        return f"{name.lower()}:{port}" in self._allow

    async def connect_unix_socket(self, *_arguments: Any, **_named: Any) -> httpcore.AsyncNetworkStream:
        """Never. Raises `PictureNotAllowed`."""
        raise errors.PictureNotAllowed("a unix socket")

    async def sleep(self, seconds: float) -> None:
        """As the backend below."""
        await self._backend.sleep(seconds)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _refusal(text: str) -> str | None:
    try:
        return addresses.refusal(ipaddress.ip_address(text))
    except ValueError:
        return f"{text!r} is no address"


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport over the guarded backend: no proxies, no unix sockets, HTTP/1.1, a connection each."""

    def __init__(self, backend: GuardedBackend, *, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls, trust_env=False)
        # httpx has no parameter for the backend; the pool that it made is replaced before it is ever used.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            # No cap here: the client has one, and what a request that is cancelled leaves behind would count.
            max_connections=None,
            max_keepalive_connections=0,
            http1=True,
            http2=False,
            network_backend=backend,
        )

    async def close_orphans(self) -> None:
        """Close connections that no request uses and none ever will.

        A request that is cancelled right after its connection was made leaves it in the pool, open and neither idle nor
        closed, for ever (httpcore 1.0.9). A host that answers just before our deadline could make us collect them.
        """
        pool = self._pool
        used = {id(request.connection) for request in pool._requests}  # noqa: SLF001 - the pool has no name for it
        orphans = [
            connection
            for connection in pool.connections
            if id(connection) not in used and not connection.is_idle() and not connection.is_closed()
        ]
        for connection in orphans:
            pool._connections.remove(connection)  # noqa: SLF001
        for connection in orphans:
            await connection.aclose()
