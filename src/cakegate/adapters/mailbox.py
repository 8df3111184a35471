"""News for gateways: one list and one reader a process, so that a thousand waiting requests cost one connection.

News are hints and may be lost; whoever waits also asks Postgres.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import Final
from uuid import UUID

import redis
import structlog
from redis import asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from cakegate import contract, settings

_log = structlog.get_logger()

_PREFIX: Final = "cakegate:mail:"
#: The reader blocks this long; below the socket timeout, or every quiet spell would be an error.
_BLOCK_SECONDS: Final = 2
_SOCKET_SECONDS: Final = 5.0
#: Mail that nobody fetched is for a process that is gone.
_KEPT_SECONDS: Final = 60
_KEPT_LETTERS: Final = 10_000
_BACKOFF_SECONDS: Final = (0.2, 5.0)


def _connect(group: settings.Redis, *, timeout_seconds: float) -> aioredis.Redis:
    return aioredis.Redis.from_url(
        group.url.reveal(),
        db=contract.REDIS_REST_DATABASE,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        **group.tls(),
    )


class Mailbox:
    """The gateway's side. `address` goes with each message; `run` reads until `close`."""

    def __init__(self, group: settings.Redis) -> None:
        self.address = f"{_PREFIX}{secrets.token_hex(8)}"
        self._client = _connect(group, timeout_seconds=_SOCKET_SECONDS)
        self._closed = asyncio.Event()

    async def run(self, on_news: Callable[[UUID], None]) -> None:
        """Call `on_news` with each submission that news came for, until `close`. A Redis that is away is waited for.

        Do not rely on cancelling this: redis-py 8 can swallow a cancellation that meets an answer.
        """
        pause = _BACKOFF_SECONDS[0]
        while not self._closed.is_set():
            try:
                found = await self._client.blpop([self.address], timeout=_BLOCK_SECONDS)
                pause = _BACKOFF_SECONDS[0]
            except (redis.RedisError, OSError) as error:
                if self._closed.is_set():
                    return
                _log.warning("mailbox.unreachable", error=type(error).__name__, again_seconds=pause)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closed.wait(), pause)
                pause = min(pause * 2, _BACKOFF_SECONDS[1])
                continue
            if found is not None:
                _deliver(found[1], on_news)

    async def close(self) -> None:
        """End `run` and let go of the connection."""
        self._closed.set()
        await self._client.aclose()


def _deliver(letter: bytes | str, on_news: Callable[[UUID], None]) -> None:
    try:
        submission_id = UUID(letter.decode("ascii") if isinstance(letter, bytes) else letter)
    except (ValueError, UnicodeDecodeError):
        _log.warning("mailbox.unreadable", length=len(letter))
        return
    on_news(submission_id)


class Postman:
    """The worker's and writer's side."""

    def __init__(self, group: settings.Redis) -> None:
        self._client = _connect(group, timeout_seconds=group.enqueue_timeout_seconds)

    async def post(self, address: str | None, submission_id: UUID) -> bool:
        """Tell a mailbox that there are news of a submission; whether it was told. Never raises: it is a hint."""
        if address is None or not address.startswith(_PREFIX):
            return False
        try:
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.rpush(address, str(submission_id))
                pipe.ltrim(address, -_KEPT_LETTERS, -1)
                pipe.expire(address, _KEPT_SECONDS)
                await pipe.execute()
        except (redis.RedisError, OSError, TimeoutError) as error:
            _log.warning("mailbox.not_told", error=type(error).__name__)
            return False
        return True

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()
