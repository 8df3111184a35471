"""Judging: what each kind of picture comes to, and what trouble costs."""

import hashlib

import msgspec
import pytest

from cakegate import settings
from cakegate.adapters.store import judging, renditions
from cakegate.domain import errors
from cakegate.domain.renditions import Preset
from cakegate.domain.submissions import Reason, State
from cakegate.worker import outcomes


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


async def test_a_host_in_trouble_is_tried_later_and_counted(bakery, config, sample_api, free_tcp_port_factory):
    row = await bakery.submit(image_url=f"{sample_api.url}/pictures/x.jpg")
    error = errors.PictureUnreachable("503")

    held = await judging.claim(bakery.context.db, row.id, lease_seconds=60, holder="w")
    what = outcomes.of_picture(error, held, config.submissions)

    assert isinstance(what, outcomes.Again)
    assert (True, False) == (what.fetch_failed, what.decoder_died)
    assert 0.7 <= what.wait_seconds <= 1.3


@pytest.mark.parametrize(
    ("error", "fetches", "deaths", "end"),
    [
        (errors.PictureUnreachable("x"), 3, 0, None),
        (errors.PictureUnreachable("x"), 4, 0, (State.FAILED, Reason.IMAGE_UNREACHABLE)),
        (errors.DecoderDied("x"), 0, 1, None),
        (errors.DecoderDied("x"), 0, 2, (State.FAILED, Reason.POISON)),
        (errors.DecoderDied("x"), 4, 1, None),
        (errors.PictureTooLarge("x"), 0, 0, (State.REJECTED, Reason.IMAGE_TOO_LARGE)),
    ],
)
async def test_attempts_run_out_by_kind(bakery, config, error, fetches, deaths, end):
    row = msgspec.structs.replace(
        await bakery.submit(image_url="http://p.example/x"), fetch_attempts=fetches, decoder_deaths=deaths
    )

    what = outcomes.of_picture(error, row, config.submissions)

    found = (what.target, what.reason) if isinstance(what, outcomes.End) else None
    assert end == found


async def test_the_pause_doubles_up_to_its_cap():
    group = settings.Submissions(retry_base_seconds=1, retry_max_seconds=10)

    plain = [1, 2, 4, 8, 10, 10]

    for attempts, expected in enumerate(plain):
        assert 0.75 * expected <= outcomes.pause(attempts, group) <= 1.25 * expected


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
