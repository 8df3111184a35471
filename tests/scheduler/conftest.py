"""What the scheduler's tests work with: a database of their own and a queue."""

import pytest

from cakegate import settings
from cakegate.adapters import queue
from cakegate.adapters.store import pool


@pytest.fixture
async def db(database_url):
    group = settings.Database(url=settings.SecretUrl(database_url), pool_min=1, pool_max=4)
    opened = await pool.Database.open(group, application_name="tests")
    yield opened
    await opened.close()


@pytest.fixture
def work(redis_url):
    opened = queue.Queue(settings.Redis(url=settings.SecretUrl(redis_url), enqueue_timeout_seconds=2))
    yield opened
    opened.close()
