"""Judged pictures per second of processor time: the real worker against a bare loop of the same functions.

The worker is the process that `cakegate worker --queues judge,bulk` starts, its decoding children included: it claims
rows in a real Postgres, fetches each picture over HTTP, decodes it in a child, judges, settles, renders, stores. The
bare loop is one process with the pictures in memory that decodes, judges and renders. Not counted are Postgres, Valkey
and the pictures' server. The two take turns in every round; processor time is compared, not time on the clock.

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

from benchmarks import pictures, usage
from cakegate import contract, settings
from cakegate.adapters import queue
from cakegate.adapters.pixels import rendering
from cakegate.adapters.store import migrations, pool
from cakegate.adapters.store import submissions as rows
from cakegate.domain import cakes, renditions, submissions, verdicts
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


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Of one round: pictures, processor seconds of the worker's own process and of its children, and time taken."""

    count: int
    own_seconds: float
    children_seconds: float = 0.0
    seconds: float

    @property
    def per_second(self) -> float:
        return self.count / (self.own_seconds + self.children_seconds)


class Worker:
    """The real worker, fed with rows and messages as a gateway makes them."""

    def __init__(self, pid: int, db: pool.Database, work: queue.Queue, base_url: str) -> None:
        self._pid = pid
        self._db = db
        self._work = work
        self._base_url = base_url

    async def judge(self, names: list[str], *, count: int) -> Cost:
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
        return Cost(count=count, own_seconds=own, children_seconds=children, seconds=time.perf_counter() - started)

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


class Bare:
    """The loop in a process of its own: what it is asked for goes in as JSON lines, its costs come back."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.throughput", "--bare", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def judge(self, names: list[str], *, count: int) -> Cost:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode((names, count)) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Cost)

    def close(self) -> None:
        self._process.communicate()


def _serve_bare(folder: Path) -> None:
    judge = pictures.Judge()
    for line in sys.stdin:
        names, count = msgspec.json.decode(line, type=tuple[list[str], int])
        contents = [(folder / name).read_bytes() for name in names]
        spent, started = time.process_time(), time.perf_counter()
        for number in range(count):
            verdict, picture = judge(contents[number % len(contents)])
            if verdict.decision is not verdicts.Decision.REJECT:
                rendering.render(picture.image, list(renditions.Preset))
        cost = Cost(count=count, own_seconds=time.process_time() - spent, seconds=time.perf_counter() - started)
        sys.stdout.buffer.write(msgspec.json.encode(cost) + b"\n")
        sys.stdout.buffer.flush()


#: By the case's title: the worker's and the bare loop's rounds.
Found = dict[str, tuple[list[Cost], list[Cost]]]


async def _measure(services: Services, folder: Path, options: argparse.Namespace) -> Found:
    cases = _cases(options.scale)
    names = {
        case.title: pictures.written(services.pictures, case.kind, size=case.size, count=case.different)
        for case in cases
    }
    found: Found = {case.title: ([], []) for case in cases}
    async with _worker(services, folder, threads=options.threads) as worker:
        bare = Bare(services.pictures)
        try:
            for case in cases:  # all ways once: what is loaded or grown on first use is no part of the cost
                await worker.judge(names[case.title], count=case.different)
                bare.judge(names[case.title], count=case.different)
            for _ in range(options.rounds):
                for case in random.sample(cases, len(cases)):
                    theirs, ours = found[case.title][1], found[case.title][0]
                    if random.random() < 0.5:
                        theirs.append(bare.judge(names[case.title], count=case.count))
                        ours.append(await worker.judge(names[case.title], count=case.count))
                    else:
                        ours.append(await worker.judge(names[case.title], count=case.count))
                        theirs.append(bare.judge(names[case.title], count=case.count))
        finally:
            bare.close()
        counts = {
            kind: sum(case.different + options.rounds * case.count for case in cases if case.kind == kind)
            for kind in (pictures.CAKE, pictures.OTHER)
        }
        await worker.check(rendered=counts[pictures.CAKE], rejected=counts[pictures.OTHER])
    return found


def _report(found: Found, options: argparse.Namespace) -> None:
    table = Table(
        title=f"Judged pictures per processor second, worker of {options.threads} threads, {options.rounds} "
        f"interleaved rounds, medians; {usage.load_average()}"
    )
    headings = ("bare loop", "worker", "worker : bare", "worker ms a picture: own", "children", "judged a second")
    for heading in ("", *headings):
        table.add_column(heading, justify="right")
    for title, (worker, bare) in found.items():
        ratios = [mine.per_second / theirs.per_second for mine, theirs in zip(worker, bare, strict=True)]
        table.add_row(
            title,
            f"{statistics.median(each.per_second for each in bare):.1f}",
            f"{statistics.median(each.per_second for each in worker):.1f}",
            f"{statistics.median(ratios):.2f}",
            f"{statistics.median(each.own_seconds / each.count for each in worker) * 1000:.2f}",
            f"{statistics.median(each.children_seconds / each.count for each in worker) * 1000:.2f}",
            f"{statistics.median(each.count / each.seconds for each in worker):.1f}",
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        _serve_bare(Path(sys.argv[2]))
    else:
        main()
