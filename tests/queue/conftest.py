import contextlib
import socket
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

    def start(self, *, threads=2, queues=("judge",), group=None):
        broker = queue.worker_broker(group or self._group)

        def note(**message):
            self.started.release()
            self.held.wait(30)
            self.seen.append(uuid.UUID(message["submission_id"]))

        for name in queues:
            dramatiq.actor(note, actor_name=queue.ACTORS[name], queue_name=name, broker=broker)
        worker = queue.start_worker(broker, threads=threads, queues=queues)
        self._workers.append((worker, broker))
        return worker, broker

    def stop(self):
        self.held.set()
        for worker, broker in self._workers:
            queue.stop_worker(worker, broker, seconds=10)
            broker.client.close()


@pytest.fixture
def consumers(group):
    made = Consumers(group)
    yield made
    made.stop()


class Line:
    """A way to Redis that can be made to swallow answers, or be cut."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        self.answers = threading.Event()
        self.answers.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                self._open += [near, far]
                threading.Thread(target=self._copy, args=(near, far, None), daemon=True).start()
                threading.Thread(target=self._copy, args=(far, near, self.answers), daemon=True).start()

    def _copy(self, source, sink, gate):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if gate is None or gate.is_set():
                    sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self):
        # A listener that is only closed lives on in the thread that waits for it.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self):
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(redis_url):
    settled = settings.SecretUrl(redis_url).reveal()
    host, _, port = settled.rpartition("@")[2].partition("/")[0].rpartition(":")
    opened = Line((host.rpartition("/")[2], int(port)))
    yield opened
    opened.close()


@pytest.fixture
def by_line(redis_url, line):
    """Settings of a Redis that is reached by `line`, with patience for tests."""
    before = redis_url.rpartition(":")[0]
    return settings.Redis(
        url=settings.SecretUrl(f"{before}:{line.port}"), enqueue_timeout_seconds=0.5, socket_timeout_seconds=0.2
    )
