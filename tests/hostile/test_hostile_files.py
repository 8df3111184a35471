"""Hostile files through a real worker process: how each ends, that the worker outlives them all, how much memory."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import httpx
import pytest
from file_vectors import FILES, JUDGED

from cakegate import settings
from cakegate.adapters import queue
from cakegate.domain.submissions import State
from cakegate.scheduler import sweep

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures memory as Linux shows it")


@pytest.fixture
async def worker(config, free_tcp_port_factory, tmp_path):
    """`cakegate worker --queues judge`, ready."""
    health_port, log = free_tcp_port_factory(), tmp_path / "worker.log"
    environment = {
        "PATH": os.environ["PATH"],
        "CAKEGATE_DATABASE_URL": config.database.url.reveal(),
        "CAKEGATE_REDIS_URL": config.redis.url.reveal(),
        "CAKEGATE_FETCH_ALLOW": ",".join(config.fetch.allow),
        "CAKEGATE_WORKER_THREADS": "1",
        "CAKEGATE_TELEMETRY_HOST": "127.0.0.1",
        "CAKEGATE_TELEMETRY_HEALTH_PORT": str(health_port),
        "CAKEGATE_TELEMETRY_METRICS_PORT": str(free_tcp_port_factory()),
    }
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cakegate", "worker", "--queues", "judge",
            stdout=file, stderr=file, env=environment, cwd=tmp_path,
        )  # fmt: skip
    try:
        async with asyncio.timeout(30), httpx.AsyncClient() as client:
            while not await is_ready(client, health_port):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def is_ready(client, port):
    with contextlib.suppress(httpx.TransportError):
        return (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
    return False


def peak_bytes(pid):
    """The most memory that a process ever had resident; 0 where it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def children_of(pid):
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


class Watch:
    """The peaks of a worker's children, and who they were."""

    def __init__(self, pid) -> None:
        self.pid = pid
        self.peaks = {}

    def look(self):
        for child in children_of(self.pid):
            self.peaks[child] = max(self.peaks.get(child, 0), peak_bytes(child))


async def until_settled(judged, watch):
    """Until nothing waits to be judged, with a scheduler's sweeps; what was to be tried later is tried."""
    context = judged.context
    sweeper = sweep.Sweeper(settings.Scheduler(requeue_base_seconds=3600), context.db, context.work)
    while True:
        watch.look()
        open_rows = await context.db.fetch(
            "SELECT count(*) AS count FROM submissions WHERE state IN ('pending', 'judging')"
        )
        if open_rows[0]["count"] == 0:
            return
        await sweeper.round()
        await asyncio.sleep(0.05)


async def sent(judged, url):
    row = await judged.submit(url)
    message = queue.Message(submission_id=row.id, request_id=None, traceparent=None, reply_to=None)
    await judged.context.work.send("judge", message)
    return row.id


async def ends(judged):
    found = await judged.context.db.fetch("""
        SELECT s.id, s.image_url, s.state, s.reason, s.decoder_deaths, v.score FROM submissions s
        LEFT JOIN verdicts v ON v.submission_id = s.id
    """)
    return {row["id"]: row for row in found}


def end_of(row):
    """The reason of what is no picture; JUDGED for what a model saw."""
    assert row["state"] in {State.ACCEPTED, State.REVIEW, State.REJECTED}, row
    return JUDGED if row["score"] is not None else row["reason"]


def test_the_table_is_as_long_as_promised():
    assert 40 <= len(FILES) == len({file.name for file in FILES})


async def test_each_hostile_file_ends_as_it_should_and_the_worker_judges_a_good_one_right_after(
    worker, judged, host, small_cake
):
    await judged.context.work.set_epoch("known")
    good = host.answer("/good.jpg", small_cake)
    watch, first = Watch(worker.pid), await sent(judged, good)
    await until_settled(judged, watch)
    before_bytes = peak_bytes(worker.pid)

    hostile, after = {}, []
    for file in FILES:
        hostile[file.name] = await sent(judged, host.answer(f"/{file.name}", file.make()))
        after.append(await sent(judged, good))
    await until_settled(judged, watch)

    rows = await ends(judged)
    assert {file.name: file.end for file in FILES} == {name: end_of(rows[key]) for name, key in hostile.items()}
    assert {rows[first]["score"]} == {rows[each]["score"] for each in after}
    assert worker.returncode is None
    grown_bytes, child_bytes = peak_bytes(worker.pid) - before_bytes, max(watch.peaks.values())
    # Shown by `pytest -s`.
    print(f"the worker grew by {grown_bytes >> 20} MiB; a child had {child_bytes >> 20} MiB")  # noqa: T201
    assert grown_bytes < 64 * settings.MIB
    assert child_bytes < settings.Pictures().child_memory_bytes
