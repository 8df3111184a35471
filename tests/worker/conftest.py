"""A worker's own wiring over real Postgres, Valkey, sample API and starter pack, without Dramatiq's threads."""

import asyncio
import io
import uuid

import pytest

from cakegate import drawings, settings
from cakegate.adapters import queue
from cakegate.adapters.store import submissions
from cakegate.domain import cakes
from cakegate.domain.submissions import SubmissionId
from cakegate.worker import create, judge, render, wiring


@pytest.fixture(scope="session")
def cake_jpeg() -> bytes:
    return _jpeg(drawings.draw_cake(drawings.DEMO_SEEDS[0]))


@pytest.fixture(scope="session")
def other_jpeg() -> bytes:
    return _jpeg(drawings.draw_other(drawings.DEMO_SEEDS[1]))


def _jpeg(image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


@pytest.fixture
def config(database_url, redis_url, sample_api):
    return settings.Settings(
        database=settings.Database(url=settings.SecretUrl(database_url), pool_min=1, pool_max=4),
        redis=settings.Redis(url=settings.SecretUrl(redis_url), enqueue_timeout_seconds=2),
        upstream=settings.Upstream(url=sample_api.url, timeout_seconds=2, write_timeout_seconds=1),
        fetch=settings.Fetch(allow=(sample_api.url.removeprefix("http://"),), total_seconds=5),
        worker=settings.Worker(threads=1),
    )


@pytest.fixture
async def context(config):
    async with wiring.opened(config, ["judge", "bulk", "create"], stopping=asyncio.Event()) as opened:
        yield opened


class Bakery:
    """Submits, and runs flows by hand, one at a time."""

    def __init__(self, context, sample_api) -> None:
        self.context = context
        self.sample = sample_api

    async def submit(self, picture: bytes | None = None, *, name: str = "picture.jpg", image_url: str | None = None):
        if picture is not None:
            (self.sample.pictures / name).write_bytes(picture)
        draft = cakes.CakeDraft(
            name="Lemon cheesecake",
            comment="Made of lemon",
            image_url=image_url or f"{self.sample.url}/pictures/{name}",
            yum_factor=3,
        )
        new = submissions.NewSubmission(id=SubmissionId(uuid.uuid4()), draft=draft)
        return (await submissions.insert(self.context.db, new)).submission

    def message(self, row, reply_to=None):
        return queue.Message(submission_id=row.id, request_id="r", traceparent=None, reply_to=reply_to)

    async def judge(self, row, reply_to=None):
        await judge.judge(self.context, self.message(row, reply_to))
        return await self.get(row)

    async def create(self, row, reply_to=None):
        await create.create(self.context, self.message(row, reply_to))
        return await self.get(row)

    async def render(self, row):
        await render.render(self.context, self.message(row))
        return await self.get(row)

    async def get(self, row):
        return await submissions.get(self.context.db, row.id)

    async def due_now(self, row):
        await self.context.db.execute(f"UPDATE submissions SET next_attempt_at = now() WHERE id = '{row.id}'")

    def listed(self):
        return self.sample.cakes.page(skip=0, limit=100)


@pytest.fixture
def bakery(context, sample_api):
    return Bakery(context, sample_api)
