"""The worker whole: messages in, flows on the loop, and its end."""

import asyncio
import time
import uuid

import dramatiq
import msgspec
import pytest
from prometheus_client import REGISTRY

from cakegate.adapters import mailbox, queue
from cakegate.domain.submissions import State
from cakegate.local.sample import Faults
from cakegate.worker import app, wiring

ALL = ["judge", "bulk", "create"]


@pytest.fixture
async def crew(context):
    opened = app.Crew(context, ALL)
    opened.start()
    yield opened
    await opened.stop(seconds=5)


@pytest.fixture
async def news(config):
    """A mailbox as a gateway has one: its address, and what came."""
    box, came = mailbox.Mailbox(config.redis), asyncio.Queue()
    reader = asyncio.create_task(box.run(came.put_nowait))
    yield box.address, came
    await box.close()
    await reader


class StalledHost:
    """Takes a request for a picture and says nothing until it is let go; then it hangs up."""

    def __init__(self) -> None:
        self.url = ""
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()

    async def answer(self, reader, writer):
        self.asked.set()
        await self.let_go.wait()
        writer.close()


@pytest.fixture
async def stalled():
    host = StalledHost()
    server = await asyncio.start_server(host.answer, "127.0.0.1", 0)
    host.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/cake.jpg"
    yield host
    host.let_go.set()
    server.close()


@pytest.fixture
async def judges(config, stalled):
    """A crew that only judges, and may fetch from the stalled host."""
    allowed = (*config.fetch.allow, stalled.url.removeprefix("http://").partition("/")[0])
    changed = msgspec.structs.replace(config, fetch=msgspec.structs.replace(config.fetch, allow=allowed))
    async with wiring.opened(changed, ["judge"], stopping=asyncio.Event()) as context:
        opened = app.Crew(context, ["judge"])
        opened.start()
        yield opened
        await opened.stop(seconds=2.2)


async def until(condition, seconds=10.0):
    """Asks again and again; what the condition gave when it was true."""
    deadline = time.monotonic() + seconds
    while not (found := await condition()):
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)
    return found


async def in_state(bakery, row, state):
    async def reached():
        found = await bakery.get(row)
        return found if found.state is state else None

    return await until(reached)


async def send(bakery, name, row, reply_to=None):
    await bakery.context.work.send(name, bakery.message(row, reply_to))


async def test_a_submission_goes_the_whole_way_and_whoever_waits_is_told(bakery, crew, cake_jpeg, news):
    address, came = news
    row = await bakery.submit(cake_jpeg)

    await send(bakery, "judge", row, reply_to=address)
    told = await asyncio.wait_for(came.get(), 10)

    found = await bakery.get(row)
    assert (row.id, State.CREATED) == (told, found.state)
    assert {"queue-judge", "fetch", "decode", "infer", "queue-create", "create"} <= set(found.timings)
    assert all(milliseconds >= 0 for milliseconds in found.timings.values())
    assert 1 == len(bakery.listed())


async def test_whoever_waits_is_told_of_a_rejection_too(bakery, crew, other_jpeg, news):
    address, came = news
    row = await bakery.submit(other_jpeg)

    await send(bakery, "judge", row, reply_to=address)

    assert row.id == await asyncio.wait_for(came.get(), 10)
    assert State.REJECTED == (await bakery.get(row)).state


async def test_a_message_that_makes_no_sense_is_done_and_stops_nobody(bakery, crew, other_jpeg):
    work = bakery.context.work
    await work.send(
        "judge", queue.Message(submission_id=uuid.uuid4(), request_id=None, traceparent=None, reply_to=None)
    )
    odd = dramatiq.Message(queue_name="judge", actor_name="judge", args=(), kwargs={"submission_id": "?"}, options={})
    await asyncio.to_thread(work._broker.enqueue, odd)
    row = await bakery.submit(other_jpeg)

    await send(bakery, "judge", row)

    await in_state(bakery, row, State.REJECTED)

    async def drained():
        return (await work.depths())["judge"].total == 0

    await until(drained)


async def test_a_worker_that_has_to_end_gives_back_the_picture_that_hangs(bakery, judges, stalled):
    row = await bakery.submit(image_url=stalled.url)
    await send(bakery, "judge", row)
    await asyncio.wait_for(stalled.asked.wait(), 5)

    await judges.stop(seconds=2.2)

    found = await bakery.get(row)
    assert (State.PENDING, None, 0) == (found.state, found.lease_token, found.fetch_attempts)


async def test_a_lease_that_was_lost_is_counted_and_nothing_is_written(bakery, judges, stalled):
    def lost():
        return REGISTRY.get_sample_value("cakegate_leases_lost_total", {"stage": "judge"}) or 0.0

    before = lost()
    row = await bakery.submit(image_url=stalled.url)
    await send(bakery, "judge", row)
    await asyncio.wait_for(stalled.asked.wait(), 5)
    await bakery.context.db.execute("UPDATE submissions SET lease_token = gen_random_uuid(), lease_holder = 'another'")

    stalled.let_go.set()

    async def counted():
        return lost() > before

    await until(counted)
    found = await bakery.get(row)
    assert (State.JUDGING, 0) == (found.state, found.fetch_attempts)


async def test_after_sigterm_a_create_under_way_is_finished_and_no_other_begun(bakery, crew, cake_jpeg, sample_api):
    sample_api.faults = Faults(latency_seconds=0.5)
    first, second = await bakery.submit(cake_jpeg), await bakery.submit(cake_jpeg)
    await send(bakery, "judge", first)
    await in_state(bakery, first, State.CREATING)
    await bakery.judge(second)

    bakery.context.stopping.set()
    await crew.stop(seconds=10)

    assert State.CREATED == (await bakery.get(first)).state
    assert State.ACCEPTED == (await bakery.get(second)).state
    assert 1 == len(bakery.listed())
