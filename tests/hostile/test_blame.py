"""Who is to blame: a child's death with the picture counts towards quarantine, and nothing else does."""

import asyncio
import os
import signal
from pathlib import Path

import made_pictures
import msgspec
import pytest
from PIL import Image
from prometheus_client import REGISTRY

from cakegate import drawings, settings
from cakegate.adapters import queue
from cakegate.adapters.pixels import pool
from cakegate.adapters.store import judging, submissions, sweeping
from cakegate.domain.submissions import Reason, State
from cakegate.worker import app

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="sees a child at work by its memory, as Linux shows it"
)


@pytest.fixture(scope="session")
def large():
    """49 million pixels in few bytes: a child works at it for half a second."""
    return made_pictures.encoded(Image.new("RGB", (7000, 7000)), "PNG", compress_level=1)


@pytest.fixture
async def with_children(judged):
    """Exchange the flow's children for others."""
    pools = []

    async def exchange(**pictures):
        seen = judged.context.judges.detector.model_input
        children = pool.PixelPool(settings.Pictures(**pictures), model_inputs=[seen], size=1)
        await children.start()
        pools.append(children)
        judges = msgspec.structs.replace(judged.context.judges, pixels=children)
        judged.context = msgspec.structs.replace(judged.context, judges=judges)

    yield exchange
    for each in pools:
        await each.close()


async def pid_of(judged):
    return (await judged.context.judges.pixels._children[0].start()).pid


def resident_pages(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1])


async def at_work(pid, work):
    """Until the child decodes, which its memory shows."""
    before = resident_pages(pid)
    while resident_pages(pid) < before + 5_000:
        assert not work.done(), "it was quicker than we"
        await asyncio.sleep(0.002)


def blamed(row):
    return row.state, row.decoder_deaths, row.fetch_attempts


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
async def test_a_child_that_dies_of_a_picture_counts(judged, host, large, number):
    judging_it = asyncio.create_task(judged.of(host.answer("/large.png", large)))
    pid = await pid_of(judged)
    await at_work(pid, judging_it)
    os.kill(pid, number)

    assert (State.PENDING, 1, 0) == blamed(await judging_it)


async def test_a_child_that_takes_too_long_is_killed_and_counts_and_the_third_time_is_the_last(
    judged, host, large, with_children, small_cake
):
    await with_children(decode_seconds=0.2)
    row = await judged.of(host.answer("/large.png", large))
    counted = [blamed(row)]
    for _ in range(2):
        row = await judged.again(row)
        counted.append(blamed(row))

    assert [(State.PENDING, 1, 0), (State.PENDING, 2, 0)] == counted[:2]
    assert (State.FAILED, Reason.POISON) == (row.state, row.reason)
    after = await judged.of(host.answer("/good.jpg", small_cake))
    assert after.verdict is not None


async def test_a_child_that_needs_too_much_memory_lives_and_the_picture_is_too_large(
    judged, host, large, with_children
):
    await with_children(child_memory_bytes=128 * settings.MIB)
    pid = await pid_of(judged)

    row = await judged.of(host.answer("/large.png", large))

    assert (State.REJECTED, Reason.IMAGE_TOO_LARGE, 0) == (row.state, row.reason, row.decoder_deaths)
    assert pid == await pid_of(judged)


async def test_a_child_that_died_before_it_had_the_picture_counts_against_nobody(judged, host, small_cake):
    os.kill(await pid_of(judged), signal.SIGKILL)

    row = await judged.of(host.answer("/good.jpg", small_cake))

    assert row.verdict is not None
    assert 0 == row.decoder_deaths


async def test_a_worker_that_stops_counts_against_nobody(judged, host):
    asked = asyncio.Event()

    async def slow(writer):
        asked.set()
        await asyncio.sleep(30)

    host.answers["/slow"] = slow
    row = await judged.submit(f"{host.url}/slow")
    working = asyncio.create_task(judged.again(row))
    await asked.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert (State.PENDING, 0, 0) == blamed(await submissions.get(judged.context.db, row.id))


