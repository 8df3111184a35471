"""News from workers to the gateway process that waits."""

import asyncio
import contextlib
import uuid

import pytest

from cakegate import settings
from cakegate.adapters import mailbox


@pytest.fixture
async def postman(group):
    opened = mailbox.Postman(group)
    yield opened
    await opened.close()


@contextlib.asynccontextmanager
async def reading(group):
    box, news = mailbox.Mailbox(group), asyncio.Queue()
    reader = asyncio.create_task(box.run(news.put_nowait))
    try:
        yield box, news
    finally:
        await box.close()
        await asyncio.wait_for(reader, 5)


async def test_news_reach_the_process_they_are_addressed_to_and_no_other(group, postman):
    async with reading(group) as (first, first_news), reading(group) as (second, second_news):
        one, two = uuid.uuid4(), uuid.uuid4()

        assert await postman.post(first.address, one)
        assert await postman.post(second.address, two)

        assert (one, two) == (await first_news.get(), await second_news.get())
        assert first_news.empty()
        assert second_news.empty()


async def test_a_letter_that_cannot_be_read_stops_nobody(group, postman):
    async with reading(group) as (box, news):
        await postman._client.rpush(box.address, b"\xff not an id")
        known = uuid.uuid4()
        await postman.post(box.address, known)

        assert known == await news.get()


async def test_without_an_address_nobody_is_told(postman):
    assert not await postman.post(None, uuid.uuid4())
    assert not await postman.post("dramatiq:judge", uuid.uuid4())


async def test_mail_that_nobody_fetches_does_not_stay(group, postman):
    box = mailbox.Mailbox(group)
    await postman.post(box.address, uuid.uuid4())

    assert 0 < await postman._client.ttl(box.address) <= 60
    await box.close()


async def test_a_redis_that_is_away_is_no_error_for_the_postman(free_tcp_port):
    away = mailbox.Postman(settings.Redis(url=settings.SecretUrl(f"redis://127.0.0.1:{free_tcp_port}")))

    assert not await away.post("cakegate:mail:x", uuid.uuid4())
    await away.close()


async def test_the_reader_outlives_a_line_that_is_cut(group, by_line, line, postman):
    async with reading(by_line) as (box, news):
        first, second = uuid.uuid4(), uuid.uuid4()
        await postman.post(box.address, first)
        assert first == await news.get()

        line.cut()
        await postman.post(box.address, second)

        assert second == await asyncio.wait_for(news.get(), 5)


async def test_the_reader_ends_at_once_also_while_redis_is_away(free_tcp_port):
    box = mailbox.Mailbox(settings.Redis(url=settings.SecretUrl(f"redis://127.0.0.1:{free_tcp_port}")))
    reader = asyncio.create_task(box.run(lambda _: None))
    await asyncio.sleep(0.5)  # by now it pauses between two tries

    await box.close()

    await asyncio.wait_for(reader, 0.15)


async def test_a_postman_does_not_wait_for_a_redis_that_hangs(by_line, line):
    slow = mailbox.Postman(by_line)
    assert await slow.post("cakegate:mail:x", uuid.uuid4())
    line.answers.clear()

    started = asyncio.get_running_loop().time()
    assert not await slow.post("cakegate:mail:x", uuid.uuid4())

    assert asyncio.get_running_loop().time() - started < 2
    await slow.close()
