"""Logs that tie together and tell no secrets; metrics and health on ports of their own."""

import io
import json
import logging
import sys

import httpx
import prometheus_client
import pytest
import structlog

from cakegate import contract, settings
from cakegate.adapters import logs, metrics, probes
from cakegate.domain import errors

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def lines(monkeypatch):
    """Configure JSON logs and read back what was written; the suite's own logging is put back after."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    logs.configure(settings.Telemetry(), process="test")
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers = handlers
    root.setLevel(level)
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def test_a_line_is_json_and_carries_the_ids_that_are_bound(lines):
    logs.bind(request_id="r-1", traceparent=TRACE, submission_id="s-1")
    structlog.get_logger().info("submission.judged", score=0.5)

    line = lines()[0]
    assert ("submission.judged", "info", "test", 0.5) == (line["event"], line["level"], line["process"], line["score"])
    assert ("r-1", "0af7651916cd43dd8448eb211c80319c", "s-1") == (
        line["request_id"],
        line["trace_id"],
        line["submission_id"],
    )
    assert line["timestamp"].endswith("Z")


def test_what_was_bound_before_does_not_leak_into_the_next(lines):
    logs.bind(request_id="r-1", traceparent=TRACE)
    logs.bind(request_id="r-2", traceparent="nonsense")
    structlog.get_logger().info("x")

    line = lines()[0]
    assert "r-2" == line["request_id"]
    assert "trace_id" not in line


def test_the_standard_library_goes_the_same_way(lines):
    logging.getLogger("some.library").warning("careful: %s", "x")

    assert ["careful: x"] == [line["event"] for line in lines()]


def test_credentials_are_stars(lines):
    structlog.get_logger().warning(
        "x",
        url="redis://:hunter2@redis.example/0",
        secret=settings.Secret("hunter2"),
        text="at postgresql://u:hunter2@h/d!",
    )

    written = json.dumps(lines())
    assert "hunter2" not in written
    assert "redis.example" in written


def test_an_exception_is_one_line_with_its_traceback(lines):
    try:
        int("oops")
    except ValueError:
        structlog.get_logger().exception("flow.failed")

    assert "ValueError: invalid literal" in lines()[0]["exception"]


async def test_metrics_are_served_on_their_own_port(free_tcp_port):
    server = metrics.serve(settings.Telemetry(host="127.0.0.1", metrics_port=free_tcp_port), process="test")
    try:
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"http://127.0.0.1:{free_tcp_port}/metrics")).text
    finally:
        server.close()

    assert 'cakegate_build_info{process="test"' in text


def test_counters_that_alerts_stand_on_are_there_before_they_count():
    text = prometheus_client.generate_latest().decode()

    for series in (
        'cakegate_flows_failed_total{queue="judge"}',
        'cakegate_enqueue_failures_total{queue="create"}',
        'cakegate_leases_expired_total{state="judging"}',
    ):
        assert f"\n{series} " in text


def test_a_stage_is_timed_into_milliseconds_and_the_histogram():
    timings = {}
    with metrics.stage("test-stage", timings):
        pass

    assert 0 <= timings["test-stage"] < 1000


def test_methods_that_clients_make_up_share_one_label():
    assert ("GET", "OTHER") == (metrics.method_label("GET"), metrics.method_label("BREW"))


async def down():
    raise errors.QueueUnavailable("away")


async def up():
    return None


async def asked(readiness, port):
    group = settings.Telemetry(host="127.0.0.1", health_port=port)
    health = await probes.serve(group, readiness)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            return (await client.get("/healthz")).status_code, await client.get("/readyz")
    finally:
        await health.close()


@pytest.mark.parametrize(
    ("schema", "phase", "status"),
    [
        (contract.SCHEMA_VERSION, "ready", 200),
        (contract.SCHEMA_VERSION, "starting", 503),
        (contract.SCHEMA_VERSION, "drain", 503),
        ("0000", "ready", 503),
        (None, "ready", 503),
    ],
)
async def test_ready_only_while_serving_on_a_schema_that_is_new_enough(free_tcp_port, schema, phase, status):
    async def version():
        return schema

    readiness = probes.Readiness(schema=version, checks={"postgres": up})
    if phase != "starting":
        readiness.ready()
    if phase == "drain":
        readiness.drain()

    alive, answer = await asked(readiness, free_tcp_port)

    assert (200, status) == (alive, answer.status_code)


async def test_a_dependency_that_is_down_is_reported_and_takes_nobody_out_of_service(free_tcp_port):
    async def version():
        return contract.SCHEMA_VERSION

    readiness = probes.Readiness(schema=version, checks={"postgres": up, "redis": down})
    readiness.ready()

    _, answer = await asked(readiness, free_tcp_port)

    assert 200 == answer.status_code
    assert "up" == answer.json()["dependencies"]["postgres"]
    assert answer.json()["dependencies"]["redis"].startswith("down")
