"""`cakegate worker` as a process: starts, says how it is, logs what can be followed, ends on SIGTERM."""

import asyncio
import contextlib
import json
import os
import signal
import sys

import httpx
import pytest

from cakegate.adapters import mailbox, queue
from cakegate.domain.submissions import State

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Running:
    """A worker process, its health port and its log."""

    def __init__(self, process, *, health_port, metrics_port, log) -> None:
        self.process = process
        self.health = f"http://127.0.0.1:{health_port}"
        self.metrics = f"http://127.0.0.1:{metrics_port}/metrics"
        self._log = log

    async def ready(self):
        async with asyncio.timeout(30), httpx.AsyncClient() as client:
            while True:
                assert self.process.returncode is None, self._log.read_text()
                with contextlib.suppress(httpx.TransportError):
                    answer = await client.get(f"{self.health}/readyz")
                    if answer.status_code == 200:
                        return answer.json()
                await asyncio.sleep(0.05)

    async def ended(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 20)

    def lines(self):
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def text(self):
        return self._log.read_text()


@pytest.fixture
async def start(config, free_tcp_port_factory, tmp_path):
    """Starts `cakegate worker --queues …` with the settings of `config`; nothing of it outlives the test."""
    started = []

    async def start_worker(queues, **more):
        health_port, metrics_port = free_tcp_port_factory(), free_tcp_port_factory()
        log = tmp_path / f"{queues}.log"
        environment = {
            "PATH": os.environ["PATH"],
            "CAKEGATE_DATABASE_URL": config.database.url.reveal(),
            "CAKEGATE_REDIS_URL": config.redis.url.reveal(),
            "CAKEGATE_UPSTREAM_URL": config.upstream.url,
            "CAKEGATE_FETCH_ALLOW": ",".join(config.fetch.allow),
            "CAKEGATE_WORKER_THREADS": "1",
            "CAKEGATE_TELEMETRY_HOST": "127.0.0.1",
            "CAKEGATE_TELEMETRY_HEALTH_PORT": str(health_port),
            "CAKEGATE_TELEMETRY_METRICS_PORT": str(metrics_port),
            **more,
        }
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "cakegate", "worker", "--queues", queues,
                stdout=file, stderr=file, env=environment, cwd=tmp_path,
            )  # fmt: skip
        running = Running(process, health_port=health_port, metrics_port=metrics_port, log=log)
        started.append(running)
        return running

    yield start_worker
    for each in started:
        with contextlib.suppress(ProcessLookupError):
            each.process.kill()
        await each.process.wait()


async def test_worker_and_writer_make_a_cake_of_a_submission_and_their_logs_tell_of_it(
    start, bakery, cake_jpeg, config
):
    worker, writer = await asyncio.gather(start("judge,bulk"), start("create"))
    states = await asyncio.gather(worker.ready(), writer.ready())
    box, news = mailbox.Mailbox(config.redis), asyncio.Queue()
    reader = asyncio.create_task(box.run(news.put_nowait))
    row = await bakery.submit(cake_jpeg)

    message = queue.Message(submission_id=row.id, request_id="req-1", traceparent=TRACE, reply_to=box.address)
    await bakery.context.work.send("judge", message)
    told = await asyncio.wait_for(news.get(), 20)
    await box.close()
    await reader

    assert [{"postgres": "up", "redis": "up"}] * 2 == [each["dependencies"] for each in states]
    assert (row.id, State.CREATED) == (told, (await bakery.get(row)).state)
    async with httpx.AsyncClient() as client:
        judged, created = (await client.get(worker.metrics)).text, (await client.get(writer.metrics)).text
    assert 'cakegate_submission_transitions_total{reason="",target="accepted"} 1.0' in judged
    assert 'cakegate_upstream_calls_total{operation="create",outcome="ok"} 1.0' in created

    assert [0, 0] == await asyncio.gather(worker.ended(), writer.ended(signal.SIGINT))
    for process, event in ((worker, "submission.judged"), (writer, "submission.settled")):
        line = next(each for each in process.lines() if each["event"] == event)
        assert ("req-1", TRACE.split("-")[1], str(row.id)) == (
            line["request_id"],
            line["trace_id"],
            line["submission_id"],
        )
        assert config.redis.url.reveal().partition("@")[0].rpartition(":")[2] not in process.text()
        assert "worker.stopped" == process.lines()[-1]["event"]


async def test_a_pack_that_cannot_be_trusted_keeps_the_process_from_starting(start, tmp_path):
    worker = await start("judge", CAKEGATE_DETECTOR_PACK=str(tmp_path / "none"))

    assert 2 == await asyncio.wait_for(worker.process.wait(), 20)
    assert "pack" in worker.text()
    assert "Traceback" not in worker.text()


async def test_a_queue_that_is_none_of_ours_is_said_so(start):
    worker = await start("judge,cakes")

    assert 2 == await asyncio.wait_for(worker.process.wait(), 20)
    assert "cakes is none of judge, create, bulk" in worker.text()
