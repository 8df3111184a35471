"""Clients of a running stack that come when they come: an open loop, which waits for nobody's answer to send the next.

A closed loop would slow down with the server and hide what it does to others.
"""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import aiohttp
import msgspec

from benchmarks import stacks

#: How long a POST may take: longer than any wait that is asked for.
_TIMEOUT_SECONDS = 75
#: What writes ask for, and how often: no wait, a short one, the gateway's own.
_PREFERENCES = (("respond-async", 0.5), ("wait=2", 0.3), (None, 0.2))
#: The connection broke or there was no answer: no status.
BROKEN = 0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a client got: when it was sent (seconds since the clients began), how late that was, how long it took."""

    kind: str
    status: int
    at_seconds: float
    late_seconds: float
    seconds: float
    retry_after: bool = False
    location: str | None = None
    cake_id: str | None = None
    etag: str | None = None


class Clients:
    """Writers and readers of one stack; `answers` holds what each got."""

    def __init__(self, running: stacks.Running, http: aiohttp.ClientSession, pictures: Sequence[str]) -> None:
        self._running = running
        self._http = http
        self._pictures = [f"{running.pictures_url}/{name}" for name in pictures]
        self._numbers = itertools.count(1)
        self._began = time.perf_counter()
        self.answers: list[Answer] = []
        self.submissions: list[str] = []
        self.cakes: list[str] = []
        #: Where they say that they come from, behind a proxy that is trusted; empty: they say nothing.
        self.addresses: list[str] = []

    async def open_loop(self, act: Callable[[float], Awaitable[None]], *, rate: float, seconds: float) -> None:
        """Call `act` at random moments, `rate` a second on average, with how late each call is; wait for all to end."""
        async with asyncio.TaskGroup() as tasks:
            due = time.perf_counter()
            end = due + seconds
            while (due := due + random.expovariate(rate)) < end:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                tasks.create_task(act(time.perf_counter() - due))

    async def mixed(self, late_seconds: float = 0.0) -> None:
        """Submit a cake, and wait for its end or not as the mix has it."""
        names, weights = zip(*_PREFERENCES, strict=True)
        await self.submit(late_seconds, prefer=random.choices(names, weights)[0])

    async def submit(
        self,
        late_seconds: float = 0.0,
        *,
        prefer: str | None = None,
        key: str | None = None,
        image_url: str = "",
        name: str = "",
    ) -> Answer:
        """Submit a cake, with one picture after the other where none is named."""
        number = next(self._numbers)
        headers = {}
        if prefer:
            headers["Prefer"] = prefer
        if key:
            headers["Idempotency-Key"] = key
        body = {
            "name": name or f"Cake {number}",
            "comment": "One of many",
            "imageUrl": image_url or self._pictures[number % len(self._pictures)],
            "yumFactor": 1 if name else number % 5 + 1,
        }
        answer = await self.ask("POST", "/api/cakes", "submit", late_seconds, json=body, headers=headers)
        if answer.location and "/submissions/" in answer.location:
            self.submissions.append(answer.location)
        if answer.cake_id is not None:
            self.cakes.append(answer.cake_id)
        return answer

    async def read(self, late_seconds: float = 0.0) -> None:
        """A list, a cake or a submission, each as often."""
        kind = random.choice(("list", "cake", "submission"))
        if kind == "cake" and self.cakes:
            await self.ask("GET", f"/api/cakes/{random.choice(self.cakes)}", kind, late_seconds)
        elif kind == "submission" and self.submissions:
            await self.ask("GET", random.choice(self.submissions), kind, late_seconds)
        else:
            await self.ask("GET", "/api/cakes?limit=10", "list", late_seconds)

    async def ask(self, method: str, path: str, kind: str, late_seconds: float = 0.0, **options: Any) -> Answer:
        """One request, its answer read to the end and kept."""
        given = options.pop("headers", {})
        if self.addresses:
            given = {**given, "X-Forwarded-For": random.choice(self.addresses)}
        started = time.perf_counter()
        status, body = BROKEN, b""
        headers: Mapping[str, str] = {}
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            url = self._running.addresses.gateway_url + path
            async with self._http.request(method, url, headers=given, **options) as response:
                body = await response.read()
                status, headers = response.status, response.headers
        answer = Answer(
            kind=kind,
            status=status,
            at_seconds=started - self._began,
            late_seconds=late_seconds,
            seconds=time.perf_counter() - started,
            retry_after="Retry-After" in headers,
            location=headers.get("Location"),
            etag=headers.get("ETag"),
            cake_id=str(msgspec.json.decode(body)["id"]) if kind == "submit" and status == 201 else None,
        )
        self.answers.append(answer)
        return answer

    def picture(self) -> str:
        """The address of any of the pictures."""
        return random.choice(self._pictures)

    def take(self) -> list[Answer]:
        """What was answered since the last call."""
        taken, self.answers = self.answers, []
        return taken


@contextlib.asynccontextmanager
async def connected(running: stacks.Running, pictures: Sequence[str]) -> AsyncIterator[Clients]:
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        yield Clients(running, http, pictures)
