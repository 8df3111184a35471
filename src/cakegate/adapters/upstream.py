"""The legacy Cake API. The home of aiohttp's client.

What an answer proves is decided here and nowhere else. A write that could not be connected, or that got a 4xx, did
nothing; everything else that is not a clean 2xx is uncertain, because the legacy API has no idempotency key and a
second create would be a second cake. So a write is never sent twice, not by a redirect and not by aiohttp's own
repetition of PUT and DELETE, and it always gets a fresh connection: on a kept one the server may be hanging up just
then, and such a race would be uncertain for nothing.
"""

import asyncio
import contextlib
import re
import secrets
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator
from email.utils import parsedate_to_datetime
from time import perf_counter, time
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import msgspec
import structlog
from multidict import CIMultiDict
from yarl import URL

from cakegate import settings
from cakegate.adapters import metrics
from cakegate.domain import cakes, errors

#: Redirects that a read follows, all of them inside the upstream's own origin: our token goes nowhere else.
_MAX_REDIRECTS: Final = 3
#: 408, 425 and 429 mean later (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4).
_BUSY: Final = frozenset({408, 425, 429})
_GONE: Final = frozenset({404, 410})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
#: Of one connection or message, not of the request (RFC 9110 §7.6.1), or made by the client itself.
_NOT_OURS_TO_SET: Final = frozenset(
    {
        "accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "proxy-connection",
        "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CHUNK_BYTES: Final = 64 * 1024
#: Nothing was sent. DNS and TLS failures are among the first; the second is a connection not had in time.
_NOT_CONNECTED: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is read of 2xx only."""

    status: int
    body: bytes
    location: str | None
    retry_after_seconds: float | None

    @property
    def fine(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004


class _Unreadable(Exception):
    """An answer too large, or compressed in a way that we did not ask for."""


class Upstream:
    """A client of the legacy API; open it with `Upstream.open` inside the loop that uses it."""

    def __init__(
        self, group: settings.Upstream, *, reads: aiohttp.ClientSession, writes: aiohttp.ClientSession
    ) -> None:
        self._group = group
        self._reads = reads
        self._writes = writes
        self._base = group.url.rstrip("/")

    @classmethod
    async def open(cls, group: settings.Upstream) -> "Upstream":
        """Connects to nothing yet.

        Raises:
            InvalidSettings: the headers or the CA file cannot be used.
        """
        headers = _headers(group)
        tls = _tls(group)
        return cls(
            group,
            reads=_session(group, headers, tls, fresh=False),
            writes=_session(group, headers, tls, fresh=True),
        )

    async def close(self) -> None:
        """Let go of all connections."""
        await self._reads.close()
        await self._writes.close()

    async def list(self, *, skip: int, limit: int) -> list[dict[str, Any]]:
        """One page of items, as the legacy API keeps them: markers included.

        Raises:
            UpstreamUnreachable, UpstreamBusy, UpstreamRefused, UpstreamBroken, UpstreamSlow: as they say.
        """
        with _observed("list"):
            answer = await self._read(self._url(self._group.list_path).with_query(skip=skip, limit=limit))
            found = _decoded(answer)
            if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
                raise errors.UpstreamBroken("The list is no JSON array of objects.", status=answer.status)
            return found

    async def get(self, cake_id: cakes.CakeId) -> cakes.StoredCake:
        """One cake. Raises `CakeNotFound`, and as `list` does."""
        with _observed("get"):
            answer = await self._read(self._item_url(cake_id), cake_id=cake_id)
            stored = self._stored(_decoded(answer))
            if stored is None:
                raise errors.UpstreamBroken("The answer is no cake.", status=answer.status)
            return stored

    async def create(self, draft: cakes.CakeDraft, *, marker: str | None) -> cakes.StoredCake:
        """Create a cake, its picture's address carrying the marker. Never sent twice.

        Raises:
            UpstreamUnreachable, UpstreamBusy, UpstreamRefused: nothing was created.
            UpstreamUncertain: it may have been.
        """
        address = draft.image_url if marker is None else cakes.with_marker(draft.image_url, marker)
        item = {
            "name": draft.name,
            "comment": draft.comment,
            self._group.image_url_field: address,
            "yumFactor": draft.yum_factor,
        }
        with _observed("create"):
            answer = await self._write("POST", self._url(self._group.list_path), item)
            return self._believed(answer)

    async def replace(self, cake_id: cakes.CakeId, item: dict[str, Any]) -> cakes.StoredCake:
        """Write a whole item over an old one. Raises `CakeNotFound`, and as `create` does."""
        with _observed("replace"):
            answer = await self._write("PUT", self._item_url(cake_id), item, cake_id=cake_id)
            return self._believed(answer)

    async def delete(self, cake_id: cakes.CakeId) -> cakes.StoredCake | None:
        """Delete a cake and return it, or None where the answer has no body. Raises as `replace` does."""
        with _observed("delete"):
            answer = await self._write("DELETE", self._item_url(cake_id), None, cake_id=cake_id)
            return self._believed(answer) if answer.body.strip() else None

    async def ping(self) -> None:
        """Ask for the smallest page. Raises as `list` does."""
        with _observed("ping"):
            await self._read(self._url(self._group.list_path).with_query(skip=0, limit=1))

    async def _read(self, url: URL, *, cake_id: cakes.CakeId | None = None) -> _Answer:
        try:
            async with asyncio.timeout(self._group.timeout_seconds):
                answer = await self._follow(url)
        except _NOT_CONNECTED as error:
            raise errors.UpstreamUnreachable(_named(error)) from error
        except TimeoutError as error:
            raise errors.UpstreamSlow(f"No answer in {self._group.timeout_seconds:g} seconds.") from error
        except (aiohttp.ClientError, OSError, _Unreadable) as error:
            raise errors.UpstreamBroken(_named(error)) from error
        _check_4xx(answer, cake_id)
        if not answer.fine:
            raise errors.UpstreamBroken(f"It answered {answer.status}.", status=answer.status)
        return answer

    async def _follow(self, url: URL) -> _Answer:
        for _ in range(1 + _MAX_REDIRECTS):
            async with self._reads.get(url, headers=_tracing(), allow_redirects=False) as response:
                answer = await self._received(response)
            if answer.status not in _REDIRECTS or answer.location is None:
                return answer
            url = _redirected(url, answer)
        raise errors.UpstreamBroken(f"It redirects more than {_MAX_REDIRECTS} times.")

    async def _write(
        self, method: str, url: URL, item: dict[str, Any] | None, *, cake_id: cakes.CakeId | None = None
    ) -> _Answer:
        body = None if item is None else msgspec.json.encode(item)
        headers = _tracing() if body is None else {**_tracing(), "Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(self._group.write_timeout_seconds),
                self._writes.request(method, url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                answer = await self._received(response)
        except _NOT_CONNECTED as error:
            raise errors.UpstreamUnreachable(_named(error)) from error
        except TimeoutError as error:
            raise errors.UpstreamUncertain(f"No answer in {self._group.write_timeout_seconds:g} seconds.") from error
        except (aiohttp.ClientError, OSError, _Unreadable) as error:
            raise errors.UpstreamUncertain(_named(error)) from error
        _check_4xx(answer, cake_id)
        if not answer.fine:
            raise errors.UpstreamUncertain(f"It answered {answer.status}.", status=answer.status)
        return answer

    async def _received(self, response: aiohttp.ClientResponse) -> _Answer:
        most = self._group.max_response_bytes
        fine = 200 <= response.status < 300  # noqa: PLR2004
        # The status says all that we need of any other answer; a short body that came along is already read.
        pieces = [piece async for piece in _capped(response, most)] if fine else []
        return _Answer(
            status=response.status,
            body=b"".join(pieces),
            location=response.headers.get("Location"),
            retry_after_seconds=_retry_after(response.headers.get("Retry-After")),
        )

    def _believed(self, answer: _Answer) -> cakes.StoredCake:
        """The cake that a write's 2xx holds."""
        try:
            stored = self._stored(msgspec.json.decode(answer.body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise errors.UpstreamUncertain("The answer is not JSON.", status=answer.status) from error
        if stored is None:
            raise errors.UpstreamUncertain("The answer is no cake.", status=answer.status)
        return stored

    def _stored(self, item: Any) -> cakes.StoredCake | None:
        return cakes.stored(item, image_url_field=self._group.image_url_field)

    def _url(self, path: str) -> URL:
        return URL(f"{self._base}/{path.lstrip('/')}")

    def _item_url(self, cake_id: cakes.CakeId) -> URL:
        """The address of one cake; an id that could lead elsewhere names no cake."""
        escaped = quote(cakes.check_id(cake_id), safe="")
        # `encoded`: yarl would otherwise unquote what need not be quoted, and quote again by its own mind.
        return URL(f"{self._base}/{self._group.item_path.lstrip('/').replace('{id}', escaped)}", encoded=True)


def _session(
    group: settings.Upstream, headers: CIMultiDict[str], tls: ssl.SSLContext | None, *, fresh: bool
) -> aiohttp.ClientSession:
    """`fresh`: a new connection for each request, which is then sent once and never again."""
    connector = aiohttp.TCPConnector(limit=group.max_connections, force_close=fresh, ssl=tls or True)
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


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Hide a broken connection from aiohttp, which would send a PUT or DELETE again (3.14: `IDEMPOTENT_METHODS`)."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise errors.UpstreamUncertain(_named(error)) from error


def _headers(group: settings.Upstream) -> CIMultiDict[str]:
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


def _tls(group: settings.Upstream) -> ssl.SSLContext | None:
    """Trust the CAs of the file alone, where there is one; else aiohttp trusts the system's."""
    if not group.ca_file or not group.url.startswith("https:"):
        return None
    try:
        return ssl.create_default_context(cafile=group.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise errors.InvalidSettings(f"CAKEGATE_UPSTREAM_CA_FILE: {group.ca_file} cannot be used") from error


def _tracing() -> dict[str, str]:
    """The request's ids, as the logs have them, for the legacy API's own logs."""
    bound = structlog.contextvars.get_contextvars()
    headers = {}
    if request_id := bound.get("request_id"):
        headers["X-Request-Id"] = request_id
    if trace_id := bound.get("trace_id"):
        headers["traceparent"] = f"00-{trace_id}-{secrets.token_hex(8)}-01"
    return headers


async def _capped(response: aiohttp.ClientResponse, most: int) -> AsyncIterator[bytes]:
    """The body, expanded where it came compressed all the same; `_Unreadable` above `most` bytes."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip", "deflate"}:
        raise _Unreadable(f"an answer encoded as {encoding!r}")
    # 32: zlib finds out by itself whether it is gzip's or zlib's format.
    expand = None if encoding == "identity" else zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)
    left = most
    async for raw in response.content.iter_chunked(_CHUNK_BYTES):
        try:
            piece = raw if expand is None else expand.decompress(raw, left + 1)
        except zlib.error as error:
            raise _Unreadable("a broken compressed answer") from error
        left -= len(piece)
        if left < 0:
            raise _Unreadable(f"an answer of more than {most} bytes")
        yield piece
    if expand is not None and not expand.eof:
        raise _Unreadable("a compressed answer cut short")


def _redirected(url: URL, answer: _Answer) -> URL:
    """Where a read goes on. Raises `UpstreamBroken` where that is not the same origin."""
    try:
        target = url.join(URL(answer.location or "", encoded=True))
        if target.origin() == url.origin():
            return target
    except ValueError as error:
        raise errors.UpstreamBroken("It redirects to what is no address.", status=answer.status) from error
    raise errors.UpstreamBroken("It redirects away from itself.", status=answer.status)


def _check_4xx(answer: _Answer, cake_id: cakes.CakeId | None) -> None:
    """Raise what a 4xx proves, for reads and writes alike."""
    if answer.status in _BUSY:
        raise errors.UpstreamBusy(
            f"It answered {answer.status}.", status=answer.status, retry_after_seconds=answer.retry_after_seconds
        )
    if answer.status in _GONE and cake_id is not None:
        raise errors.CakeNotFound(cake_id)
    if 400 <= answer.status < 500:  # noqa: PLR2004
        raise errors.UpstreamRefused(f"It answered {answer.status}.", status=answer.status)


def _decoded(answer: _Answer) -> Any:
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise errors.UpstreamBroken("The answer is not JSON.", status=answer.status) from error


def _retry_after(value: str | None) -> float | None:
    """Seconds from now; the header holds seconds or a date (RFC 9110 §10.2.3)."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    with contextlib.suppress(ValueError, OverflowError):
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    return None


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


_OUTCOMES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (errors.CakeNotFound, "not-found"),
    (errors.UpstreamUnreachable, "unreachable"),
    (errors.UpstreamBusy, "busy"),
    (errors.UpstreamRefused, "refused"),
    (errors.UpstreamBroken, "broken"),
    (errors.UpstreamSlow, "slow"),
    (errors.UpstreamUncertain, "uncertain"),
)


@contextlib.contextmanager
def _observed(operation: str) -> Iterator[None]:
    """Count a call by its outcome, and time it."""
    started, outcome = perf_counter(), "abandoned"
    try:
        yield
        outcome = "ok"
    except Exception as error:
        outcome = next((label for kind, label in _OUTCOMES if isinstance(error, kind)), "error")
        raise
    finally:
        metrics.UPSTREAM_CALLS.labels(operation, outcome).inc()
        metrics.UPSTREAM_SECONDS.labels(operation).observe(perf_counter() - started)
