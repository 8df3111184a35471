"""What every request passes first and last: outside Litestar, whose middleware does not see 404 and 405.

Ids for request and trace, the cap on bodies, `HEAD`, metrics, the access log, and a last resort for what crashes.
"""

import asyncio
import re
import secrets
from time import perf_counter
from typing import Any, Final

import structlog

from cakegate.adapters import logs, metrics
from cakegate.domain import errors
from cakegate.gateway import problems

_log = structlog.get_logger()

#: A client's own request id, where it is one: short and printable.
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,128}")
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_QUIET_ROUTES: Final = frozenset({"/healthz", "/readyz"})


class BodyTooLarge(errors.InvalidRequest):
    """The body is above the cap, by its length or as it came."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__("body-too-large", 413, f"A body may have at most {most_bytes} bytes.")


class Edge:
    """The outermost ASGI application."""

    def __init__(self, app: Any, *, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def idle(self) -> None:
        """Wait until no request is being answered."""
        await self._idle.wait()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        self._in_flight += 1
        self._idle.clear()
        metrics.REQUESTS_IN_FLIGHT.set(self._in_flight)
        try:
            await self._answer(scope, receive, send)
        finally:
            self._in_flight -= 1
            metrics.REQUESTS_IN_FLIGHT.set(self._in_flight)
            if self._in_flight == 0:
                self._idle.set()

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name: value for name, value in scope["headers"]}  # noqa: C416 - the last of a name wins
        request_id, traceparent = _ids(headers)
        logs.bind(request_id=request_id, traceparent=traceparent)
        scope["cakegate"] = {"request_id": request_id, "traceparent": traceparent}
        method = scope["method"]
        exchange = _Exchange(send, request_id=request_id, bodiless=method == "HEAD")
        started = perf_counter()
        try:
            if _length(headers) > self._max_body_bytes:
                await exchange.refuse(problems.of_error(BodyTooLarge(self._max_body_bytes))[0])
            else:
                # A HEAD is a GET whose body stays here.
                inner = {**scope, "method": "GET"} if method == "HEAD" else scope
                await self._app(inner, _capped(receive, self._max_body_bytes), exchange.send)
                scope["path_template"] = inner.get("path_template")
        except Exception:
            _log.exception("request.crashed")
            if exchange.status is None:
                await exchange.refuse(problems.internal_error())
        finally:
            self._note(scope, exchange, perf_counter() - started)

    def _note(self, scope: Any, exchange: "_Exchange", seconds: float) -> None:
        route = scope.get("path_template") or "unmatched"
        method = metrics.method_label(scope["method"])
        status = exchange.status or 499  # the client hung up before we answered
        metrics.REQUESTS.labels(method, route, str(status)).inc()
        metrics.REQUEST_SECONDS.labels(method, route).observe(seconds)
        if route not in _QUIET_ROUTES:
            _log.info("request.answered", method=method, route=route, status=status, ms=round(seconds * 1000, 2))


class _Exchange:
    """The answer on its way out."""

    def __init__(self, send: Any, *, request_id: str, bodiless: bool) -> None:
        self._send = send
        self._request_id = request_id.encode()
        self._bodiless = bodiless
        self.status: int | None = None

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self._request_id)]
        elif self._bodiless and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)

    async def refuse(self, found: problems.Problem) -> None:
        """Answer with a problem without asking Litestar."""
        body = problems.encode(found)
        headers = [(b"content-type", problems.MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": found.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _ids(headers: dict[bytes, bytes]) -> tuple[str, str]:
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
    parent = headers.get(b"traceparent", b"").decode("latin-1").strip()
    if not _TRACEPARENT.fullmatch(parent):
        parent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return request_id, parent


def _length(headers: dict[bytes, bytes]) -> int:
    given = headers.get(b"content-length", b"0")
    return int(given) if given.isdigit() else 0


def _capped(receive: Any, most_bytes: int) -> Any:
    """A body that has no length is counted as it comes."""
    seen = 0

    async def counted() -> Any:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most_bytes:
            raise BodyTooLarge(most_bytes)
        return message

    return counted
