"""How much each client may ask of all gateways together: one truth in Redis, and none of its troubles.

The library `limits` counts; this module keeps its questions short. Without Redis everybody is let in: a limit that
cannot be checked must not become an outage. A sick Redis is asked by one request at a time, after pauses, so that the
others do not wait for it.
"""

import asyncio
import collections
import time
from time import monotonic
from typing import Any, Final

import limits
import msgspec
import redis
import structlog
from limits.aio import storage, strategies
from redis import asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from cakegate import contract, settings
from cakegate.adapters import metrics

_log = structlog.get_logger()

_PREFIX: Final = "cakegate:rate"
#: Questions that go to Redis in one piece; the next piece waits for its answers.
_TOGETHER: Final = 200
_PAUSE_SECONDS: Final = (0.5, 5.0)
#: A time limit that ends so much late was not ended by Redis.
_HELD_UP_SECONDS: Final = 0.05
#: Clients known to have used up their allowance; beyond that Redis is asked again for each.
_MAX_REFUSED: Final = 10_000


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """`quota` requests in any `window_seconds`, as near as two counters can tell (the sliding window counter)."""

    name: str
    item: limits.RateLimitItem

    @classmethod
    def of(cls, name: str, rate: str) -> "Policy | None":
        """The policy that a setting such as `60/minute` asks for; None for `off`."""
        return None if rate == "off" else cls(name=name, item=limits.parse(rate))

    @property
    def quota(self) -> int:
        """Requests."""
        return self.item.amount

    @property
    def window_seconds(self) -> int:
        """The time that they are for."""
        return self.item.get_expiry()


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What a client has: whether this request is allowed, how many more are, and when that grows."""

    allowed: bool
    remaining: int
    reset_seconds: float


class _Together(aioredis.Redis):
    """A client that sends what is asked at the same time in one piece, over one connection, first come first served.

    Measured with 32 requests at once: 60 µs of CPU for each, 150 over connections of their own. And redis-py's pools
    are not fair: whoever gives a connection back may take it again at once, and some wait until their time is over.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._asked: collections.deque[tuple[tuple[Any, ...], asyncio.Future[Any]]] = collections.deque()
        self._sending: asyncio.Task[None] | None = None

    async def execute_command(self, *args: Any, **_options: Any) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.append((args, answer))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())
        return await answer

    async def _send(self) -> None:
        while self._asked:
            batch = [self._asked.popleft() for _ in range(min(len(self._asked), _TOGETHER))]
            # Whoever is gone was let in already.
            batch = [(args, answer) for args, answer in batch if not answer.done()]
            try:
                found = await self._answers([args for args, _ in batch])
            except (redis.RedisError, OSError) as error:
                found = [error] * len(batch)
            for (_, answer), result in zip(batch, found, strict=True):
                if answer.done():
                    continue
                if isinstance(result, Exception):
                    answer.set_exception(result)
                else:
                    answer.set_result(result)

    async def _answers(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        if len(commands) == 1:
            return [await super().execute_command(*commands[0])]  # type: ignore[no-untyped-call]
        pipe = self.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        return await pipe.execute(raise_on_error=False)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        await self.aclose()


class _Store(storage.RedisStorage):
    """The library's storage over a client that is given."""

    def configure_bridge(self) -> None:
        client: Any = self.options["client"]
        bridge: Any = self.bridge
        bridge.storage = client
        bridge.connection_getter = lambda _readonly: client


class Allowances:
    """Counts requests; `take` never raises and never takes longer than `limit_timeout_seconds`."""

    def __init__(self, group: settings.Redis) -> None:
        self._seconds = group.limit_timeout_seconds
        # Explicit throughout: redis-py 8 would retry ten times, also after timeouts, and wait five seconds each time.
        client: Any = _Together.from_url(
            group.url.reveal(),
            db=contract.REDIS_REST_DATABASE,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=self._seconds,
            socket_connect_timeout=self._seconds,
            **group.tls(),
        )
        self._client: _Together = client
        # The address goes unread, since the client is there.
        store = _Store("async+redis://", implementation="redispy", key_prefix=_PREFIX, client=client)
        # Its windows are measured by Redis's clock alone, and a client costs two numbers, not one for each request.
        self._limiter = strategies.SlidingWindowCounterRateLimiter(store)
        self._pause_seconds = 0.0
        self._ask_again_at = 0.0
        self._failed_at = 0.0
        self._refused: dict[tuple[str, str], float] = {}

    async def take(self, policy: Policy, client: str) -> Allowance | None:
        """Count one request of a client; None where that cannot be done now, and the request is to be let in."""
        now = monotonic()
        until = self._refused.get((policy.name, client), 0.0)
        if until > now:
            # Nothing can have freed a place before: a flood from one client costs Redis nothing.
            metrics.RATE_LIMIT_CHECKS.labels(policy.name, "refused").inc()
            return Allowance(allowed=False, remaining=0, reset_seconds=until - now)
        found = await self._asked(policy, client) if self._may_ask(now) else None
        if found is None:
            outcome = "unchecked"
        elif found.allowed:
            outcome = "allowed"
        else:
            outcome = "refused"
            self._remember((policy.name, client), monotonic() + found.reset_seconds)
        metrics.RATE_LIMIT_CHECKS.labels(policy.name, outcome).inc()
        return found

    def _may_ask(self, now: float) -> bool:
        if not self._pause_seconds:
            return True
        if now < self._ask_again_at:
            return False
        # This request is the one that tries; the next may when it is answered, or after another pause.
        self._ask_again_at = now + self._pause_seconds
        return True

    async def _asked(self, policy: Policy, client: str) -> Allowance | None:
        asked_at = monotonic()
        try:
            async with asyncio.timeout(self._seconds):
                allowed = await self._limiter.hit(policy.item, policy.name, client)
                reset_at, remaining = await self._limiter.get_window_stats(policy.item, policy.name, client)
        except (redis.RedisError, OSError, TimeoutError) as error:
            # Where this process itself was held up (its CPU quota, a long computation) Redis is not to blame: others
            # are to be checked at once, or whoever holds us up lets everybody in.
            if monotonic() - asked_at < self._seconds + _HELD_UP_SECONDS:
                self._pause(asked_at, error)
            return None
        self._pause_seconds = 0.0
        return Allowance(
            allowed=allowed,
            remaining=max(0, remaining) if allowed else 0,
            reset_seconds=min(max(0.0, reset_at - time.time()), float(policy.window_seconds)),
        )

    def _pause(self, asked_at: float, error: Exception) -> None:
        """Ask nothing for a while. Those that asked before the first of them failed say nothing new."""
        if asked_at < self._failed_at:
            return
        first, longest = _PAUSE_SECONDS
        self._failed_at = monotonic()
        self._pause_seconds = min(self._pause_seconds * 2 or first, longest)
        self._ask_again_at = self._failed_at + self._pause_seconds
        _log.warning("allowance.not_checked", error=type(error).__name__, again_seconds=self._pause_seconds)

    def _remember(self, key: tuple[str, str], until: float) -> None:
        if len(self._refused) >= _MAX_REFUSED:
            now = monotonic()
            self._refused = {known: end for known, end in self._refused.items() if end > now}
        if len(self._refused) < _MAX_REFUSED:
            self._refused[key] = until

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.close()
