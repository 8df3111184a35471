"""The side of workers: Dramatiq's threads in this process, started and stopped."""

import contextlib
import queue
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import dramatiq
import redis
import structlog
from dramatiq.errors import ConnectionClosed

from cakegate import contract, settings
from cakegate.adapters.queue.broker import BELL_SECONDS, Broker, connect
from cakegate.adapters.queue.slots import Slots

_log = structlog.get_logger()

#: Dead brokers' messages are looked for in this many of a million commands. Dramatiq's default (1,000) finds them after
#: 12 minutes on an idle queue; a look costs under a millisecond.
_MAINTENANCE_CHANCE: Final = 50_000
#: A worker's threads notice that they are to stop this soon; below it waking costs more than it saves.
_STOP_MS: Final = 250


def worker_broker(group: settings.Redis) -> Broker:
    """The broker of a process that consumes; its silence is longer than the bell's."""
    client = connect(
        group, database=contract.REDIS_QUEUE_DATABASE, timeout_seconds=group.socket_timeout_seconds + BELL_SECONDS
    )
    return Broker(
        client=client, namespace=contract.QUEUE_NAMESPACE, middleware=[], maintenance_chance=_MAINTENANCE_CHANCE
    )


def start_worker(broker: Broker, *, threads: int, queues: Sequence[str]) -> dramatiq.Worker:
    """Start Dramatiq's threads in this process; it holds no more messages than it has threads (dramatiq#183)."""
    broker.slots = Slots(threads=threads, queues=queues)
    worker = dramatiq.Worker(broker, queues=set(queues), worker_threads=threads, worker_timeout=_STOP_MS)
    worker.start()
    return worker


def stop_worker(worker: dramatiq.Worker, broker: Broker, *, seconds: float) -> None:
    """Fetch no more, give back at once what nobody began, and wait at most `seconds` for what somebody did. Blocks.

    Dramatiq's own `stop` alone would go on fetching messages for threads that have left, for as long as one works.
    """
    deadline = time.monotonic() + seconds
    broker.slots.close()
    _give_back_waiting(worker)
    for thread in worker.workers:
        thread.stop()
    for thread in worker.workers:
        thread.join(max(0.0, deadline - time.monotonic()))
    for consumer in worker.consumers.values():
        consumer.stop()
    broker.slots.end()
    with contextlib.suppress(redis.RedisError):
        # Only to be quick: in a second they look up by themselves.
        broker.ring_stop()
    worker.stop(timeout=int(1000 * (BELL_SECONDS + max(0.0, deadline - time.monotonic()))))


def _give_back_waiting(worker: dramatiq.Worker) -> None:
    messages: dict[str, list[Any]] = defaultdict(list)
    while True:
        try:
            item = worker.work_queue.get_nowait()
        except queue.Empty:
            break
        messages[item.message.queue_name].append(item.message)
    for queue_name, found in messages.items():
        try:
            worker.consumers[queue_name].requeue_messages(found)
        except ConnectionClosed as error:
            _log.warning("queue.not_given_back", queue=queue_name, count=len(found), error=str(error))
