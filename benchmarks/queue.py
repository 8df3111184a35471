"""The doorbell against stock Dramatiq: idle round trips, closed loops, and the drain of a backlog over two processes.

Both kinds run on one private Valkey in namespaces of their own, with the same client settings and no middleware, and
take turns in every round, so that what else the machine does falls on both.
"""
# ruff: noqa: A005 - named for what it measures; nothing in this folder is imported by a bare name

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import dramatiq
import msgspec
import redis
from dramatiq.brokers.redis import RedisBroker
from rich.console import Console
from rich.table import Table

from cakegate import contract, settings
from cakegate.adapters import queue
from cakegate.adapters.queue import broker as broker_module
from cakegate.local import servers

KINDS = ("doorbell", "stock")
PROCESSES = 2
THREADS = 4
NAME = contract.QUEUE_JUDGE


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks queue")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle", type=int, default=12, help="idle round trips a round")
    parser.add_argument("--messages", type=int, default=1000, help="messages of a drain")
    options, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="cakegate-bench-") as folder, contextlib.ExitStack() as stack:
        Path(folder).chmod(0o755)
        server = servers.valkey(Path(folder) / "valkey", port=servers.free_port(), durable=True)
        stack.enter_context(servers.running(server, log=Path(folder) / "valkey.log"))
        sides = {kind: stack.enter_context(_side(kind, server.url)) for kind in KINDS}
        _report(_measure(sides, options), options)


class Side:
    """One kind's sending end."""

    def __init__(self, kind: str, url: str) -> None:
        group = settings.Redis(url=settings.SecretUrl(url))
        self._broker = _broker(kind, group)
        self._replies = redis.Redis.from_url(url, db=contract.REDIS_REST_DATABASE, protocol=2)
        self._kind = kind

    def send(self, reply_to: str) -> None:
        message = queue.Message(submission_id=uuid.uuid4(), request_id=None, traceparent=None, reply_to=reply_to)
        self._broker.enqueue(
            dramatiq.Message(
                queue_name=NAME, actor_name=queue.ACTORS[NAME], args=(), kwargs=msgspec.to_builtins(message), options={}
            )
        )

    def wait(self, reply_to: str) -> None:
        if self._replies.blpop([reply_to], timeout=10) is None:
            raise RuntimeError(f"{self._kind}: a message is lost")

    def round_trip_ms(self) -> float:
        reply_to = f"reply:{uuid.uuid4()}"
        started = time.perf_counter()
        self.send(reply_to)
        self.wait(reply_to)
        return (time.perf_counter() - started) * 1000

    def closed_loops_per_second(self, *, clients: int, each: int) -> float:
        threads = [threading.Thread(target=lambda: [self.round_trip_ms() for _ in range(each)]) for _ in range(clients)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return clients * each / (time.perf_counter() - started)

    def drain_seconds(self, messages: int) -> float:
        reply_to = f"reply:{uuid.uuid4()}"
        started = time.perf_counter()
        for _ in range(messages):
            self.send(reply_to)
        for _ in range(messages):
            self.wait(reply_to)
        return time.perf_counter() - started


def _broker(kind: str, group: settings.Redis) -> RedisBroker:
    if kind == "doorbell":
        return queue.worker_broker(group)
    client = broker_module.connect(group, database=contract.REDIS_QUEUE_DATABASE, timeout_seconds=6)
    return RedisBroker(client=client, namespace="stock", middleware=[])


@contextlib.contextmanager
def _side(kind: str, url: str) -> Iterator[Side]:
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.queue", "--work", kind],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    try:
        for process in processes:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(url + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ready\n"
        yield Side(kind, url)
    finally:
        for process in processes:
            # Its standard input closes: it ends.
            process.communicate()


def _work(kind: str) -> None:
    """A worker process: answers each message until its standard input closes."""
    url = sys.stdin.readline().strip()
    group = settings.Redis(url=settings.SecretUrl(url))
    broker = _broker(kind, group)
    replies = redis.Redis.from_url(url, db=contract.REDIS_REST_DATABASE, protocol=2)

    def answer(**message: str) -> None:
        replies.rpush(message["reply_to"], b"1")

    dramatiq.actor(answer, actor_name=queue.ACTORS[NAME], queue_name=NAME, broker=broker)
    if isinstance(broker, queue.Broker):
        worker = queue.start_worker(broker, threads=THREADS, queues=[NAME])
    else:
        worker = dramatiq.Worker(broker, worker_threads=THREADS)
        worker.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    if isinstance(broker, queue.Broker):
        queue.stop_worker(worker, broker, seconds=5)
    else:
        worker.stop(timeout=5000)


def _measure(sides: dict[str, Side], options: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {
        kind: {"idle": [], "one": [], "many": [], "drain": []} for kind in KINDS
    }
    for number in range(options.rounds):
        order = KINDS if number % 2 == 0 else KINDS[::-1]
        for step in range(options.idle):
            # Long enough for stock Dramatiq to have fallen asleep, and never in step with it.
            time.sleep(0.35 + 0.1 * (step % 4))
            for kind in order:
                found[kind]["idle"].append(sides[kind].round_trip_ms())
        for kind in order:
            found[kind]["one"].append(sides[kind].closed_loops_per_second(clients=1, each=100))
            found[kind]["many"].append(sides[kind].closed_loops_per_second(clients=16, each=40))
            time.sleep(1)
            found[kind]["drain"].append(sides[kind].drain_seconds(options.messages))
    return found


def _report(found: dict[str, dict[str, list[float]]], options: argparse.Namespace) -> None:
    table = Table(title=f"{PROCESSES} processes of {THREADS} threads, {options.rounds} interleaved rounds, medians")
    for heading in ("", *KINDS, "doorbell : stock"):
        table.add_column(heading, justify="right")

    def row(name: str, key: str, pick: str = "median") -> None:
        ordered = [sorted(found[kind][key]) for kind in KINDS]
        values = [
            statistics.median(each) if pick == "median" else each[min(len(each) - 1, int(len(each) * 0.95))]
            for each in ordered
        ]
        table.add_row(name, *(f"{value:.2f}" for value in values), f"{values[0] / values[1]:.2f}")

    row("idle round trip, p50 ms", "idle")
    row("idle round trip, p95 ms", "idle", "p95")
    row("1 client, round trips a second", "one")
    row("16 clients, round trips a second", "many")
    row(f"drain of {options.messages}, seconds", "drain")
    Console(width=110).print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        _work(sys.argv[2])
    else:
        main()
