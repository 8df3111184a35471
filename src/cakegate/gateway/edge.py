"""The ASGI wrapper around the web framework: what must hold for every answer, the framework's own too.

Litestar's own middleware wraps routes, not the router: 404 and 405 pass it by. So request ids, metrics, the access
log, CORS, rate limits, the caps on headers and body, and the last word on errors stand here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from time import perf_counter
from typing import Any, Final

import structlog

from cakegate import settings
from cakegate.adapters import logs, metrics
from cakegate.domain import errors
from cakegate.gateway import cors, limiting, problems, tracing

_log = structlog.get_logger()

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: All header lines together. The server's own cap is some hundred kilobytes and answers without a problem.
MAX_HEADER_BYTES: Final = 32 * 1024
#: Path and query together; what any server must take is 8,000 (RFC 9110 §4.1).
MAX_ADDRESS_BYTES: Final = 8 * 1024
#: Headers that mean one thing. Of two, the proxy in front might believe the other one.
_SINGLE: Final = frozenset({b"host", b"content-length", b"content-type", b"idempotency-key"})
_PATH_MAX_CHARACTERS: Final = 200
#: Asked for every few seconds by machines: not worth a line each.
_PROBES: Final = frozenset({"/healthz", "/readyz"})
#: What an answer says unless it says otherwise. Nothing of ours may be kept by others without our saying so.
_DEFAULTS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


class Edge:
    """The application that the server gets. While `draining`, every answer asks its client to hang up."""

    def __init__(self, app: App, group: settings.Gateway, limiter: limiting.Limiter) -> None:
        self._app = app
        self._group = group
        self._limiter = limiter
        self._cors = cors.Cors(group.cors_origins)
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        metrics.REQUESTS_IN_FLIGHT.inc()
        try:
            await self._answer(_Exchange(self, scope, receive, send))
        finally:
            metrics.REQUESTS_IN_FLIGHT.dec()

    async def _answer(self, exchange: "_Exchange") -> None:
        started = perf_counter()
        try:
            if (refusal := await self._refusal(exchange)) is not None:
                await exchange.problem(refusal)
            elif (complaint := exchange.complaint) is not None:
                await exchange.problem(complaint)
            elif exchange.is_preflight:
                await exchange.start(204, self._cors.preflight(exchange.origin))
            else:
                await self._app(exchange.scope, exchange.receive, exchange.send)
        except Exception as error:
            _log.exception("request.failed")
            if exchange.status is not None:
                raise  # half an answer is out: only cutting the connection tells the client
            await exchange.problem(error)
        finally:
            self._note(exchange, perf_counter() - started)

    async def _refusal(self, exchange: "_Exchange") -> errors.RateLimited | None:
        """Before anything of the body is read, and also where there is nothing: floods of 404 are floods."""
        exchange.standing = await self._limiter.standing(exchange.scope)
        return exchange.standing.refusal if exchange.standing is not None else None

    def _note(self, exchange: "_Exchange", seconds: float) -> None:
        status = exchange.status or 500
        method, route = metrics.method_label(exchange.method), exchange.route
        metrics.REQUESTS.labels(method, route, str(status)).inc()
        metrics.REQUEST_SECONDS.labels(method, route).observe(seconds)
        # The query stays out of it: clients put anything there.
        (_log.debug if route in _PROBES else _log.info)(
            "request.answered",
            method=method,
            path=exchange.scope["path"][:_PATH_MAX_CHARACTERS],
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
            bytes=exchange.sent_bytes,
        )

    def dress(self, headers: Iterable[tuple[bytes, bytes]], exchange: "_Exchange") -> cors.Headers:
        """An answer's headers with what every answer of ours carries."""
        dressed = [(name.lower(), _with_head(name, value)) for name, value in headers]
        present = {name for name, _ in dressed}
        dressed += [(name, value) for name, value in _DEFAULTS if name not in present]
        dressed.append((b"x-request-id", exchange.ids.request_id.encode()))
        if b"access-control-allow-origin" not in present:
            dressed += self._cors.headers(exchange.origin)
        if exchange.standing is not None:
            dressed += exchange.standing.headers
        if self.draining:
            dressed.append((b"connection", b"close"))
        return dressed

    @property
    def max_body_bytes(self) -> int:
        """The largest body read."""
        return self._group.max_body_bytes

    @property
    def body_seconds(self) -> float:
        """The time that a body has."""
        return self._group.body_seconds


