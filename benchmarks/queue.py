"""The doorbell against stock Dramatiq and Celery: idle round trips, closed loops, and the drain of a backlog.

All kinds run in every round, in an order that is shuffled anew, so that what else the machine does falls on each. How
they are set up stands in `peers`.
"""
# ruff: noqa: A005 - named for what it measures; nothing in this folder is imported by a bare name

import argparse
import contextlib
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import peers, pictures, usage
from cakegate.local import servers

PROCESSES = 2
CLIENTS = 16

#: Figures by name, then by kind of queue.
Found = dict[str, dict[str, list[float]]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks queue")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle", type=int, default=12, help="idle round trips a round")
    parser.add_argument("--each", type=int, default=60, help="round trips of each of 16 clients")
    parser.add_argument("--messages", type=int, default=1000, help="messages of a drain")
    parser.add_argument("--judgements", type=int, default=200, help="messages of a drain whose work is a judgement")
    options, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="cakegate-bench-") as folder, contextlib.ExitStack() as stack:
        Path(folder).chmod(0o755)
        picture = Path(folder) / pictures.written(Path(folder), pictures.CAKE, size=pictures.PHOTO, count=1)[0]
        server = servers.valkey(Path(folder) / "valkey", port=servers.free_port(), durable=True)
        stack.enter_context(servers.running(server, log=Path(folder) / "valkey.log"))
        sides = [stack.enter_context(_side(kind, server.url, picture)) for kind in peers.KINDS]
        _report(_measure(sides, options), options)


class Side:
    """One kind of queue: its sending end here, its worker processes, and what they cost."""

    def __init__(self, kind: str, url: str, workers: list[int]) -> None:
        self.kind = kind
        self._end = peers.sending_end(kind, url)
        self._replies = peers.replies(url)
        self._workers = workers

    def _wait(self, reply_to: str) -> str:
        found = self._replies.blpop([reply_to], timeout=20)
        if found is None:
            raise RuntimeError(f"{self.kind}: a message is lost")
        return str(found[1], "ascii")

    def round_trip(self, *, pieces: int = 0) -> tuple[float, float]:
        """Seconds from sending to the answer, and those of them that the worker worked."""
        reply_to = f"reply:{uuid.uuid4()}"
        started = time.perf_counter()
        self._end.send(peers.fields(reply_to=reply_to, pieces=pieces, gate=""))
        worked = float(self._wait(reply_to))
        return time.perf_counter() - started, worked

    def closed_loops(self, *, clients: int, each: int, pieces: int = 0) -> tuple[float, float]:
        """Round trips a second, and the processor seconds of one in the worker processes."""
        threads = [
            threading.Thread(target=lambda: [self.round_trip(pieces=pieces) for _ in range(each)])
            for _ in range(clients)
        ]
        before, started = usage.cpu_seconds(self._workers), time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - started
        return clients * each / seconds, (usage.cpu_seconds(self._workers) - before) / (clients * each)

    def drain_seconds(self, messages: int, *, pieces: int = 0) -> float:
        """Seconds from the first of these messages being taken to the last answer; all are queued before."""
        gate, held, reply_to = (f"{name}:{uuid.uuid4()}" for name in ("gate", "held", "reply"))
        # Prefetching may give one process more than it has threads for, and leave the other's free: until all are held.
        for _ in range(4 * PROCESSES * peers.THREADS):
            self._end.send(peers.fields(reply_to=held, pieces=0, gate=gate))
        for _ in range(PROCESSES * peers.THREADS):
            self._wait(held)
        self._replies.expire(held, peers.GATE_SECONDS)
        for _ in range(messages):
            self._end.send(peers.fields(reply_to=reply_to, pieces=pieces, gate=""))
        started = time.perf_counter()
        self._replies.rpush(gate, b"open")
        for _ in range(messages):
            self._wait(reply_to)
        return time.perf_counter() - started


