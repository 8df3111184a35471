"""Connecting, checked: names are resolved here, every answer is looked at, and the connection goes to what was checked.

A check before the connection would be worth nothing: a name's server may answer differently the second time (DNS
rebinding). There is no other way to a connection, redirect or not.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

from cakegate.adapters.fetcher import addresses, sockets
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


class Network(Protocol):
    """Whoever makes connections: `sockets`, or what stands in for the internet in tests."""

    async def connected(self, address: str, port: int, *, seconds: float) -> socket.socket:
        """See `sockets.connected`."""

    async def opened(self, connection: socket.socket, *, tls: ssl.SSLContext | None, name: str) -> sockets.Stream:
        """See `sockets.opened`."""


class Guard:
    """Connects to public addresses on ports 80 and 443, and to the `allow`ed `host:port` entries; to nothing else."""

    def __init__(self, allow: Iterable[str], *, resolve: Resolve, network: Network = sockets) -> None:
        self._allow = frozenset(entry.lower() for entry in allow)
        self._resolve = resolve
        self._network = network
        self._tls = ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])

    async def connect(self, host: str, port: int, *, secure: bool) -> sockets.Stream:
        """Resolve, check, connect.

        Raises:
            PictureNotAllowed: it is no public address, and not allowed besides.
            PictureUnreachable: no name, no connection, no TLS.
        """
        last: Exception | None = None
        for address in (await self._targets(host, port))[:_ATTEMPTS]:
            try:
                connection = await self._network.connected(address, port, seconds=_ATTEMPT_SECONDS)
            except OSError as error:
                last = error
                continue
            return await self._network.opened(connection, tls=self._tls if secure else None, name=host)
        why = f"{type(last).__name__}: {last}" if last else "it has no address"
        raise errors.PictureUnreachable(f"{host} cannot be connected to: {why}") from last

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
            raise errors.PictureUnreachable(f"{host} cannot be resolved: {error}") from error
        if not allowed:
            for text in found:
                # One private address among public ones is enough: which one is tried is the client's luck.
                if reason := _refusal(text):
                    raise errors.PictureNotAllowed(f"{host}: {reason}")
        return found

    def _allows(self, host: str, port: int) -> bool:
        name = f"[{host}]" if ":" in host else host
        return f"{name.lower()}:{port}" in self._allow


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
