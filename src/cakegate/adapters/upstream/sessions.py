"""How requests reach the legacy API: connections, TLS, headers, and that a write goes out once and in time."""

import functools
import re
import socket
import ssl
import time
from typing import Final

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from cakegate import settings
from cakegate.domain import errors

#: Of one connection or message, not of the request (RFC 9110 §7.6.1), or made by the client itself.
_NOT_OURS_TO_SET: Final = frozenset(
    {
        "accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "proxy-connection",
        "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_DAY_SECONDS: Final = 86_400
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def clock() -> float:
    """Seconds that also pass while the machine sleeps, as they do for Postgres and the legacy API (on Linux).

    Deadlines for sending are told by it: `time.monotonic` stands still in a laptop that is closed or a paused machine.
    """
    return time.clock_gettime(_CLOCK)


def session(
    group: settings.Upstream, headers: CIMultiDict[str], tls: ssl.SSLContext | None, *, fresh: bool
) -> aiohttp.ClientSession:
    """`fresh`: a new connection for each request, which is then sent once and never again."""
    connector = aiohttp.TCPConnector(
        limit=group.max_connections,
        force_close=fresh,
        ssl=tls or True,
        socket_factory=functools.partial(_socket, seconds=group.write_timeout_seconds) if fresh else None,
    )
    return aiohttp.ClientSession(
        connector=connector,
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        # `connect` counts the wait for a free connection too; the total is ours, so that it is one for all redirects.
        timeout=aiohttp.ClientTimeout(total=None, connect=group.connect_timeout_seconds),
        middlewares=(_once,) if fresh else (),
        trust_env=False,
    )


def _socket(address: aiohttp.AddrInfoType, *, seconds: float) -> socket.socket:
    """A socket whose unsent bytes die with their request: else the kernel goes on sending them for minutes after it."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(min(seconds, _DAY_SECONDS) * 1000))
    return made


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Hide a broken connection from aiohttp, which would send a PUT or DELETE again (3.14: `IDEMPOTENT_METHODS`)."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise errors.UpstreamUncertain(named(error)) from error


class TimelyBody(aiohttp.BytesPayload):
    """A body that is not sent after `deadline` (of `clock`).

    Asked at the last moment before it is handed to the socket: whoever checks earlier may be stopped, or wait for its
    connection, between its check and the sending. A server that gets a request's head alone does nothing.
    """

    def __init__(self, value: bytes, *, deadline: float) -> None:
        super().__init__(value)
        self._deadline = deadline
        self.withheld = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write it, or raise where it is too late; aiohttp wraps what is raised here in a `ClientConnectionError`."""
        if clock() >= self._deadline:
            self.withheld = True
            raise RuntimeError("too late to send")
        await super().write_with_length(writer, content_length)


def headers_of(group: settings.Upstream) -> CIMultiDict[str]:
    """Ours, then those of the settings: lines, or one line with semicolons."""
    # We ask for plain bytes: on the short way to the legacy API compression costs more than it saves.
    chosen = CIMultiDict({"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Cakegate"})
    text = group.headers.reveal().strip()
    for line in text.splitlines() if "\n" in text else text.split(";"):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        name = name.strip()
        if not colon or not _HEADER_NAME.fullmatch(name) or not value.strip().isprintable():
            raise errors.InvalidSettings("CAKEGATE_UPSTREAM_HEADERS: each must be `Name: value`")
        if name.lower() in _NOT_OURS_TO_SET:
            raise errors.InvalidSettings(f"CAKEGATE_UPSTREAM_HEADERS: {name} cannot be set")
        chosen[name] = value.strip()
    if token := group.token.reveal():
        if not token.isascii() or not token.isprintable():
            raise errors.InvalidSettings("CAKEGATE_UPSTREAM_TOKEN: must be printable ASCII")
        chosen["Authorization"] = f"Bearer {token}"
    return chosen


def tls_of(group: settings.Upstream) -> ssl.SSLContext | None:
    """Trust the CAs of the file alone, where there is one; else aiohttp trusts the system's."""
    if not group.ca_file or not group.url.startswith("https:"):
        return None
    try:
        return ssl.create_default_context(cafile=group.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise errors.InvalidSettings(f"CAKEGATE_UPSTREAM_CA_FILE: {group.ca_file} cannot be used") from error


def named(error: Exception) -> str:
    """An error as one line for the log and the record."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
