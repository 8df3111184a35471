"""Connecting, checked: names are resolved here, every answer is looked at, and the connection goes to what was checked.

A check before the connection would be worth nothing: a name's server may answer differently the second time (DNS
rebinding). So this is the network backend below httpx itself: there is no way around it, redirect or not.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import httpcore
import httpx
from httpcore._backends.anyio import AnyIOBackend

from cakegate.adapters.fetcher import addresses
from cakegate.domain import errors

#: Ports that a stranger may name.
_PORTS: Final = frozenset({80, 443})

#: From a host's name to its addresses.
Resolve = Callable[[str, int], Awaitable[list[str]]]


async def system_resolve(host: str, port: int) -> list[str]:
    """All addresses of a name, by the system's resolver. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to public addresses on ports 80 and 443, and to the `allow`ed `host:port` entries; to nothing else."""

    def __init__(self, allow: Iterable[str], *, resolve: Resolve = system_resolve) -> None:
        self._allow = frozenset(entry.lower() for entry in allow)
        self._resolve = resolve
        self._backend = AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check, connect. Raises `PictureNotAllowed`, and httpcore's own errors."""
        last: Exception | None = None
        for address in await self._targets(host, port):
            try:
                return await self._backend.connect_tcp(
                    address, port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last or httpcore.ConnectError(f"{host} has no address")

    async def _targets(self, host: str, port: int) -> list[str]:
        allowed = self.allows(host, port)
        if not allowed and port not in _PORTS:
            raise errors.PictureNotAllowed(f"port {port} of {host}")
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error
        if not allowed:
            for text in found:
                # One private address among public ones is enough: which one is tried is the client's luck.
                if reason := _refusal(text):
                    raise errors.PictureNotAllowed(f"{host}: {reason}")
        return found

    def allows(self, host: str, port: int) -> bool:
        """Whether an operator allowed exactly this host and port."""
        name = f"[{host}]" if ":" in host else host
        return f"{name.lower()}:{port}" in self._allow

    async def connect_unix_socket(self, *_arguments: Any, **_named: Any) -> httpcore.AsyncNetworkStream:
        """Never. Raises `PictureNotAllowed`."""
        raise errors.PictureNotAllowed("a unix socket")

    async def sleep(self, seconds: float) -> None:
        """As the backend below."""
        await self._backend.sleep(seconds)


def _refusal(text: str) -> str | None:
    try:
        return addresses.refusal(ipaddress.ip_address(text))
    except ValueError:
        return f"{text!r} is no address"


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport over the guarded backend: no proxies, no unix sockets, HTTP/1.1."""

    def __init__(self, backend: GuardedBackend, *, tls: ssl.SSLContext, connections: int) -> None:
        super().__init__(verify=tls, trust_env=False)
        # httpx has no parameter for the backend; the pool that it made is replaced before it is ever used.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=5.0,
            http1=True,
            http2=False,
            network_backend=backend,
        )
