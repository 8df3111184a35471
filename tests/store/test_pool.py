"""A database that is away, or there and frozen: both are said so within a bound."""

import asyncio
import os
import signal
import time

import psutil
import psycopg
import pytest

from cakegate import contract, settings
from cakegate.adapters import probes
from cakegate.adapters.store import pool
from cakegate.domain import errors
from cakegate.local import servers


async def test_a_database_that_is_away_is_said_so_within_the_wait(free_tcp_port):
    group = settings.Database(
        url=settings.SecretUrl(f"postgresql://u:hunter2@127.0.0.1:{free_tcp_port}/x"), pool_wait_seconds=0.3
    )
    db = await pool.Database.open(group, application_name="tests")

    started = time.monotonic()
    with pytest.raises(errors.DatabaseUnavailable) as caught:
        await db.fetch("SELECT 1")
    assert time.monotonic() - started < 2
    assert (False, False) == (caught.value.outcome_unknown, "hunter2" in str(caught.value))
    await db.close()


@pytest.mark.parametrize("url", ["postgresql://u:hun%zzter2@h/x", "postgresql://u:hunter2@[h/x"])
async def test_a_url_that_libpq_cannot_read_is_said_so_without_the_password(url, capfd):
    group = settings.Database(url=settings.SecretUrl(url))
    with pytest.raises(errors.InvalidSettings) as caught:
        await pool.Database.open(group, application_name="tests")
    with pytest.raises(errors.InvalidSettings), pool.connect_once(group.url):
        pass
    assert "CAKEGATE_DATABASE_URL" in str(caught.value)
    assert "hun" not in f"{caught.value}{caught.value.__cause__}{capfd.readouterr()}"


async def test_a_connection_that_ended_while_it_was_idle_is_given_to_nobody(database_url):
    group = settings.Database(url=settings.SecretUrl(database_url), pool_min=1, pool_max=1)
    db = await pool.Database.open(group, application_name="tests")
    try:
        (before,) = await db.fetch("SELECT pg_backend_pid() AS pid")
        with psycopg.connect(database_url, autocommit=True) as other:
            # Waits until it is gone.
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [before["pid"]])

        (after,) = await db.fetch("SELECT pg_backend_pid() AS pid")

        assert before["pid"] != after["pid"]
    finally:
        await db.close()


@pytest.fixture
async def frozen(tmp_path_factory):
    """A pool on a Postgres of its own whose processes are stopped, as on a node that lost its disk."""
    folder = tmp_path_factory.mktemp("frozen")
    for parent in (folder, folder.parent):
        parent.chmod(0o755)
    server = servers.postgres(folder / "postgres", port=servers.free_port(), durable=False)
    with servers.running(server, log=folder / "log"):
        group = settings.Database(
            url=settings.SecretUrl(server.url),
            pool_min=1,
            pool_max=2,
            pool_wait_seconds=0.5,
            statement_timeout_seconds=0.5,
        )
        db = await pool.Database.open(group, application_name="tests")
        await db.ping()
        port = server.url.rpartition(":")[2].partition("/")[0]
        main = next(p for p in psutil.process_iter(["cmdline"]) if port in (p.info["cmdline"] or []))
        family = [main.pid, *(child.pid for child in main.children())]
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        yield db
        for pid in family:
            os.kill(pid, signal.SIGCONT)
        await db.close()


async def test_a_database_that_is_frozen_costs_no_request_more_than_the_limit(frozen):
    started = time.monotonic()
    asked = [frozen.fetch("SELECT 1"), frozen.execute("SELECT 1"), frozen.ping()]
    results = await asyncio.gather(*asked, return_exceptions=True)

    assert {errors.DatabaseUnavailable} == {type(result) for result in results}
    assert time.monotonic() - started < 3


async def test_a_probe_of_a_frozen_database_answers_in_time(frozen, monkeypatch):
    monkeypatch.setattr(probes, "_CHECK_SECONDS", 0.2)

    async def version():
        return contract.SCHEMA_VERSION

    readiness = probes.Readiness(schema=version, checks={"postgres": frozen.ping})
    readiness.ready()

    started = time.monotonic()
    ready, report = await readiness.report()

    assert ready
    assert report["dependencies"]["postgres"].startswith("down")
    assert time.monotonic() - started < 1
