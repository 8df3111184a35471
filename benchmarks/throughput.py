"""Judged pictures per second of processor time: the worker against a bare loop of the same functions.

Three take turns in every round with the same pictures, in an order that is drawn; processor time is compared, not time
on the clock.

- The bare loop: one process with the pictures in memory that decodes, resizes, infers, and renders what is no reject.
- Judging: the worker's own code from a picture's bytes to its verdict, the decoding children included. It renders
  nothing, so it is asked for rejects alone.
- The whole worker: the process that `cakegate worker --queues judge,bulk` starts, with its children. It claims rows in
  a real Postgres, fetches each picture over HTTP, judges, settles, renders, stores. Not counted are Postgres, Valkey
  and the pictures' server.

Rejected pictures are not rendered: they show the same without renditions.
"""

import argparse
import asyncio
import contextlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import loops, pictures, usage
from cakegate import contract, settings
from cakegate.adapters import queue
from cakegate.adapters.store import migrations, pool
from cakegate.adapters.store import submissions as rows
from cakegate.domain import cakes, submissions
from cakegate.local import servers

_READY_SECONDS = 60
_DRAIN_SECONDS = 300


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of picture: `count` of them are judged in a round, out of `different` ones."""

    title: str
    kind: str
    size: tuple[int, int]
    different: int
    count: int


def _cases(scale: float) -> list[Case]:
    return [
        Case(title=title, kind=kind, size=size, different=different, count=max(2, int(count * scale)))
        for title, kind, size, different, count in (
            ("1024 x 768, rendered", pictures.CAKE, pictures.PHOTO, 16, 160),
            ("1024 x 768, judged only", pictures.OTHER, pictures.PHOTO, 16, 240),
            ("4000 x 3000, rendered", pictures.CAKE, pictures.CAMERA, 4, 40),
            ("4000 x 3000, judged only", pictures.OTHER, pictures.CAMERA, 4, 48),
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks throughput")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="submissions that the worker works on at once")
    parser.add_argument("--scale", type=float, default=1.0, help="times so many pictures a round")
    options, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="cakegate-bench-") as folder, contextlib.ExitStack() as stack:
        Path(folder).chmod(0o755)
        services = stack.enter_context(_services(Path(folder)))
        _report(asyncio.run(_measure(services, Path(folder), options)), options)


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """Private servers: Postgres with the schema, Valkey, and the sample API, which serves the pictures."""

    environ: dict[str, str]
    pictures: Path
    pictures_url: str


@contextlib.contextmanager
def _services(folder: Path) -> Iterator[Services]:
    with contextlib.ExitStack() as stack:
        database = servers.postgres(folder / "postgres", port=servers.free_port())
        stack.enter_context(servers.running(database, log=folder / "postgres.log"))
        valkey = servers.valkey(folder / "valkey", port=servers.free_port())
        stack.enter_context(servers.running(valkey, log=folder / "valkey.log"))
        migrations.upgrade(settings.SecretUrl(database.url))
        port = servers.free_port()
        host = f"127.0.0.1:{port}"
        stack.enter_context(
            _process(
                ["sample", "--folder", str(folder / "sample"), "--port", str(port)],
                environ={},
                log=folder / "sample.log",
                ready_url=f"http://{host}/healthz",
            )
        )
        yield Services(
            environ={
                "CAKEGATE_DATABASE_URL": database.url,
                "CAKEGATE_REDIS_URL": valkey.url,
                "CAKEGATE_FETCH_ALLOW": host,
                "CAKEGATE_TELEMETRY_HOST": "127.0.0.1",
            },
            pictures=folder / "sample" / "pictures",
            pictures_url=f"http://{host}/pictures",
        )


@contextlib.contextmanager
def _process(verb: list[str], *, environ: dict[str, str], log: Path, ready_url: str) -> Iterator[int]:
    """One of ours, ready, for a block; its process id."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(contract.ENV_PREFIX)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cakegate", *verb], env={**inherited, **environ}, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while not _answers(ready_url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{verb[0]} does not get ready: {log.read_text()[-2000:]}")
            time.sleep(0.05)  # between two questions
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


class Worker:
    """The real worker, fed with rows and messages as a gateway makes them."""

    def __init__(self, pid: int, db: pool.Database, work: queue.Queue, base_url: str) -> None:
        self._pid = pid
        self._db = db
        self._work = work
        self._base_url = base_url

    async def judge(self, names: list[str], *, count: int) -> loops.Cost:
        messages = []
        for number in range(count):
            new = rows.NewSubmission(
                id=submissions.SubmissionId(uuid.uuid4()),
                draft=cakes.CakeDraft(
                    name="Benchmark cake",
                    comment="One of many",
                    image_url=f"{self._base_url}/{names[number % len(names)]}",
                    yum_factor=3,
                ),
            )
            await rows.insert(self._db, new)
            messages.append(queue.Message(submission_id=new.id, request_id=None, traceparent=None, reply_to=None))
        before, started = self._spent(), time.perf_counter()
        await self._work.send_many(contract.QUEUE_JUDGE, messages)
        async with asyncio.timeout(_DRAIN_SECONDS):
            # A message is done when its flow is, renditions included.
            while (await self._work.depths())[contract.QUEUE_JUDGE].total:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        own, children = (now - then for now, then in zip(self._spent(), before, strict=True))
        return loops.Cost(
            count=count, own_seconds=own, children_seconds=children, seconds=time.perf_counter() - started
        )

    def _spent(self) -> tuple[float, float]:
        own = usage.own_cpu_seconds(self._pid)
        return own, usage.cpu_seconds([self._pid]) - own

    async def check(self, *, rendered: int, rejected: int) -> None:
        """Raise unless all was judged and what was to be rendered is."""
        found = await self._db.fetch_one(
            "SELECT count(*) FILTER (WHERE state IN ('accepted', 'review') AND renditions_at IS NOT NULL) AS rendered,"
            " count(*) FILTER (WHERE state = 'rejected' AND reason = 'not-a-cake') AS rejected,"
            " count(*) AS total FROM submissions"
        )
        expected = {"rendered": rendered, "rejected": rejected, "total": rendered + rejected}
        if found != expected:
            raise RuntimeError(f"expected {expected}, found {found}")


@contextlib.asynccontextmanager
async def _worker(services: Services, folder: Path, *, threads: int) -> AsyncIterator[Worker]:
    health, metrics = servers.free_port(), servers.free_port()
    environ = {
        **services.environ,
        "CAKEGATE_WORKER_THREADS": str(threads),
        "CAKEGATE_TELEMETRY_HEALTH_PORT": str(health),
        "CAKEGATE_TELEMETRY_METRICS_PORT": str(metrics),
    }
    config = settings.from_env(services.environ, env_file=None)
    with _process(
        ["worker", "--queues", f"{contract.QUEUE_JUDGE},{contract.QUEUE_BULK}"],
        environ=environ,
        log=folder / "worker.log",
        ready_url=f"http://127.0.0.1:{health}/readyz",
    ) as pid:
        db = await pool.Database.open(config.database, application_name="cakegate-benchmark")
        work = queue.Queue(config.redis)
        try:
            yield Worker(pid, db, work, services.pictures_url)
        finally:
            work.close()
            await db.close()


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What the same pictures cost the three, one after the other. `judging` renders nothing."""

    bare: loops.Cost
    judging: loops.Cost | None
    worker: loops.Cost


#: By the case's title.
Found = dict[str, list[Round]]


async def _measure(services: Services, folder: Path, options: argparse.Namespace) -> Found:
    cases = _cases(options.scale)
    names = {
        case.title: pictures.written(services.pictures, case.kind, size=case.size, count=case.different)
        for case in cases
    }
    found: Found = {case.title: [] for case in cases}
    bare = loops.Loop("bare", services.pictures, environ={})
    environ = {"CAKEGATE_WORKER_THREADS": str(options.threads), "CAKEGATE_TELEMETRY_LOG_LEVEL": "warning"}
    judging = loops.Loop("judging", services.pictures, environ={**services.environ, **environ})
    with contextlib.closing(bare), contextlib.closing(judging):
        async with _worker(services, folder, threads=options.threads) as worker:
            for case in cases:  # all ways once: what is loaded or grown on first use is no part of the cost
                await _taken_in_turn(case, names[case.title], case.different, (bare, judging, worker))
            for _ in range(options.rounds):
                for case in random.sample(cases, len(cases)):
                    found[case.title].append(
                        await _taken_in_turn(case, names[case.title], case.count, (bare, judging, worker))
                    )
            counts = {
                kind: sum(case.different + options.rounds * case.count for case in cases if case.kind == kind)
                for kind in (pictures.CAKE, pictures.OTHER)
            }
            await worker.check(rendered=counts[pictures.CAKE], rejected=counts[pictures.OTHER])
    return found


async def _taken_in_turn(
    case: Case, names: list[str], count: int, peers: tuple[loops.Loop, loops.Loop, Worker]
) -> Round:
    """One round, in an order that is drawn."""
    costs: dict[int, loops.Cost] = {}
    for place in random.sample(range(len(peers)), len(peers)):
        peer = peers[place]
        if isinstance(peer, Worker):
            costs[place] = await peer.judge(names, count=count)
        elif place == 0 or case.kind == pictures.OTHER:
            costs[place] = peer.judge(names, count=count)
    return Round(bare=costs[0], judging=costs.get(1), worker=costs[2])


def _report(found: Found, options: argparse.Namespace) -> None:
    table = Table(
        title=f"Judged pictures per processor second, {options.threads} at once, {options.rounds} "
        f"interleaved rounds, medians; {usage.load_average()}"
    )
    headings = (
        "bare loop", "judging", "whole worker", "judging : bare", "worker : bare", "worker ms a picture: own",
        "children", "judged a second",
    )  # fmt: skip
    for heading in ("", *headings):
        table.add_column(heading, justify="right")
    for title, rounds in found.items():
        judged = [(each.judging, each.bare) for each in rounds if each.judging is not None]
        table.add_row(
            title,
            _median([each.bare.per_second for each in rounds]),
            _median([mine.per_second for mine, _ in judged]),
            _median([each.worker.per_second for each in rounds]),
            _median([mine.per_second / bare.per_second for mine, bare in judged], digits=2),
            _median([each.worker.per_second / each.bare.per_second for each in rounds], digits=2),
            _median([each.worker.own_seconds / each.worker.count * 1000 for each in rounds], digits=2),
            _median([each.worker.children_seconds / each.worker.count * 1000 for each in rounds], digits=2),
            _median([each.worker.count / each.worker.seconds for each in rounds]),
        )
    Console(width=160).print(table)


def _median(values: list[float], *, digits: int = 1) -> str:
    return f"{statistics.median(values):.{digits}f}" if values else "-"


if __name__ == "__main__":
    main()
