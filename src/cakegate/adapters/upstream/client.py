"""The client of the legacy Cake API.

A write that could not be connected, or that got a 4xx, did nothing; everything else that is not a clean 2xx is
uncertain, because the legacy API has no idempotency key and a second create would be a second cake. So a write is never
sent twice, not by a redirect and not by aiohttp's own repetition of PUT and DELETE, and it always gets a fresh
connection: on a kept one the server may be hanging up just then, and such a race would be uncertain for nothing.
"""

import asyncio
import contextlib
import math
import secrets
from collections.abc import Iterator
from time import perf_counter
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import msgspec
import structlog
from yarl import URL

from cakegate import settings
from cakegate.adapters import metrics
from cakegate.adapters.upstream import answers, sessions
from cakegate.domain import cakes, errors

#: Redirects that a read follows, all of them inside the upstream's own origin: our token goes nowhere else.
_MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
#: Nothing was sent. DNS and TLS failures are among the first; the second is a connection not had in time.
_NOT_CONNECTED: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


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
        headers = sessions.headers_of(group)
        tls = sessions.tls_of(group)
        return cls(
            group,
            reads=sessions.session(group, headers, tls, fresh=False),
            writes=sessions.session(group, headers, tls, fresh=True),
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
            found = answers.decoded(answer)
            if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
                raise errors.UpstreamBroken("The list is no JSON array of objects.", status=answer.status)
            return found

    async def get(self, cake_id: cakes.CakeId) -> cakes.StoredCake:
        """One cake. Raises `CakeNotFound`, and as `list` does."""
        with _observed("get"):
            answer = await self._read(self._item_url(cake_id), cake_id=cake_id)
            stored = self._stored(answers.decoded(answer))
            if stored is None:
                raise errors.UpstreamBroken("The answer is no cake.", status=answer.status)
            return stored

    async def create(
        self, draft: cakes.CakeDraft, *, marker: str | None, deadline: float = math.inf
    ) -> cakes.StoredCake:
        """Create a cake, its picture's address carrying the marker. Never sent twice.

        Never sent after `deadline` either, of `sessions.clock`, however long connecting takes or this process is held.

        Raises:
            UpstreamUnreachable, UpstreamBusy, UpstreamRefused, UpstreamLate: nothing was created.
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
            answer = await self._write("POST", self._url(self._group.list_path), item, deadline=deadline)
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

    async def _read(self, url: URL, *, cake_id: cakes.CakeId | None = None) -> answers.Answer:
        try:
            async with asyncio.timeout(self._group.timeout_seconds):
                answer = await self._follow(url)
        except _NOT_CONNECTED as error:
            raise errors.UpstreamUnreachable(sessions.named(error)) from error
        except TimeoutError as error:
            raise errors.UpstreamSlow(f"No answer in {self._group.timeout_seconds:g} seconds.") from error
        except (aiohttp.ClientError, OSError, answers.Unreadable) as error:
            raise errors.UpstreamBroken(sessions.named(error)) from error
        answers.check_4xx(answer, cake_id)
        if not answer.fine:
            raise errors.UpstreamBroken(f"It answered {answer.status}.", status=answer.status)
        return answer

    async def _follow(self, url: URL) -> answers.Answer:
        for _ in range(1 + _MAX_REDIRECTS):
            async with self._reads.get(url, headers=_tracing(), allow_redirects=False) as response:
                answer = await answers.received(response, most_bytes=self._group.max_response_bytes)
            if answer.status not in _REDIRECTS or answer.location is None:
                return answer
            url = answers.redirected(url, answer)
        raise errors.UpstreamBroken(f"It redirects more than {_MAX_REDIRECTS} times.")

    async def _write(
        self,
        method: str,
        url: URL,
        item: dict[str, Any] | None,
        *,
        cake_id: cakes.CakeId | None = None,
        deadline: float = math.inf,
    ) -> answers.Answer:
        body = None if item is None else sessions.TimelyBody(msgspec.json.encode(item), deadline=deadline)
        headers = _tracing() if body is None else {**_tracing(), "Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(self._group.write_timeout_seconds),
                self._writes.request(method, url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                answer = await answers.received(response, most_bytes=self._group.max_response_bytes)
        except _NOT_CONNECTED as error:
            raise errors.UpstreamUnreachable(sessions.named(error)) from error
        except TimeoutError as error:
            raise errors.UpstreamUncertain(f"No answer in {self._group.write_timeout_seconds:g} seconds.") from error
        except (aiohttp.ClientError, OSError, answers.Unreadable) as error:
            if body is not None and body.withheld:
                raise errors.UpstreamLate("It was too late to send.") from error
            raise errors.UpstreamUncertain(sessions.named(error)) from error
        answers.check_4xx(answer, cake_id)
        if not answer.fine:
            raise errors.UpstreamUncertain(f"It answered {answer.status}.", status=answer.status)
        return answer

    def _believed(self, answer: answers.Answer) -> cakes.StoredCake:
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


def _tracing() -> dict[str, str]:
    """The request's ids, as the logs have them, for the legacy API's own logs."""
    bound = structlog.contextvars.get_contextvars()
    headers = {}
    if request_id := bound.get("request_id"):
        headers["X-Request-Id"] = request_id
    if trace_id := bound.get("trace_id"):
        headers["traceparent"] = f"00-{trace_id}-{secrets.token_hex(8)}-01"
    return headers


_OUTCOMES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (errors.CakeNotFound, "not-found"),
    (errors.UpstreamUnreachable, "unreachable"),
    (errors.UpstreamBusy, "busy"),
    (errors.UpstreamRefused, "refused"),
    (errors.UpstreamBroken, "broken"),
    (errors.UpstreamSlow, "slow"),
    (errors.UpstreamLate, "late"),
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
