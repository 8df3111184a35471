import threading
import uuid

import dramatiq
import pytest

from cakegate import settings
from cakegate.adapters import queue


@pytest.fixture
def group(redis_url):
    return settings.Redis(url=settings.SecretUrl(redis_url), enqueue_timeout_seconds=2.0)


@pytest.fixture
def work(group):
    opened = queue.Queue(group)
    yield opened
    opened.close()


class Consumers:
    """Starts workers whose actor notes what it was given, and stops them at the end."""

    def __init__(self, group) -> None:
        self._group = group
        self._workers = []
        self.seen = []
        self.held = threading.Event()
        self.held.set()
        self.started = threading.Semaphore(0)

    def start(self, *, threads=2, queue_name="judge"):
        broker = queue.worker_broker(self._group)

        def note(**message):
            self.started.release()
            self.held.wait(30)
            self.seen.append(uuid.UUID(message["submission_id"]))

        dramatiq.actor(note, actor_name=queue.ACTORS[queue_name], queue_name=queue_name, broker=broker)
        worker = queue.start_worker(broker, threads=threads, queues=[queue_name])
        self._workers.append((worker, broker))
        return worker

    def stop(self):
        self.held.set()
        for worker, broker in self._workers:
            worker.stop(timeout=10_000)
            broker.client.close()


@pytest.fixture
def consumers(group):
    made = Consumers(group)
    yield made
    made.stop()
