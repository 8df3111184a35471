"""The gateway on the wire and as a process: sockets, SIGTERM, exit codes, and what its logs say."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from time import perf_counter

import httpx
import msgspec
import psycopg
import pytest

from cakegate import settings
from cakegate.domain import errors
from cakegate.gateway import app, wiring
from cakegate.local import servers
from cakegate.local.sample import Faults

CAKE = {"name": "Lemon tart", "comment": "Of lemon", "imageUrl": "http://p.example/l", "yumFactor": 3}


@contextlib.asynccontextmanager
async def listening(config, **changes):
    """A gateway that listens in this process: its address, and the application."""
    group = settings.Gateway(host="127.0.0.1", port=servers.free_port(), max_body_bytes=2000, **changes)
    async with wiring.opened(msgspec.structs.replace(config, gateway=group)) as gate:
        application = app.compose(gate)
        async with (
            app.listening(group, application),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{group.port}") as http,
        ):
            await answered(http)
            yield http, application, gate


async def answered(http: httpx.AsyncClient, path: str = "/healthz") -> None:
    """Ask until somebody listens."""
    while True:
        with contextlib.suppress(httpx.TransportError):
            if (await http.get(path)).is_success:
                return
        await asyncio.sleep(0.01)


async def said(http: httpx.AsyncClient, request: bytes) -> bytes:
    """What the gateway says to these bytes before it hangs up, or pauses."""
    reader, writer = await asyncio.open_connection("127.0.0.1", http.base_url.port)
    writer.write(request)
    found = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(1):
            while piece := await reader.read(65536):
                found += piece
                if b"0\r\n\r\n" in found or b"}" in found:
                    break
    writer.close()
    return found


async def test_requests_as_they_come_over_the_wire(config):
    async with listening(config) as (http, _, _):
        chunked = b"POST /api/cakes HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n"
        chunked += b"Content-Type: application/json\r\n\r\n"
        large = await said(
            http, chunked + b"400\r\n" + b" " * 1024 + b"\r\n" + b"400\r\n" + b" " * 1024 + b"\r\n0\r\n\r\n"
        )
        head = await http.head("/api/cakes")
        headers = await http.get("/healthz", headers={"X": "x" * 40_000})
        cake = await http.post("/api/cakes/", json=CAKE, headers={"Prefer": "respond-async"})

        assert (True, True) == (large.startswith(b"HTTP/1.1 413 "), b"problems/body-too-large" in large)
        assert (200, b"") == (head.status_code, head.content)
        assert (431, "application/problem+json") == (headers.status_code, headers.headers["content-type"])
        assert 202 == cake.status_code


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"POST /api/cakes HTTP/1.1\r\nHost: g\r\nContent-Length: x\r\n\r\n",
        b"POST /api/cakes HTTP/1.1\r\nHost: g\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: g\r\nX : y\r\n\r\n",
    ],
    ids=["no http", "no length", "two lengths", "a space before the colon"],
)
async def test_what_could_smuggle_a_request_is_not_taken_for_one(config, request_bytes):
    async with listening(config) as (http, _, _):
        answer = await said(http, request_bytes)

        # Two lengths: chunked counts (RFC 9112 §6.3), and the body that it gives is no JSON.
        assert (answer[9:12] if answer else b"400") in {b"400", b"415"}


async def test_a_port_that_is_taken_is_said_so_by_its_variable(config):
    async with listening(config) as (http, application, _):
        group = settings.Gateway(host="127.0.0.1", port=http.base_url.port)

        with pytest.raises(errors.InvalidSettings, match="CAKEGATE_GATEWAY_PORT"):
            async with app.listening(group, application):
                pass


async def test_a_drain_answers_who_waits_ends_what_runs_and_takes_nobody_new(config, sample_api):
    async with contextlib.AsyncExitStack() as stack:
        http, application, gate = await stack.enter_async_context(listening(config, drain_seconds=5))
        sample_api.faults = Faults(latency_seconds=0.6)
        port = http.base_url.port
        async with httpx.AsyncClient(base_url=http.base_url) as other:
            waits = asyncio.create_task(other.post("/api/cakes", json=CAKE, headers={"Prefer": "wait=30"}))
            runs = asyncio.create_task(other.get("/api/cakes"))
            await until(lambda: rows(config))
            started = perf_counter()
            application.draining = True
            gate.room.close()
            closing = asyncio.create_task(stack.aclose())

            assert (202, "close") == ((await waits).status_code, waits.result().headers["connection"])
            assert 0.5 > perf_counter() - started
            with pytest.raises(httpx.TransportError):
                async with httpx.AsyncClient() as late:
                    await late.get(f"http://127.0.0.1:{port}/healthz")
            assert 200 == (await runs).status_code
        await closing


@contextlib.contextmanager
def process(config, *, port: int, **more: str):
    """`cakegate gateway` as it is run, and its output so far."""
    environ = {
        **os.environ,
        "CAKEGATE_GATEWAY_HOST": "127.0.0.1",
        "CAKEGATE_GATEWAY_PORT": str(port),
        "CAKEGATE_TELEMETRY_HOST": "127.0.0.1",
        "CAKEGATE_TELEMETRY_METRICS_PORT": str(servers.free_port()),
        "CAKEGATE_DATABASE_URL": config.database.url.reveal(),
        "CAKEGATE_REDIS_URL": config.redis.url.reveal(),
        "CAKEGATE_UPSTREAM_URL": config.upstream.url,
        "CAKEGATE_UPSTREAM_TOKEN": "s3cret-token",
        **more,
    }
    command = [sys.executable, "-m", "cakegate", "gateway"]
    with subprocess.Popen(
        command, env=environ, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


async def test_the_process_drains_on_sigterm_and_its_logs_are_json_without_secrets(config, sample_api):
    port = servers.free_port()
    with process(config, port=port) as started:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            await answered(http, "/readyz")
            sample_api.faults = Faults(down=True)
            # Making the document builds a second application, which must leave the logs alone.
            answers = [await http.get(path) for path in ("/schema", "/nope", "/api/cakes?token=s3cret")]
            waits = asyncio.create_task(http.post("/api/cakes", json=CAKE, headers={"Prefer": "wait=30"}))
            await until(lambda: rows(config))
            started.send_signal(signal.SIGTERM)
            answers.append(await waits)
        output, _ = await asyncio.to_thread(started.communicate)

    assert ([200, 404, 502, 202], 0) == ([answer.status_code for answer in answers], started.returncode)
    lines = [json.loads(line) for line in output.splitlines()]
    assert ["gateway.started", "gateway.draining", "gateway.stopped"] == [
        line["event"] for line in lines if line["event"].startswith("gateway.")
    ]
    assert {"gateway"} == {line["process"] for line in lines}
    assert [answer.headers["x-request-id"] for answer in answers] == [
        line["request_id"] for line in lines if line["event"] == "request.answered"
    ]
    urls = (config.database.url.reveal(), config.redis.url.reveal())
    passwords = [url.partition("@")[0].rpartition(":")[2] for url in urls]
    assert [] == [secret for secret in ("s3cret", *passwords) if secret in output]


async def rows(config) -> int:
    async with await psycopg.AsyncConnection.connect(config.database.url.reveal()) as connection:
        return (await (await connection.execute("SELECT count(*) FROM submissions")).fetchone())[0]


async def until(condition) -> None:
    for _ in range(500):
        if await condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


async def test_a_missing_setting_ends_the_process_with_one_line(config):
    with process(config, port=servers.free_port(), CAKEGATE_UPSTREAM_URL="") as started:
        output, _ = await asyncio.to_thread(started.communicate)

    assert (2, 1) == (started.returncode, len(output.splitlines()))
    assert "CAKEGATE_UPSTREAM_URL" in output
