"""Judging: what each kind of picture comes to, and what trouble costs."""

import asyncio
import hashlib
import io
import os
import signal
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from cakegate.adapters.fetcher import client as fetching
from cakegate.adapters.store import judging, renditions
from cakegate.domain.renditions import Preset
from cakegate.domain.submissions import Reason, State


async def test_a_cake_is_accepted_with_its_verdict_picture_and_renditions(bakery, cake_jpeg):
    row = await bakery.judge(await bakery.submit(cake_jpeg))

    assert State.ACCEPTED == row.state
    assert "cakegate-starter" == row.verdict.model.name
    assert (hashlib.sha256(cake_jpeg).digest(), "jpeg", 640, 480) == (
        row.picture.sha256,
        row.picture.format,
        row.picture.width,
        row.picture.height,
    )
    assert {"fetch", "decode", "infer"} <= set(row.timings)
    stored = await renditions.find(bakery.context.db, row.picture.sha256, Preset.MOBILE)
    assert [("jpeg", 320, 240), ("webp", 320, 240)] == [(each.format, each.width, each.height) for each in stored]
    assert (await bakery.context.judges.blobs.get(stored[0].blob_key)).startswith(b"\xff\xd8")
    assert row.renditions_at is not None


async def test_an_accepted_cake_is_put_on_the_writers_queue(bakery, cake_jpeg):
    await bakery.judge(await bakery.submit(cake_jpeg))

    assert 1 == (await bakery.context.work.depths())["create"].waiting


async def test_what_is_no_cake_is_rejected_and_not_rendered(bakery, other_jpeg):
    row = await bakery.judge(await bakery.submit(other_jpeg))

    assert (State.REJECTED, Reason.NOT_A_CAKE) == (row.state, row.reason)
    assert [] == await renditions.find(bakery.context.db, row.picture.sha256, Preset.WEB)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/", Reason.IMAGE_NOT_ALLOWED),
        ("http://localhost/cake.jpg", Reason.IMAGE_NOT_ALLOWED),
        ("http://[::1]/cake.jpg", Reason.IMAGE_NOT_ALLOWED),
        ("{sample}/pictures/missing.jpg", Reason.IMAGE_GONE),
        ("{sample}/pictures/poem.jpg", Reason.IMAGE_NOT_AN_IMAGE),
    ],
)
async def test_final_facts_about_a_picture_reject_it(bakery, sample_api, address, reason):
    (sample_api.pictures / "poem.jpg").write_text("a poem")

    row = await bakery.judge(await bakery.submit(image_url=address.replace("{sample}", sample_api.url)))

    assert (State.REJECTED, reason) == (row.state, row.reason)


async def test_a_host_in_trouble_is_tried_later_and_counted(bakery, cake_jpeg, sample_api, free_tcp_port):
    allowed = (*bakery.context.config.fetch.allow, f"127.0.0.1:{free_tcp_port}")
    row = await bakery.submit(image_url=f"http://127.0.0.1:{free_tcp_port}/cake.jpg")
    fetcher = fetching.Fetcher(msgspec.structs.replace(bakery.context.config.fetch, allow=allowed))
    judges = msgspec.structs.replace(bakery.context.judges, fetcher=fetcher)
    bakery.context = msgspec.structs.replace(bakery.context, judges=judges)

    after = await bakery.judge(row)
    at_once = await bakery.judge(row)

    assert (State.PENDING, 1) == (after.state, after.fetch_attempts)
    assert after.first_fetch_at is not None
    assert after.next_attempt_at > after.updated_at
    assert after == at_once


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="sees a child at work by its memory, as Linux shows it"
)
async def test_a_picture_that_kills_its_child_again_and_again_is_quarantined(bakery, large_png):
    row = await bakery.submit(large_png, name="large.png")
    outcome = []
    for _ in range(3):
        child = await bakery.context.judges.pixels._children[0].start()
        judging_it = asyncio.create_task(bakery.judge(row))
        await kill_at_work(child.pid, judging_it)
        row = await judging_it
        outcome.append((row.state, row.reason, row.decoder_deaths))
        await bakery.due_now(row)

    assert [(State.PENDING, None, 1), (State.PENDING, None, 2)] == outcome[:2]
    assert (State.FAILED, Reason.POISON) == outcome[2][:2]


@pytest.fixture(scope="session")
def large_png() -> bytes:
    """49 megapixels of nothing: a small file that takes a child most of a second."""
    buffer = io.BytesIO()
    Image.new("RGB", (7000, 7000)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


async def kill_at_work(pid, work):
    """Kill the child once it decodes, which its memory shows."""
    before = resident_pages(pid)
    while resident_pages(pid) < before + 5_000:
        assert not work.done(), "it was quicker than we"
        await asyncio.sleep(0.002)
    os.kill(pid, signal.SIGKILL)


def resident_pages(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1])


async def test_a_submission_that_another_worker_holds_is_left_alone(bakery, cake_jpeg):
    row = await bakery.submit(cake_jpeg)
    held = await judging.claim(bakery.context.db, row.id, lease_seconds=60, holder="another")

    await bakery.judge(row)

    found = await bakery.get(row)
    assert (State.JUDGING, held.lease_token) == (found.state, found.lease_token)


async def test_renditions_that_are_missing_are_made_later(bakery, cake_jpeg):
    row = await bakery.judge(await bakery.submit(cake_jpeg))
    await bakery.context.db.execute("DELETE FROM renditions")
    await bakery.context.db.execute("UPDATE submissions SET renditions_at = NULL")

    again = await bakery.render(row)

    assert again.renditions_at is not None
    assert 2 == len(await renditions.find(bakery.context.db, row.picture.sha256, Preset.WEB))


async def test_a_picture_that_changed_since_is_shown_to_nobody(bakery, cake_jpeg, other_jpeg, sample_api):
    row = await bakery.judge(await bakery.submit(cake_jpeg))
    await bakery.context.db.execute("DELETE FROM renditions")
    await bakery.context.db.execute("UPDATE submissions SET renditions_at = NULL")
    (sample_api.pictures / "picture.jpg").write_bytes(other_jpeg)

    await bakery.render(row)

    assert [] == await renditions.find(bakery.context.db, row.picture.sha256, Preset.WEB)
