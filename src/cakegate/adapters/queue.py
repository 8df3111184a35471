"""Work by id: Dramatiq on Redis, with a doorbell, and without what loses or doubles work.

Redis may lose everything at any moment: each message names a row in Postgres, claims decide who works on it, and the
sweeper brings back what Redis forgot. So nothing of Dramatiq that delays or retries is used (its delayed messages
double or strand over a restart of Redis), and a message whose actor raised is simply done.

The doorbell: stock Dramatiq sleeps between two empty fetches, 250 ms at the median. Here an enqueue also pushes onto
a short list, and a consumer whose fetch came back empty blocks on that list. One that is full waits for one of its own
messages to be done, never on the bell: it would take a ring that was meant for another.
"""

import asyncio
import concurrent.futures
import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import dramatiq
import msgspec
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed
from redis.backoff import NoBackoff
from redis.retry import Retry

from cakegate import contract, settings
from cakegate.domain import errors

_log = structlog.get_logger()

#: Which actor a queue's messages are for.
ACTORS: Final = {contract.QUEUE_JUDGE: "judge", contract.QUEUE_CREATE: "create", contract.QUEUE_BULK: "render"}
#: A consumer looks for work at least this often, bell or not; below every socket timeout.
_BELL_SECONDS: Final = 1.0
#: More rings than consumers that could hear them are noise: one that fetched a full batch rings again.
_BELL_LENGTH: Final = 64
_ENQUEUE_THREADS: Final = 4
#: Dead brokers' messages are looked for in this many of a million commands. Dramatiq's default (1,000) finds them after
#: 12 minutes on an idle queue; a look costs under a millisecond.
_MAINTENANCE_CHANCE: Final = 50_000
_EPOCH_KEY: Final = "cakegate:epoch"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What travels: a submission's id, what ties its logs together, and the mailbox that waits for news of it.

    `sent_at` is the sender's clock, seconds since 1970: for a metric, nothing is decided by it.
    """

    submission_id: UUID
    request_id: str | None
    traceparent: str | None
    reply_to: str | None
    sent_at: float = msgspec.field(default_factory=time.time)


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of a queue: `waiting` on the list, `total` with those that workers hold."""

    waiting: int
    total: int


def _bell(queue_name: str) -> str:
    return f"cakegate:bell:{queue_name}"


class _Consumer(_RedisConsumer):
    """Dramatiq's consumer, waiting on the doorbell where it would sleep. Private there: its version is pinned."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._room = threading.Condition()

    def ack(self, message: Any) -> None:
        self._done(super().ack, message)

    def nack(self, message: Any) -> None:
        self._done(super().nack, message)

    def _done(self, how: Any, message: Any) -> None:
        try:
            how(message)
        except redis.TimeoutError as error:
            # Not a ConnectionError in redis-py: unconverted, Dramatiq would give the message up (dramatiq#894).
            raise ConnectionClosed(error) from None
        finally:
            with self._room:
                self._room.notify()

    def __next__(self) -> Any:
        try:
            return self._next()
        except (redis.TimeoutError, redis.ConnectionError) as error:
            # A fetch that timed out may have taken messages that nobody will work on: the sweeper finds their rows.
            raise ConnectionClosed(error) from None

    def _next(self) -> Any:
        if self.message_cache:
            return super().__next__()
        wanted = self.prefetch - self.outstanding_message_count
        if wanted <= 0:
            with self._room:
                self._room.wait_for(lambda: self.outstanding_message_count < self.prefetch, timeout=_BELL_SECONDS)
            return None
        self.message_cache = self.broker.do_fetch(self.queue_name, wanted)
        if not self.message_cache:
            self.broker.client.blpop([_bell(self.queue_name)], timeout=_BELL_SECONDS)
            return None
        if len(self.message_cache) == wanted:
            # There may be more than we could take: wake another.
            self.broker.ring(self.queue_name)
        return super().__next__()


class Broker(RedisBroker):
    """Dramatiq's Redis broker with the doorbell and without delay queues."""

    @property
    def consumer_class(self) -> type[_Consumer]:
        """Ours."""
        return _Consumer

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue without its delay queue, which would cost a consumer that polls and is never used."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: Any, *, delay: int | None = None) -> Any:
        """Enqueue and ring. Raises `ValueError` on a delay: next_attempt_at in Postgres is for that."""
        if delay is not None:
            raise ValueError("messages are not delayed: set next_attempt_at and let the sweeper enqueue")
        enqueued = super().enqueue(message)
        self.ring(message.queue_name)
        return enqueued

    def ring(self, queue_name: str) -> None:
        """Wake one consumer that waits on this queue's bell."""
        with self.client.pipeline(transaction=False) as pipe:
            pipe.rpush(_bell(queue_name), b"1")
            pipe.ltrim(_bell(queue_name), -_BELL_LENGTH, -1)
            pipe.execute()


def connect(group: settings.Redis, *, database: int, timeout_seconds: float) -> redis.Redis:
    """A client that neither retries (Dramatiq's fetch is not idempotent) nor waits longer than `timeout_seconds`."""
    return redis.Redis.from_url(
        group.url.reveal(),
        db=database,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        socket_keepalive=True,
    )


def worker_broker(group: settings.Redis) -> Broker:
    """The broker of a process that consumes; its silence is longer than the bell's."""
    client = connect(
        group, database=contract.REDIS_QUEUE_DATABASE, timeout_seconds=group.socket_timeout_seconds + _BELL_SECONDS
    )
    return Broker(
        client=client, namespace=contract.QUEUE_NAMESPACE, middleware=[], maintenance_chance=_MAINTENANCE_CHANCE
    )


def start_worker(broker: Broker, *, threads: int, queues: Sequence[str]) -> dramatiq.Worker:
    """Start Dramatiq's threads in this process; it holds no more messages than it has threads."""
    worker = dramatiq.Worker(
        broker, queues=set(queues), worker_threads=threads, worker_timeout=int(_BELL_SECONDS * 1000)
    )
    # The default of twice the threads starves idle workers (dramatiq#183). Only an environment variable sets it.
    worker.queue_prefetch = threads
    worker.start()
    return worker


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
        seconds = self._timeout_seconds * (1 + len(messages))
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
        # Waited for longer than that by nobody; then its outcome must not be reported as never retrieved.
        future.add_done_callback(_retrieve)
        try:
            return await asyncio.wait_for(asyncio.shield(future), seconds)
        except redis.RedisError as error:
            raise errors.QueueUnavailable(f"Redis failed us: {type(error).__name__}") from error
        except TimeoutError as error:
            raise errors.QueueUnavailable("Redis did not answer in time.") from error

    def _enqueue(self, queue_name: str, messages: Sequence[Message]) -> None:
        for message in messages:
            self._broker.enqueue(
                dramatiq.Message(
                    queue_name=queue_name,
                    actor_name=ACTORS[queue_name],
                    args=(),
                    kwargs=msgspec.to_builtins(message),
                    options={},
                )
            )

    def _depths(self) -> dict[str, Depth]:
        with self._broker.client.pipeline(transaction=False) as pipe:
            for name in contract.QUEUES:
                pipe.llen(f"{contract.QUEUE_NAMESPACE}:{name}")
                pipe.hlen(f"{contract.QUEUE_NAMESPACE}:{name}.msgs")
            found = pipe.execute()
        return {
            name: Depth(waiting=found[2 * place], total=found[2 * place + 1])
            for place, name in enumerate(contract.QUEUES)
        }


def _retrieve(future: "asyncio.Future[Any]") -> None:
    with contextlib.suppress(asyncio.CancelledError):
        future.exception()
