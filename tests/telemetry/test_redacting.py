"""No way into a log line leads around the stars, and no stranger's words break a line."""

import io
import json
import logging
import sys

import pytest
import structlog

from cakegate import settings
from cakegate.adapters import logs, metrics
from cakegate.adapters.queue import Depth


def _configured(monkeypatch, log_format):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    logs.configure(settings.Telemetry(log_format=log_format), process="test")
    yield out.getvalue
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(params=["json", "console"])
def written(request, monkeypatch):
    yield from _configured(monkeypatch, request.param)


@pytest.fixture
def written_json(monkeypatch):
    yield from _configured(monkeypatch, "json")


@pytest.mark.parametrize(
    "value",
    [
        "redis://:hunter2@h/0",
        "postgresql://user:p@hunter2@h/d",
        "host=h user=u password=hunter2 dbname=d",
        "host=h password='hunter2 and more' dbname=d",
        {"url": "redis://:hunter2@h"},
        [("redis://:hunter2@h",)],
        settings.Secret("hunter2"),
        settings.SecretUrl("redis://:hunter2@h"),
        {"headers": settings.Secret("hunter2")},
    ],
    ids=str,
)
def test_credentials_are_stars_however_deep(written, value):
    structlog.get_logger().warning("x", value=value)

    line = written()
    assert "hunter2" not in line
    assert "***" in line


def test_an_exception_is_no_way_around_and_shows_no_local_variables(written):
    password = "hunter2"  # noqa: F841 - must not be shown
    try:
        raise ConnectionError(f"cannot connect to redis://:{'hunter'}2@redis.example:6379")  # noqa: TRY301
    except ConnectionError:
        structlog.get_logger().exception("flow.failed")
        logging.getLogger("library").exception("it failed")

    text = written()
    assert 2 == text.count("ConnectionError: cannot connect to redis://***@redis.example:6379")
    assert "hunter2" not in text.replace("{'hunter'}2", "").replace('password = "hunter2"', "")


@pytest.mark.parametrize("value", ["\udcff/cakes", 10**100, float("nan"), b"\xff", object, {1: 2}, ValueError("x")])
def test_odd_values_are_one_line_all_the_same(written_json, value):
    structlog.get_logger().info("request.answered", path=value)

    assert "request.answered" == json.loads(written_json())["event"]


def test_an_address_without_credentials_stays_whole(written):
    structlog.get_logger().info("x", url="https://example.com/a?mail=me@example.org")

    assert "https://example.com/a?mail=me@example.org" in written()


def test_queues_are_measured_by_what_waits_what_runs_and_the_age_of_the_first():
    metrics.observe_queues({"judge": Depth(waiting=3, total=5, oldest_seconds=7.5)})

    read = metrics.prometheus_client.REGISTRY.get_sample_value
    assert (5, 3, 7.5) == (
        read("cakegate_queue_messages", {"queue": "judge"}),
        read("cakegate_queue_waiting_messages", {"queue": "judge"}),
        read("cakegate_queue_oldest_age_seconds", {"queue": "judge"}),
    )


def test_the_figures_of_all_pools_of_a_process_are_added():
    def value():
        return metrics.prometheus_client.REGISTRY.get_sample_value("cakegate_database_pool_connections")

    before = value()
    ends = [metrics.watch_pool(lambda: {"pool_size": 2}), metrics.watch_pool(lambda: {"pool_size": 3})]
    assert before + 5 == value()

    for end in ends:
        end()
    assert before == value()
