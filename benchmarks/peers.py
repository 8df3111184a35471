"""The queues that are measured against each other: ours, stock Dramatiq, Celery. Each a sending and a working end.

All on one Valkey, in names of their own, with JSON messages, four threads a process, a message acknowledged when its
work is done, and the same reply: a push onto a list that the sender blocks on. Celery is tuned for that: threads, a
prefetch of one a thread, late acknowledgement, no result backend, no gossip, mingling, heartbeats, events or rate
limits. Dramatiq has no middleware.
"""

import os
import signal
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import celery
import celery.exceptions
import celery.signals
import dramatiq
import msgspec
import redis
from dramatiq.brokers.redis import RedisBroker

from benchmarks import pictures
from cakegate import contract, settings
from cakegate.adapters import queue
from cakegate.adapters.queue import broker as broker_module

KINDS = ("doorbell", "stock", "celery")
THREADS = 4
NAME = contract.QUEUE_JUDGE
#: Longer than it takes to queue a backlog, so that nobody is let through early.
GATE_SECONDS = 120

Work = Callable[..., None]


def replies(url: str) -> redis.Redis:
    """Where answers come back."""
    return redis.Redis.from_url(url, db=contract.REDIS_REST_DATABASE, protocol=2)


def fields(*, reply_to: str, pieces: int, gate: str) -> dict[str, Any]:
    """A message as a gateway writes it, and what a worker of this benchmark does with it: see `Answering`."""
    message = queue.Message(submission_id=uuid.uuid4(), request_id=None, traceparent=None, reply_to=reply_to)
    return {**msgspec.to_builtins(message), "pieces": pieces, "gate": gate}


class DramatiqEnd:
    """Sends with a Dramatiq broker."""

    def __init__(self, kind: str, url: str) -> None:
        self._broker = _broker(kind, url)

    def send(self, message: dict[str, Any]) -> None:
        self._broker.enqueue(
            dramatiq.Message(queue_name=NAME, actor_name=queue.ACTORS[NAME], args=(), kwargs=message, options={})
        )


class CeleryEnd:
    """Sends with Celery."""

    def __init__(self, url: str) -> None:
        self._app = _celery(url)

    def send(self, message: dict[str, Any]) -> None:
        self._app.send_task(NAME, kwargs=message, queue=NAME, ignore_result=True)


def sending_end(kind: str, url: str) -> DramatiqEnd | CeleryEnd:
    return CeleryEnd(url) if kind == "celery" else DramatiqEnd(kind, url)


def _broker(kind: str, url: str) -> RedisBroker:
    group = settings.Redis(url=settings.SecretUrl(url))
    if kind == "doorbell":
        return queue.worker_broker(group)
    client = broker_module.connect(group, database=contract.REDIS_QUEUE_DATABASE, timeout_seconds=6)
    return RedisBroker(client=client, namespace="stock", middleware=[])


def _celery(url: str) -> celery.Celery:
    app = celery.Celery("bench", broker=f"{url}/{contract.REDIS_QUEUE_DATABASE}", set_as_current=False)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_pool_limit=32,
        broker_transport_options={"global_keyprefix": "celery:"},
        task_acks_late=True,
        task_ignore_result=True,
        worker_disable_rate_limits=True,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts=False,
    )
    return app


class Answering:
    """What all workers do with a message: nothing, or some judgements; then answer with the seconds that these took.

    A message with a gate waits at it: threads are held there while a backlog is queued.
    """

    def __init__(self, url: str, picture: Path) -> None:
        self._replies = replies(url)
        self._content = picture.read_bytes()
        self._judge = pictures.Judge()

    def __call__(self, *, reply_to: str, pieces: int, gate: str, **_rest: Any) -> None:
        if gate:
            self._replies.rpush(reply_to, b"held")
            self._replies.blpop([gate], timeout=GATE_SECONDS)
            self._replies.rpush(gate, b"open")
            self._replies.expire(gate, GATE_SECONDS)
            return
        started = time.perf_counter()
        for _ in range(pieces):
            self._judge(self._content)
        self._replies.rpush(reply_to, str(time.perf_counter() - started))


def work(kind: str, picture: Path) -> None:
    """A worker process: takes the server's URL from standard input, answers messages until that closes."""
    url = sys.stdin.readline().strip()
    answering = Answering(url, picture)
    (_work_celery if kind == "celery" else _work_dramatiq)(kind, url, answering)


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def _work_dramatiq(kind: str, url: str, answering: Work) -> None:
    broker = _broker(kind, url)

    def answer(**message: Any) -> None:
        answering(**message)

    dramatiq.actor(actor_name=queue.ACTORS[NAME], queue_name=NAME, broker=broker)(answer)
    if isinstance(broker, queue.Broker):
        worker = queue.start_worker(broker, threads=THREADS, queues=[NAME])
    else:
        worker = dramatiq.Worker(broker, worker_threads=THREADS)
        worker.start()
    _ready()
    sys.stdin.read()
    if isinstance(broker, queue.Broker):
        queue.stop_worker(worker, broker, seconds=5)
    else:
        worker.stop(timeout=5000)


def _work_celery(_kind: str, url: str, answering: Work) -> None:
    # Told not to run as root: it is a benchmark, in a container as likely as not.
    warnings.filterwarnings("ignore", category=celery.exceptions.SecurityWarning)
    app = _celery(url)

    @app.task(name=NAME)
    def answer(**message: Any) -> None:
        answering(**message)

    def until_told() -> None:
        sys.stdin.read()
        # Celery's own way to be told: finish what runs, then end.
        os.kill(os.getpid(), signal.SIGTERM)

    def on_ready(**_named: Any) -> None:
        _ready()
        threading.Thread(target=until_told, daemon=True).start()

    celery.signals.worker_ready.connect(on_ready, weak=False)
    app.Worker(
        pool="threads", concurrency=THREADS, queues=[NAME], loglevel="ERROR", quiet=True,
        hostname=f"w{os.getpid()}@local", without_gossip=True, without_mingle=True, without_heartbeat=True,
    ).start()  # fmt: skip
