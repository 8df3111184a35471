"""The sweeper: what Redis or a dead process dropped is brought back, and nothing else is touched."""

import uuid

import pytest
import redis

from cakegate import settings
from cakegate.adapters import metrics, queue
from cakegate.adapters.store import judging, submissions
from cakegate.domain import cakes
from cakegate.domain.submissions import State, SubmissionId
from cakegate.scheduler import sweep

GROUP = settings.Scheduler(requeue_base_seconds=3600, batch=3)


@pytest.fixture
def client(redis_url):
    opened = redis.Redis.from_url(redis_url)
    yield opened
    opened.close()


async def pending(db):
    draft = cakes.CakeDraft(name="Lemon", comment="Lemon", image_url="http://p.example/l.jpg", yum_factor=3)
    return (
        await submissions.insert(db, submissions.NewSubmission(id=SubmissionId(uuid.uuid4()), draft=draft))
    ).submission


async def waiting(work, name="judge"):
    return (await work.depths())[name].waiting


async def test_a_redis_that_knows_us_is_given_nothing_twice(db, work):
    await work.set_epoch("known")
    await pending(db)

    await sweep.Sweeper(GROUP, db, work).round()

    assert 0 == await waiting(work)


async def test_a_redis_that_lost_everything_gets_everything_back_and_only_once(db, work, client):
    for _ in range(7):
        await pending(db)
    sweeper = sweep.Sweeper(settings.Scheduler(requeue_base_seconds=3600, batch=100), db, work)
    await work.set_epoch("known")
    client.flushall()

    await sweeper.round()
    await sweeper.round()

    assert 7 == await waiting(work)
    assert await work.epoch() is not None


async def test_a_backlog_is_brought_back_batch_by_batch(db, work):
    for _ in range(7):
        await pending(db)
    sweeper = sweep.Sweeper(GROUP, db, work)
    depths = []
    for _ in range(4):
        await sweeper.round()
        depths.append(await waiting(work))

    assert [3, 6, 7, 7] == depths


async def test_a_dead_workers_submission_is_on_the_queue_again_after_one_round(db, work):
    await work.set_epoch("known")
    row = await pending(db)
    await judging.claim(db, row.id, lease_seconds=0, holder="dead")

    await sweep.Sweeper(GROUP, db, work).round()

    assert State.PENDING == (await submissions.get(db, row.id)).state
    assert 1 == await waiting(work)


async def test_while_redis_is_away_rows_stay_due(db, free_tcp_port, work):
    row = await pending(db)
    await submissions.not_enqueued(db, [row.id])
    away = queue.Queue(settings.Redis(url=settings.SecretUrl(f"redis://127.0.0.1:{free_tcp_port}")))

    await sweep.Sweeper(GROUP, db, away).round()
    assert 0 == await waiting(work)
    await work.set_epoch("known")
    await sweep.Sweeper(GROUP, db, work).round()

    assert 1 == await waiting(work)
    away.close()


async def test_the_databases_size_is_measured(db, work):
    await sweep.Sweeper(GROUP, db, work).round()

    (row,) = await db.fetch("SELECT pg_database_size(current_database()) AS bytes")
    (family,) = metrics.DATABASE_BYTES.collect()
    assert row["bytes"] == pytest.approx(family.samples[0].value, rel=0.1)
