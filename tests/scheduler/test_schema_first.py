"""A scheduler that starts before the migration waits for it; it does not fall over its missing tables."""

import asyncio

import psycopg
import pytest

from cakegate import settings
from cakegate.adapters.store import migrations, pool
from cakegate.scheduler import app

GROUP = settings.Scheduler(sweep_seconds=0.02)


@pytest.fixture
async def bare(postgres_url):
    """A database without any table of ours: its address and a pool."""
    url = f"{postgres_url.rpartition('/')[0]}/bare"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE bare")
    db = await pool.Database.open(settings.Database(url=settings.SecretUrl(url)), application_name="tests")
    yield url, db
    await db.close()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE bare WITH (FORCE)")


async def test_nothing_is_done_before_the_schema_is_there(bare):
    url, db = bare
    waiting = asyncio.create_task(app._await_schema(GROUP, db, asyncio.Event()))
    await asyncio.wait({waiting}, timeout=0.2)
    assert not waiting.done()

    await asyncio.to_thread(migrations.upgrade, settings.SecretUrl(url))

    await asyncio.wait_for(waiting, 5)


async def test_a_scheduler_that_is_told_to_stop_waits_no_longer(bare):
    _, db = bare
    stopping = asyncio.Event()
    waiting = asyncio.create_task(app._await_schema(GROUP, db, stopping))

    stopping.set()

    await asyncio.wait_for(waiting, 5)
