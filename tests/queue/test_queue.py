"""The queue with its doorbell, against a real Valkey."""

import asyncio
import inspect
import socket
import time
import uuid

import dramatiq
import pytest
from dramatiq import errors as dramatiq_errors
from dramatiq import worker as dramatiq_worker
from dramatiq.brokers import redis as dramatiq_redis

from cakegate import settings
from cakegate.adapters import queue
from cakegate.adapters.queue import slots
from cakegate.domain import errors


def message(**more):
    return queue.Message(submission_id=uuid.uuid4(), request_id="r", traceparent=None, reply_to=None, **more)


async def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


def test_what_we_override_of_dramatiq_is_still_there():
    consumer = dramatiq_redis._RedisConsumer

    assert ["self", "broker", "queue_name", "prefetch", "timeout"] == [*inspect.signature(consumer).parameters] or [
        "broker",
        "queue_name",
        "prefetch",
        "timeout",
    ] == [*inspect.signature(consumer).parameters]
    assert {"__next__", "ack", "nack", "requeue"} <= set(vars(consumer))
    assert {"message_cache", "queued_message_ids"} <= set(consumer.__init__.__code__.co_names)
    assert {"workers", "consumers", "work_queue"} <= set(dramatiq.Worker.__init__.__code__.co_names)
    assert callable(dramatiq_worker.ConsumerThread.requeue_messages)
    script = dramatiq_redis._scripts["dispatch"].decode()
    assert 'namespace .. ":__acks__." .. worker_id' in script
    assert 'acks .. "." .. queue_name' in script
    # What our `put` does in its place.
    assert 'redis.call("hset", queue_messages, message_id, message_data)' in script
    assert 'redis.call("rpush", queue_full_name, message_id)' in script


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


async def test_a_process_of_two_queues_holds_no_more_than_its_threads_and_keeps_half_from_bulk(work, consumers):
    consumers.held.clear()
    consumers.start(threads=2, queues=("judge", "bulk"))
    sent = [message() for _ in range(6)]
    for each in sent[:3]:
        await work.send("bulk", each)
    assert await asyncio.to_thread(consumers.started.acquire, timeout=5)
    for each in sent[3:]:
        await work.send("judge", each)
    assert await asyncio.to_thread(consumers.started.acquire, timeout=5)

    depths = await work.depths()
    assert (2, 2) == (depths["bulk"].waiting, depths["judge"].waiting)

    consumers.held.set()
    await until(lambda: len(consumers.seen) == 6)
    assert {each.submission_id for each in sent} == set(consumers.seen)


async def test_a_worker_that_stops_takes_nothing_more_while_it_finishes(work, consumers):
    consumers.held.clear()
    worker, broker = consumers.start(threads=1)
    await work.send("judge", message())
    assert await asyncio.to_thread(consumers.started.acquire, timeout=5)
    stopping = asyncio.create_task(asyncio.to_thread(queue.stop_worker, worker, broker, seconds=10))
    await until(lambda: broker.slots.free("judge") == 0)

    consumers.start(threads=1)
    await work.send("judge", message())
    assert await asyncio.to_thread(consumers.started.acquire, timeout=5)

    assert not stopping.done()
    consumers.held.set()
    await stopping
    await until(lambda: len(consumers.seen) == 2)


async def test_what_a_stopping_worker_has_not_begun_goes_back(work, consumers):
    consumers.held.clear()
    worker, broker = consumers.start(threads=1)
    await work.send("judge", message())
    assert await asyncio.to_thread(consumers.started.acquire, timeout=5)
    # As if a thread had been about to take it: the only thread is busy.
    waiting = message()
    await work.send("judge", waiting)
    broker.slots._threads = 2
    broker.slots.empty("judge", [])
    await until(lambda: worker.work_queue.qsize() == 1)

    stopping = asyncio.create_task(asyncio.to_thread(queue.stop_worker, worker, broker, seconds=10))
    await until(lambda: worker.work_queue.qsize() == 0)

    await until_depth(work, "judge", waiting=1)
    consumers.held.set()
    await stopping
    consumers.start(threads=1)
    await until(lambda: waiting.submission_id in consumers.seen)