class _Exchange:
    """One request and what has been said to it so far."""

    def __init__(self, edge: Edge, scope: Scope, receive: Receive, send: Send) -> None:
        self._edge = edge
        self._receive = receive
        self._send = send
        self.method: str = scope["method"]
        # HEAD is GET without the body, for every address that has GET.
        self.scope: Scope = {**scope, "method": "GET"} if self.method == "HEAD" else scope
        self._headers = _first_values(scope["headers"])
        self.origin = self._headers.get(b"origin")
        self.ids = tracing.begin(
            request_id=self._headers.get(b"x-request-id"), traceparent=self._headers.get(b"traceparent")
        )
        logs.bind(request_id=self.ids.request_id, traceparent=self.ids.traceparent)
        self.standing: limiting.Standing | None = None
        self.status: int | None = None
        self.sent_bytes = 0
        self._body_bytes = 0
        self._body_ended = False
        self._deadline: float | None = None

    @property
    def route(self) -> str:
        """The template that Litestar found for the path; the path itself would be an unbounded label."""
        return str(self.scope.get("path_template") or "unmatched")

    @property
    def is_preflight(self) -> bool:
        """A browser asks whether its page may call us."""
        asks = b"access-control-request-method" in self._headers
        return self.method == "OPTIONS" and self.origin is not None and asks

    @property
    def complaint(self) -> errors.BadRequest | None:
        """What is wrong with the request before anybody looks at what it asks for."""
        headers = self.scope["headers"]
        if len(self.scope.get("raw_path") or b"") + len(self.scope["query_string"]) > MAX_ADDRESS_BYTES:
            return errors.AddressTooLong(f"It may have {MAX_ADDRESS_BYTES} bytes.")
        if sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
            return errors.HeadersTooLarge(f"They may have {MAX_HEADER_BYTES} bytes.")
        names = [name for name, _ in headers if name in _SINGLE]
        twice = {name.decode().title() for name in names if names.count(name) > 1}
        return errors.BadParameter(dict.fromkeys(sorted(twice), "is given more than once")) if twice else None

    async def receive(self) -> Message:
        """The next message of the client. Raises `BodyTooLarge` and `BodyTooSlow`."""
        if self._body_ended:
            return await self._receive()
        declared = self._headers.get(b"content-length", "")
        if declared.isdecimal() and int(declared) > self._edge.max_body_bytes:
            raise self._too_large()
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._edge.body_seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise errors.BodyTooSlow(f"It has {self._edge.body_seconds:g} seconds.") from error
        if message["type"] == "http.disconnect":
            raise errors.BodyTooSlow("The client went away.")
        self._body_bytes += len(message.get("body", b""))
        if self._body_bytes > self._edge.max_body_bytes:
            raise self._too_large()
        self._body_ended = not message.get("more_body", False)
        return message

    def _too_large(self) -> errors.BodyTooLarge:
        return errors.BodyTooLarge(f"It may have {self._edge.max_body_bytes} bytes.")

    async def send(self, message: Message) -> None:
        """Pass on a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": self._edge.dress(message.get("headers", ()), self)}
        elif message["type"] == "http.response.body":
            self.sent_bytes += len(message.get("body", b""))
            if self.method == "HEAD":
                message = {**message, "body": b""}
        await self._send(message)

    async def start(self, status: int, headers: cors.Headers, body: bytes = b"") -> None:
        """A whole answer of our own."""
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def problem(self, error: Exception) -> None:
        """A problem of our own."""
        found = problems.of(error)
        body = problems.body(found, path=self.scope["path"], request_id=self.ids.request_id)
        headers = [(b"content-type", problems.MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        headers += [(name.lower().encode(), value.encode()) for name, value in found.headers.items()]
        await self.start(found.kind.status, headers, body)


def _first_values(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for name, value in headers:
        found.setdefault(name, value.decode("latin-1"))
    return found


def _with_head(name: bytes, value: bytes) -> bytes:
    """Allow, as Litestar writes it, does not know of the HEAD that we give every GET."""
    methods = [method.strip() for method in value.split(b",")]
    if name.lower() != b"allow" or b"GET" not in methods or b"HEAD" in methods:
        return value
    return b", ".join(sorted([*methods, b"HEAD"]))
