"""The sending side, for asyncio; and how the queues stand."""

import asyncio
import concurrent.futures
import time
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import dramatiq
import msgspec
import redis

from cakegate import contract, settings
from cakegate.adapters.queue.broker import Broker, connect, decoded
from cakegate.domain import errors

#: Which actor a queue's messages are for.
ACTORS: Final = {contract.QUEUE_JUDGE: "judge", contract.QUEUE_CREATE: "create", contract.QUEUE_BULK: "render"}
_ENQUEUE_THREADS: Final = 4
_EPOCH_KEY: Final = "cakegate:epoch"


#: Messages that are put on a queue in one round trip.
_BATCH: Final = 100


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What travels: a submission's id, what ties its logs together, and the mailbox that waits for news of it.

    `sent_at` is the sender's clock, seconds since 1970: for a metric, nothing is decided by it.
    """

    submission_id: UUID
    request_id: str | None
    traceparent: str | None
    reply_to: str | None
    sent_at: float = msgspec.field(default_factory=time.time)

    def waited_seconds(self) -> float:
        """How long it has been on its way, as far as the two machines' clocks agree."""
        return max(0.0, time.time() - self.sent_at)


def _envelope(queue_name: str, message: Message) -> Any:
    return dramatiq.Message(
        queue_name=queue_name,
        actor_name=ACTORS[queue_name],
        args=(),
        kwargs=msgspec.to_builtins(message),
        options={},
    )


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of a queue: `waiting` on the list, `total` with those that workers hold, and the age of the first.

    That one is the oldest but for messages that came back from a worker, which stand at the end.
    """

    waiting: int
    total: int
    oldest_seconds: float = 0.0


class Queue:
    """The sending side, for asyncio: enqueueing blocks, so it happens on a few threads and for a bounded time."""

    def __init__(self, group: settings.Redis) -> None:
        self._timeout_seconds = group.enqueue_timeout_seconds
        client = connect(group, database=contract.REDIS_QUEUE_DATABASE, timeout_seconds=group.enqueue_timeout_seconds)
        self._broker = Broker(client=client, namespace=contract.QUEUE_NAMESPACE, middleware=[], maintenance_chance=0)
        self._threads = concurrent.futures.ThreadPoolExecutor(_ENQUEUE_THREADS, thread_name_prefix="enqueue")

    def close(self) -> None:
        """Let go of threads and connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._broker.client.close()

    async def send(self, queue_name: str, message: Message) -> None:
        """Put one message on a queue.

        Raises:
            QueueUnavailable: Redis is away or slow. The message may still have arrived: claims make that harmless.
        """
        await self._run(self._enqueue, queue_name, [message], seconds=self._timeout_seconds)

    async def send_many(self, queue_name: str, messages: Sequence[Message]) -> None:
        """Put messages on a queue, for the sweeper, which can wait. Raises `QueueUnavailable`: none or some arrived."""
        seconds = self._timeout_seconds * (1 + len(messages) // _BATCH)
        await self._run(self._enqueue, queue_name, messages, seconds=seconds)

    async def depths(self) -> dict[str, Depth]:
        """All queues' depths. Raises `QueueUnavailable`."""
        found: dict[str, Depth] = await self._run(self._depths, seconds=2 * self._timeout_seconds)
        return found

    async def epoch(self) -> str | None:
        """The token that `set_epoch` left; None when Redis lost its data since. Raises `QueueUnavailable`."""
        found = await self._run(self._broker.client.get, _EPOCH_KEY, seconds=self._timeout_seconds)
        return found.decode() if found is not None else None

    async def set_epoch(self, token: str) -> None:
        """Leave a token that lives as long as Redis's data does. Raises `QueueUnavailable`."""
        await self._run(self._broker.client.set, _EPOCH_KEY, token, seconds=self._timeout_seconds)

    async def ping(self) -> None:
        """Raise `QueueUnavailable` unless Redis answers."""
        await self._run(self._broker.client.ping, seconds=self._timeout_seconds)

    async def _run(self, what: Any, *arguments: Any, seconds: float) -> Any:
        future = asyncio.get_running_loop().run_in_executor(self._threads, what, *arguments)
        try:
            # Past its time, what no thread has begun is dropped: a sick Redis must not leave a line behind.
            return await asyncio.wait_for(future, seconds)
        except redis.RedisError as error:
            raise errors.QueueUnavailable(f"Redis failed us: {type(error).__name__}") from error
        except TimeoutError as error:
            raise errors.QueueUnavailable("Redis did not answer in time.") from error

    def _enqueue(self, queue_name: str, messages: Sequence[Message]) -> None:
        for start in range(0, len(messages), _BATCH):
            self._broker.put(queue_name, [_envelope(queue_name, each) for each in messages[start : start + _BATCH]])

    def _depths(self) -> dict[str, Depth]:
        names = {name: f"{contract.QUEUE_NAMESPACE}:{name}" for name in contract.QUEUES}
        with self._broker.client.pipeline(transaction=False) as pipe:
            for key in names.values():
                pipe.llen(key)
                pipe.hlen(f"{key}.msgs")
                pipe.lindex(key, 0)
            found = iter(pipe.execute())
            counted = {name: (next(found), next(found), next(found)) for name in names}
            for name, (_, _, first) in counted.items():
                pipe.hget(f"{names[name]}.msgs", first or b"")
            ages = dict(zip(names, map(_age_seconds, pipe.execute()), strict=True))
        return {
            name: Depth(waiting=waiting, total=total, oldest_seconds=ages[name])
            for name, (waiting, total, _) in counted.items()
        }


def _age_seconds(data: bytes | None) -> float:
    message = decoded(data)
    sent_at = message.kwargs.get("sent_at") if message is not None else None
    return max(0.0, time.time() - sent_at) if isinstance(sent_at, float) else 0.0