@contextlib.contextmanager
def _side(kind: str, url: str, picture: Path) -> Iterator[Side]:
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.queue", "--work", kind, str(picture)],
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
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"{kind}: a worker does not start")
        yield Side(kind, url, [process.pid for process in processes])
    finally:
        for process in processes:
            # Its standard input closes: it ends.
            process.communicate()


def _measure(sides: list[Side], options: argparse.Namespace) -> Found:
    found: Found = defaultdict(lambda: defaultdict(list))
    steps: list[Callable[[Side], dict[str, float]]] = [
        lambda side: {"one": side.closed_loops(clients=1, each=100)[0]},
        lambda side: _saturated(side, options.each),
        lambda side: {"drain": side.drain_seconds(options.messages)},
        lambda side: {"judging-drain": side.drain_seconds(options.judgements, pieces=1)},
    ]
    for _ in range(options.rounds):
        for step in range(options.idle):
            # Long enough for stock Dramatiq to have fallen asleep, and never in step with it.
            time.sleep(0.35 + 0.1 * (step % 4))
            for side in _shuffled(sides):
                _idle(side, found)
        for measure in steps:
            for side in _shuffled(sides):
                for name, value in measure(side).items():
                    found[name][side.kind].append(value)
    return found


def _shuffled(sides: list[Side]) -> list[Side]:
    return random.sample(sides, len(sides))


def _idle(side: Side, found: Found) -> None:
    """One round trip without work, and one with a judgement, a pause apart as the next round's is."""
    found["idle"][side.kind].append(side.round_trip()[0] * 1000)
    time.sleep(0.35)
    taken, worked = side.round_trip(pieces=1)
    found["idle-share"][side.kind].append(100 * (taken - worked) / taken)


def _saturated(side: Side, each: int) -> dict[str, float]:
    """Closed loops, and the queue's part of what a judgement costs the workers then."""
    rate, queue_seconds = side.closed_loops(clients=CLIENTS, each=each)
    # Many judgements a message: what is left of the queue's cost is a twentieth.
    _, judged_seconds = side.closed_loops(clients=PROCESSES * peers.THREADS, each=1, pieces=20)
    return {
        "many": rate,
        "cpu": queue_seconds * 1000,
        "cpu-share": 100 * queue_seconds / (queue_seconds + judged_seconds / 20),
    }


_ROWS = (
    ("idle round trip, p50 ms", "idle", 0.5),
    ("idle round trip, p95 ms", "idle", 0.95),
    ("idle, with one judgement: the queue's share, %", "idle-share", 0.5),
    ("1 client, round trips a second", "one", 0.5),
    ("16 clients, round trips a second", "many", 0.5),
    ("16 clients, workers' processor ms a message", "cpu", 0.5),
    ("16 clients, with one judgement: the queue's share of it, %", "cpu-share", 0.5),
    ("drain of {messages} queued, seconds", "drain", 0.5),
    ("drain of {judgements} queued judgements, seconds", "judging-drain", 0.5),
)


def _report(found: Found, options: argparse.Namespace) -> None:
    table = Table(
        title=f"{PROCESSES} processes of {peers.THREADS} threads, {options.rounds} interleaved rounds, medians; "
        f"{usage.load_average()}"
    )
    ours, *others = peers.KINDS
    for heading in ("", *peers.KINDS, *(f"{ours} : {other}" for other in others)):
        table.add_column(heading, justify="right")
    for title, key, share in _ROWS:
        values = {kind: _quantile(found[key][kind], share) for kind in peers.KINDS}
        table.add_row(
            title.format(**vars(options)),
            *(f"{value:.2f}" for value in values.values()),
            *(f"{values[ours] / values[other]:.2f}" for other in others),
        )
    Console(width=140).print(table)


def _quantile(values: list[float], share: float) -> float:
    if share == 0.5:
        return statistics.median(values)
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        peers.work(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
