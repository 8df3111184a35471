"""The queue with its doorbell, against a real Valkey."""

import asyncio
import socket
import time
import uuid

import pytest
from dramatiq.brokers import redis as dramatiq_redis

from cakegate import settings
from cakegate.adapters import queue
from cakegate.domain import errors


def message():
    return queue.Message(submission_id=uuid.uuid4(), request_id="r", traceparent=None, reply_to=None)


async def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


def test_what_we_override_of_dramatiq_is_still_there():
    private = vars(dramatiq_redis._RedisConsumer)

    assert {"__next__", "ack", "nack", "outstanding_message_count"} <= set(private)


async def test_messages_arrive_whole(work, consumers):
    consumers.start()
    sent = [message() for _ in range(20)]

    for each in sent:
        await work.send("judge", each)
    await until(lambda: len(consumers.seen) == 20)

    assert {each.submission_id for each in sent} == set(consumers.seen)


async def test_an_idle_consumer_is_woken_by_the_bell_not_by_its_clock(work, consumers):
    consumers.start()
    waits = []
    for _ in range(9):
        await asyncio.sleep(0.15)  # long enough that stock Dramatiq would be asleep
        count = len(consumers.seen)
        started = time.perf_counter()
        await work.send("judge", message())
        await until(lambda count=count: len(consumers.seen) > count)
        waits.append(time.perf_counter() - started)

    assert sorted(waits)[4] < 0.15


async def test_a_backlog_drains_over_two_workers_that_were_asleep(work, consumers):
    consumers.start(threads=2)
    consumers.start(threads=2)
    sent = [message() for _ in range(200)]

    await work.send_many("judge", sent)
    await until(lambda: len(consumers.seen) == 200)

    assert {each.submission_id for each in sent} == set(consumers.seen)
    assert {"judge": 0, "create": 0, "bulk": 0} == {
        name: depth.waiting for name, depth in (await work.depths()).items()
    }


async def test_a_full_worker_holds_no_more_than_its_threads_and_takes_no_ring_from_others(work, consumers):
    consumers.held.clear()
    consumers.start(threads=2)
    for _ in range(2):
        await work.send("judge", message())
    for _ in range(2):
        assert await asyncio.to_thread(consumers.started.acquire, timeout=5)

    await work.send("judge", message())
    depth = (await work.depths())["judge"]
    assert (1, 3) == (depth.waiting, depth.total)

    consumers.start(threads=1)
    assert await asyncio.to_thread(consumers.started.acquire, timeout=5)
    assert 0 == (await work.depths())["judge"].waiting


async def test_what_a_stopped_worker_held_in_memory_goes_back(work, consumers):
    consumers.held.clear()
    worker = consumers.start(threads=1)
    for _ in range(3):
        await work.send("judge", message())
    assert await asyncio.to_thread(consumers.started.acquire, timeout=5)
    stopping = asyncio.to_thread(worker.stop, 10_000)
    consumers.held.set()
    await stopping

    consumers.start(threads=1)
    await until(lambda: len(consumers.seen) == 3)


def test_a_delay_is_refused(group):
    broker = queue.worker_broker(group)

    with pytest.raises(ValueError, match="not delayed"):
        broker.enqueue(None, delay=1000)


async def test_the_epoch_is_gone_with_redis_data(work):
    assert await work.epoch() is None
    await work.set_epoch("abc")
    assert "abc" == await work.epoch()

    work._broker.client.flushall()

    assert await work.epoch() is None


async def test_a_redis_that_is_away_is_said_so_at_once():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{closed.getsockname()[1]}"
        away = queue.Queue(settings.Redis(url=settings.SecretUrl(url)))

        with pytest.raises(errors.QueueUnavailable):
            await away.send("judge", message())
        away.close()


async def test_a_redis_that_hangs_costs_the_loop_no_more_than_the_timeout():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        hung = queue.Queue(settings.Redis(url=settings.SecretUrl(url), enqueue_timeout_seconds=0.2))

        started = time.perf_counter()
        results = await asyncio.gather(*(hung.send("judge", message()) for _ in range(30)), return_exceptions=True)

        assert {errors.QueueUnavailable} == {type(result) for result in results}
        assert time.perf_counter() - started < 2
        hung.close()