async def until_depth(work, name, *, waiting):
    deadline = time.monotonic() + 5
    while (await work.depths())[name].waiting != waiting:
        assert time.monotonic() < deadline, "waited in vain"


async def test_a_fetch_whose_answer_was_lost_strands_nothing(work, by_line, line):
    broker = queue.worker_broker(by_line)
    broker.slots = slots.Slots(threads=2, queues=["judge"])
    consumer = broker.consume("judge", prefetch=2)
    first, second = message(), message()
    await work.send("judge", first)
    consumer.ack(next(consumer))
    await work.send("judge", second)

    line.answers.clear()
    with pytest.raises(dramatiq_errors.ConnectionClosed):
        next(consumer)
    depth = (await work.depths())["judge"]
    assert (0, 1) == (depth.waiting, depth.total)

    line.answers.set()
    consumer.close()
    found = next(broker.consume("judge", prefetch=2))
    assert str(second.submission_id) == found.kwargs["submission_id"]
    broker.client.close()


async def test_an_acknowledgement_whose_answer_was_lost_is_tried_again(work, by_line, line):
    broker = queue.worker_broker(by_line)
    broker.slots = slots.Slots(threads=2, queues=["judge"])
    consumer = broker.consume("judge", prefetch=2)
    await work.send("judge", message())
    taken = next(consumer)

    line.answers.clear()
    with pytest.raises(dramatiq_errors.ConnectionClosed):
        consumer.ack(taken)
    assert 1 == len(broker.slots.held("judge"))

    line.answers.set()
    consumer.ack(taken)
    assert 0 == len(broker.slots.held("judge"))
    assert 0 == (await work.depths())["judge"].total
    broker.client.close()


async def test_a_line_that_is_cut_costs_no_consumer_and_no_message(monkeypatch, work, consumers, by_line, line):
    monkeypatch.setattr(dramatiq_worker, "CONSUMER_RESTART_DELAY_SECS", 0.05)
    consumers.start(threads=1, group=by_line)
    sent = [message() for _ in range(4)]
    for each in sent:
        await work.send("judge", each)
        await until(lambda each=each: each.submission_id in consumers.seen)
        line.cut()

    assert {each.submission_id for each in sent} == set(consumers.seen)


async def test_a_worker_stops_also_when_redis_is_away(monkeypatch, consumers, by_line, line):
    monkeypatch.setattr(dramatiq_worker, "CONSUMER_RESTART_DELAY_SECS", 0.05)
    worker, broker = consumers.start(threads=1, group=by_line)
    await until(lambda: "judge" in worker.consumers and worker.consumers["judge"].consumer is not None)
    line.close()

    await asyncio.to_thread(queue.stop_worker, worker, broker, seconds=1)

    assert not any(thread.is_alive() for thread in [*worker.workers, *worker.consumers.values()])


async def test_rings_that_are_for_nothing_are_dropped_and_later_ones_heard(work, consumers):
    client = work._broker.client
    client.rpush("cakegate:bell:judge", *[b"1"] * 60)

    consumers.start()

    await until(lambda: client.llen("cakegate:bell:judge") == 0)
    known = message()
    await work.send("judge", known)
    await until(lambda: known.submission_id in consumers.seen)


async def test_the_age_of_what_waits_is_known(work):
    await work.send("judge", message(sent_at=time.time() - 100))
    await work.send("judge", message())

    depths = await work.depths()
    assert 100 <= depths["judge"].oldest_seconds < 110
    assert 0 == depths["create"].oldest_seconds


async def test_what_is_no_message_of_ours_stops_nobody(work, consumers):
    client = work._broker.client
    client.hset("dramatiq:judge.msgs", "odd", b"\xff{")
    client.rpush("dramatiq:judge", "odd", "lost")
    consumers.start()
    known = message()

    await work.send("judge", known)

    await until(lambda: known.submission_id in consumers.seen)
    assert 0 == (await work.depths())["judge"].waiting


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
