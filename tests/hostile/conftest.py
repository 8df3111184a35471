"""A worker's own wiring, a host of pictures that it may fetch from, and submissions that name them."""

import asyncio
import io
import uuid

import pytest
from picture_hosts import hosted

from cakegate import drawings, settings
from cakegate.adapters import queue
from cakegate.adapters.store import submissions
from cakegate.domain import cakes
from cakegate.domain.submissions import SubmissionId
from cakegate.worker import judge, wiring


@pytest.fixture(scope="session")
def small_cake() -> bytes:
    """A cake that costs a worker little."""
    buffer = io.BytesIO()
    drawings.draw_cake(drawings.DEMO_SEEDS[0]).resize((160, 120)).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


@pytest.fixture
async def host():
    async with hosted() as running:
        yield running


@pytest.fixture
def config(database_url, redis_url, host):
    return settings.Settings(
        database=settings.Database(url=settings.SecretUrl(database_url), pool_min=1, pool_max=4),
        redis=settings.Redis(url=settings.SecretUrl(redis_url), enqueue_timeout_seconds=2),
        fetch=settings.Fetch(allow=(f"127.0.0.1:{host.port}",), total_seconds=5),
        pictures=settings.Pictures(decode_seconds=2.0),
        worker=settings.Worker(threads=1),
    )


@pytest.fixture
async def context(config):
    async with wiring.opened(config, ["judge"], stopping=asyncio.Event()) as opened:
        yield opened


class Judged:
    """Submits addresses and runs the flow of judging by hand, one at a time."""

    def __init__(self, context) -> None:
        self.context = context

    async def submit(self, url):
        draft = cakes.CakeDraft(name="Lemon cheesecake", comment="Made of lemon", image_url=url, yum_factor=3)
        new = submissions.NewSubmission(id=SubmissionId(uuid.uuid4()), draft=draft)
        return (await submissions.insert(self.context.db, new)).submission

    async def again(self, row):
        """Judge it now, whatever its pause says."""
        await self.context.db.execute(f"UPDATE submissions SET next_attempt_at = now() WHERE id = '{row.id}'")
        await judge.judge(
            self.context, queue.Message(submission_id=row.id, request_id=None, traceparent=None, reply_to=None)
        )
        return await submissions.get(self.context.db, row.id)

    async def of(self, url):
        return await self.again(await self.submit(url))


@pytest.fixture
def judged(context):
    return Judged(context)
