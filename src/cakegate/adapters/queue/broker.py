"""Dramatiq's Redis broker and consumer, with the doorbell and what keeps messages from being stranded."""

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed, DecodeError
from redis.backoff import NoBackoff
from redis.retry import Retry

from cakegate import settings
from cakegate.adapters.queue.slots import Slots

_log = structlog.get_logger()

#: A consumer looks for work at least this often, bell or not; below every socket timeout.
BELL_SECONDS: Final = 1.0
#: More rings than consumers that could hear them are noise: one that fetched a full batch rings again.
_BELL_LENGTH: Final = 64
#: One consumer does not ring for others more often than that; each that it wakes rings at once.
_RING_PAUSE_SECONDS: Final = 0.05
#: How often a consumer looks for messages that it holds by Redis's word alone.
_STRAYS_SECONDS: Final = 30.0
#: Drops the rings of a queue if it is empty.
_HUSH: Final = "if redis.call('llen', KEYS[1]) == 0 then redis.call('del', KEYS[2]) end"


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
        **group.tls(),
    )


def _bell(queue_name: str) -> str:
    return f"cakegate:bell:{queue_name}"


def _id(message: Any) -> str:
    """A message's id in Redis; its own stays the same when it is enqueued again."""
    return str(message.options["redis_message_id"])


def _ring(pipe: Any, queue_name: str, times: int) -> None:
    pipe.rpush(_bell(queue_name), *[b"1"] * min(times, _BELL_LENGTH))
    pipe.ltrim(_bell(queue_name), -_BELL_LENGTH, -1)


