"""What a worker leaves to people: pictures that cannot be judged, whatever their score, and samples of the accepted."""

import io

import msgspec
import prometheus_client
import pytest
from PIL import Image, ImageFilter

from cakegate import drawings
from cakegate.adapters.store import renditions, sampling
from cakegate.domain.renditions import Preset
from cakegate.domain.submissions import Reason, State

CAKE = drawings.draw_cake(drawings.DEMO_SEEDS[0])


def jpeg(image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.fixture
def configured(bakery):
    """Changes settings of the model's group."""

    def configured(**changes):
        config = bakery.context.config
        group = msgspec.structs.replace(config.detector, **changes)
        bakery.context = msgspec.structs.replace(bakery.context, config=msgspec.structs.replace(config, detector=group))

    return configured


def counted(reason) -> float:
    labels = {"target": "review", "reason": reason.value}
    return prometheus_client.REGISTRY.get_sample_value("cakegate_submission_transitions_total", labels) or 0.0


@pytest.mark.parametrize(
    ("picture", "reason", "detail"),
    [
        (CAKE.resize((64, 48)), Reason.TOO_SMALL, "shorter side 48 px; 64 are wanted"),
        (Image.new("RGB", (640, 480), (250, 250, 250)), Reason.BLANK, "contrast 0; 8 is wanted"),
        (CAKE.filter(ImageFilter.GaussianBlur(40)), Reason.BLURRED, "sharpness "),
    ],
    ids=["too small", "blank", "blurred"],
)
async def test_a_picture_that_cannot_be_judged_is_for_a_person_with_the_reason(bakery, picture, reason, detail):
    before = counted(reason)

    row = await bakery.judge(await bakery.submit(jpeg(picture)))

    assert (State.REVIEW, reason) == (row.state, row.reason)
    assert row.detail.startswith(detail)
    assert 0 <= row.verdict.score <= 1
    assert row.verdict.labels[0].name == "cake"
    assert 1 == counted(reason) - before
    # A person has to see it.
    assert [] != await renditions.find(bakery.context.db, row.picture.sha256, Preset.WEB)


async def test_a_minimum_of_nothing_asks_for_nothing(bakery, configured):
    configured(min_side_pixels=0, min_contrast=0.0, min_sharpness=0.0, review_band=0.0)

    row = await bakery.judge(await bakery.submit(jpeg(Image.new("RGB", (8, 8)))))

    assert row.reason not in {Reason.TOO_SMALL, Reason.BLANK, Reason.BLURRED}


@pytest.mark.parametrize(("share", "shown"), [(0.0, 0), (1.0, 1)])
async def test_a_share_of_what_is_accepted_is_shown_to_people_and_goes_its_way(bakery, configured, share, shown):
    configured(sample_share=share)

    row = await bakery.judge(await bakery.submit(jpeg(CAKE)))
    sampled = await sampling.listing(bakery.context.db)

    assert (State.ACCEPTED, None) == (row.state, row.reason)
    assert [row.id] * shown == [each.submission_id for each in sampled]
    assert 1 == (await bakery.context.work.depths())["create"].waiting


async def test_what_is_rejected_or_left_to_people_is_no_sample(bakery, configured, other_jpeg):
    configured(sample_share=1.0)

    await bakery.judge(await bakery.submit(other_jpeg))
    await bakery.judge(await bakery.submit(jpeg(CAKE.resize((64, 48))), name="small.jpg"))

    assert [] == await sampling.listing(bakery.context.db)