async def waits_seconds(db, row):
    """How long from now on until it is due; 0 where it is due."""
    found = await db.fetch_one(
        "SELECT extract(epoch FROM next_attempt_at - updated_at)::float8 AS wait FROM submissions WHERE id = %(id)s",
        {"id": row.id},
    )
    return found["wait"] or 0.0


async def test_a_fault_of_ours_counts_against_nobody_and_is_tried_again_ever_more_rarely(
    judged, host, small_cake, nobody_infers
):
    row = await judged.submit(host.answer("/good.jpg", small_cake))
    waits = []
    for _ in range(4):
        with pytest.raises(RuntimeError, match="shutdown"):
            await judged.again(row)
        found = await submissions.get(judged.context.db, row.id)
        assert (State.PENDING, 0, 0) == blamed(found)
        assert "RuntimeError" in found.detail
        waits.append(await waits_seconds(judged.context.db, row))

    assert [1, 2, 4, 8] == pytest.approx(waits, abs=0.1)


@pytest.fixture
async def nobody_infers(judged):
    """The flow as it is when something of ours breaks in its middle: nobody is there to infer."""
    judged.context.judges.inference.shutdown()


async def test_a_fault_of_ours_is_counted_and_its_message_done(judged, host, small_cake, nobody_infers):
    def failed():
        return REGISTRY.get_sample_value("cakegate_flows_failed_total", {"queue": "judge"}) or 0

    before, row = failed(), await judged.submit(host.answer("/good.jpg", small_cake))
    crew = app.Crew(judged.context, ["judge"])
    crew.start()
    message = queue.Message(submission_id=row.id, request_id=None, traceparent=None, reply_to=None)
    await judged.context.work.send("judge", message)
    async with asyncio.timeout(10):
        while failed() == before or (await judged.context.work.depths())["judge"].total:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await crew.stop(seconds=5)

    assert before + 1 == failed()
    assert (State.PENDING, 0, 0) == blamed(await submissions.get(judged.context.db, row.id))


async def test_what_breaks_after_the_verdict_changes_nothing_of_it(judged, host):
    cake = made_pictures.encoded(drawings.draw_cake(drawings.DEMO_SEEDS[0]))
    # Whatever the model says of it: all but a rejection goes on to its renditions, which have no table.
    lenient = judged.context.judges.detector
    lenient.thresholds = msgspec.structs.replace(lenient.thresholds, accept=0.0, review=0.0)
    await judged.context.db.execute("DROP TABLE blobs")
    row = await judged.submit(host.answer("/cake.jpg", cake))

    with pytest.raises(Exception, match="blobs"):
        await judged.again(row)

    found = await submissions.get(judged.context.db, row.id)
    assert (State.ACCEPTED, None) == (found.state, found.detail)


async def test_leases_that_run_out_again_and_again_are_tried_ever_more_rarely(judged):
    db, row = judged.context.db, await judged.submit("http://p.example/a.jpg")
    waits = []
    for _ in range(6):
        await db.execute("UPDATE submissions SET next_attempt_at = NULL")
        assert await judging.claim(db, row.id, lease_seconds=0, holder="one that dies") is not None
        assert [row.id] == await sweeping.expire_leases(db, State.JUDGING, batch=10)
        waits.append(await waits_seconds(db, row))

    assert (State.PENDING, 0, 0) == blamed(await submissions.get(db, row.id))
    assert [0, 0, 0, 1, 2, 4] == waits


async def test_what_postgres_has_no_text_for_keeps_no_submission_from_its_end(judged):
    row = await judged.submit("http://p.example/a.jpg")
    held = await judging.claim(judged.context.db, row.id, lease_seconds=60, holder="w")

    after = await judging.settle_unusable(
        judged.context.db,
        held,
        target=State.REJECTED,
        reason=Reason.IMAGE_NOT_AN_IMAGE,
        detail="a NUL \0, half a character \ud800",
        actor="w",
        timings={},
    )

    assert (State.REJECTED, "a NUL \ufffd, half a character ?") == (after.state, after.detail)