class _Consumer(_RedisConsumer):
    """Dramatiq's consumer, waiting on the doorbell where it would sleep. Private there: its version is pinned."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._strays_due = 0.0
        self._ring_due = 0.0
        self._rung = False

    def ack(self, message: Any) -> None:
        self._done(super().ack, message)

    def nack(self, message: Any) -> None:
        self._done(super().nack, message)

    def _done(self, how: Callable[[Any], None], message: Any) -> None:
        try:
            how(message)
        except (redis.TimeoutError, ConnectionClosed) as error:
            # redis-py's TimeoutError is no ConnectionError: unconverted, Dramatiq would give the message up
            # (dramatiq#894). Converted, it tries again and again, and the slot stays taken.
            raise ConnectionClosed(error) from None
        except Exception:
            self.broker.slots.empty(self.queue_name, [_id(message)])
            raise
        self.broker.slots.empty(self.queue_name, [_id(message)])

    def requeue(self, messages: Iterable[Any]) -> None:
        ids = [_id(message) for message in messages]
        if not ids:
            return
        self.broker.slots.empty(self.queue_name, ids)
        try:
            self.broker.do_requeue(self.queue_name, *ids)
            self.broker.ring(self.queue_name, len(ids))
        except (redis.TimeoutError, redis.ConnectionError) as error:
            # Dramatiq forgets to convert these here and would fail to stop; they come back when our heartbeat is old.
            raise ConnectionClosed(error) from None

    def close(self) -> None:
        self.broker.slots.empty(self.queue_name, [_id(message) for message in self.message_cache])
        self.message_cache = []

    def __next__(self) -> Any:
        try:
            if not self.message_cache:
                self._fetch()
        except (redis.TimeoutError, redis.ConnectionError) as error:
            # The fetch may have taken messages all the same: the consumer that follows this one gives them back.
            raise ConnectionClosed(error) from None
        if not self.message_cache:
            return None
        message = self.message_cache.pop(0)
        self.queued_message_ids.add(message.message_id)
        return dramatiq.MessageProxy(message)

    def _fetch(self) -> None:
        if time.monotonic() >= self._strays_due:
            self.broker.give_back_strays(self.queue_name)
            self._strays_due = time.monotonic() + _STRAYS_SECONDS
        slots: Slots = self.broker.slots
        wanted = slots.reserve(self.queue_name, seconds=BELL_SECONDS)
        if wanted == 0:
            return
        fetched: list[bytes | None] = []
        try:
            fetched = self.broker.do_fetch(self.queue_name, wanted)
            self.message_cache = [message for each in fetched if (message := decoded(each)) is not None]
        finally:
            slots.fill(self.queue_name, map(_id, self.message_cache), reserved=wanted)
        if len(fetched) == wanted and time.monotonic() >= self._ring_due:
            # There may be more than we could take, and fewer rings than messages: wake another. Not every time: where
            # all are busy, nobody listens.
            self.broker.ring(self.queue_name)
            self._ring_due = time.monotonic() + _RING_PAUSE_SECONDS
        if fetched:
            self._rung = False
        else:
            self._listen()

    def _listen(self) -> None:
        """Block on the bell; it rang for nothing before: for a message that somebody had taken without listening."""
        if self._rung:
            self.broker.hush(self.queue_name)
        bell = _bell(self.queue_name)
        heard = self.broker.client.blpop([self.broker.stop_bell, bell], timeout=BELL_SECONDS)
        self._rung = heard is not None and heard[0] == bell.encode()
        if self._rung and not self.broker.slots.free(self.queue_name):
            # Another queue filled us meanwhile, or we are to stop: the ring is for someone else.
            self.broker.ring(self.queue_name)


def decoded(data: bytes | None) -> Any:
    """The message, or None for what Redis lost half of (dramatiq#266) or nobody of ours wrote."""
    try:
        return dramatiq.Message.decode(data) if data is not None else None
    except DecodeError:
        _log.exception("queue.unreadable")
        return None


class Broker(RedisBroker):
    """Dramatiq's Redis broker with the doorbell and without delay queues. `slots` are set where it consumes."""

    slots: Slots

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._hush = self.client.register_script(_HUSH)

    @property
    def stop_bell(self) -> str:
        """The bell of this broker alone, which all its consumers hear besides their queue's."""
        return _bell(f"stop:{self.broker_id}")

    def ring_stop(self) -> None:
        """Wake all consumers of this broker. Raises `redis.RedisError`."""
        with self.client.pipeline(transaction=False) as pipe:
            pipe.rpush(self.stop_bell, *[b"1"] * len(self.queues))
            pipe.expire(self.stop_bell, int(2 * BELL_SECONDS))
            pipe.execute()

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
        self.put(message.queue_name, [message])
        return message

    def put(self, queue_name: str, messages: Sequence[Any]) -> None:
        """Put messages on a queue and ring for them, in one round trip.

        What Dramatiq's script does to enqueue, without the script: data first, so that no id is ever without.
        Raises `redis.RedisError`; then none, some or all arrived.
        """
        key = f"{self.namespace}:{queue_name}"
        ids = [str(uuid.uuid4()) for _ in messages]
        encoded = [
            each.copy(options={"redis_message_id": own}).encode() for each, own in zip(messages, ids, strict=True)
        ]
        with self.client.pipeline(transaction=False) as pipe:
            pipe.hset(f"{key}.msgs", mapping=dict(zip(ids, encoded, strict=True)))
            pipe.rpush(key, *ids)
            _ring(pipe, queue_name, len(ids))
            pipe.execute()

    def ring(self, queue_name: str, times: int = 1) -> None:
        """Wake so many consumers that wait on this queue's bell."""
        with self.client.pipeline(transaction=False) as pipe:
            _ring(pipe, queue_name, times)
            pipe.execute()

    def hush(self, queue_name: str) -> None:
        """Drop all rings of a queue that is empty. At one stroke: a message comes before its ring."""
        self._hush(keys=[f"{self.namespace}:{queue_name}", _bell(queue_name)])

    def give_back_strays(self, queue_name: str) -> None:
        """Put back what Redis believes us to hold and we do not. For the thread that fetches, between two fetches."""
        held = self.slots.held(queue_name)
        listed: Any = self.client.smembers(f"{self.namespace}:__acks__.{self.broker_id}.{queue_name}")
        # One that is acknowledged at this moment is in neither place, and the script leaves it alone.
        if strays := {each.decode() for each in listed} - held:
            _log.warning("queue.strays_found", queue=queue_name, count=len(strays))
            self.do_requeue(queue_name, *strays)
            self.ring(queue_name, len(strays))
