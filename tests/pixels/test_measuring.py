"""How well a picture can be judged, and that measuring it changes nothing of what a model sees."""

import io
import itertools
import math
import random

import made_pictures
import pytest
from PIL import Image, ImageFilter

from cakegate import drawings, settings
from cakegate.adapters.pixels import decoding, measuring, pool, preparing
from cakegate.domain import verdicts
from cakegate.domain.verdicts import Fit, ModelInput

#: Radii of Gaussian blurs, in parts of the longest side.
RADII = (0, 0.005, 0.01, 0.02, 0.04, 0.08)
MODEL = ModelInput(side_pixels=128, fit=Fit.STRETCH)


@pytest.fixture(scope="module")
def drawn():
    """Drawings with the grain that cameras leave."""
    grain = Image.effect_noise((640, 480), 12).convert("RGB")
    draws = (drawings.draw_cake, drawings.draw_other)
    return [
        Image.blend(draw(seed, (640, 480)), grain, 0.1)
        for seed, draw in zip(drawings.DEMO_SEEDS[:4], itertools.cycle(draws), strict=False)
    ]


def quality(image, *, seen=MODEL, jpeg=90):
    picture = decoding.decode(made_pictures.encoded(image, quality=jpeg), max_pixels=10**8)
    return measuring.measured(picture, preparing.reduce(picture.image, seen))


def blurred(image, radius):
    return image.filter(ImageFilter.GaussianBlur(radius * max(image.size)))


def rescaled(image, longest):
    scale = longest / max(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)


def test_the_more_a_picture_is_blurred_the_less_sharp_it_is(drawn):
    for image in drawn:
        found = [quality(blurred(image, radius)).sharpness for radius in RADII]
        assert sorted(found, reverse=True) == found
        assert len(RADII) == len(set(found))


@pytest.mark.parametrize("longest", [160, 300, 2000])
@pytest.mark.parametrize("jpeg", [40, 95])
def test_sharpness_depends_neither_on_the_file_s_size_nor_on_its_encoding(drawn, longest, jpeg):
    for image in (drawn[0], blurred(drawn[1], 0.02)):
        before = quality(image).sharpness
        after = quality(rescaled(image, longest), jpeg=jpeg).sharpness
        assert abs(math.log(after / before)) <= 0.3


def test_a_picture_in_focus_and_a_blurred_one_are_far_apart(drawn):
    least = min(quality(image).sharpness for image in drawn)
    assert least > 0.7 > max(quality(blurred(image, 0.02)).sharpness for image in drawn)


def test_sharpness_does_not_depend_on_contrast(drawn):
    pale = Image.blend(drawn[0], Image.new("RGB", drawn[0].size, (128, 128, 128)), 0.7)
    before, after = quality(drawn[0]), quality(pale)
    assert after.contrast < before.contrast / 2
    assert pytest.approx(before.sharpness, rel=0.1) == after.sharpness


@pytest.mark.parametrize("side", [32, 96, 160, 224])
@pytest.mark.parametrize("fit", [Fit.STRETCH, Fit.CONTAIN])
def test_the_quality_is_the_same_whatever_a_model_wants(drawn, side, fit):
    before, after = quality(drawn[1]), quality(drawn[1], seen=ModelInput(side_pixels=side, fit=fit))
    assert before.shortest_side_pixels == after.shortest_side_pixels
    assert pytest.approx(before.contrast, rel=0.05) == after.contrast
    assert pytest.approx(before.sharpness, rel=0.2) == after.sharpness


@pytest.mark.parametrize("side", [32, 160])
def test_a_model_that_sees_the_middle_has_the_middle_measured(side):
    noise = Image.effect_noise((1500, 500), 60).convert("RGB")
    noise.paste((90, 90, 90), (500, 0, 1000, 500))
    seen = ModelInput(side_pixels=side, fit=Fit.COVER)
    assert 2.0 > quality(noise, seen=seen).contrast
    assert 10.0 < quality(noise).contrast


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (2, 2), (300, 200)])
def test_a_picture_of_one_colour_has_neither_contrast_nor_sharpness(size):
    expected = verdicts.Quality(shortest_side_pixels=min(size), contrast=0.0, sharpness=0.0)
    assert expected == quality(Image.new("RGB", size, (200, 30, 90)))


def test_black_beside_white_has_all_the_contrast_there_is():
    halves = Image.new("RGB", (320, 320), "white")
    halves.paste("black", (0, 0, 160, 320))
    assert pytest.approx(127.5, abs=0.1) == quality(halves, jpeg=100).contrast


def test_the_shortest_side_is_the_file_s():
    # Decoded smaller than it is, and turned upright.
    picture = made_pictures.encoded(Image.new("RGB", (4000, 2100)), exif=made_pictures.exif(6))
    found = decoding.decode(picture, max_pixels=10**8)
    assert 2100 == measuring.measured(found, preparing.reduce(found.image, MODEL)).shortest_side_pixels


def pillows_own(image, wanted):
    """What `prepare` did while it left both steps to Pillow."""
    side, box, size = wanted.side_pixels, None, (wanted.side_pixels,) * 2
    if wanted.fit is Fit.COVER:
        short = min(image.size)
        left, top = (image.width - short) // 2, (image.height - short) // 2
        box = (left, top, left + short, top + short)
    elif wanted.fit is Fit.CONTAIN:
        scale = side / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    resized = image.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    square = Image.new("RGB", (side, side), (128, 128, 128))
    square.paste(resized, ((side - size[0]) // 2, (side - size[1]) // 2))
    return square.tobytes()


@pytest.mark.parametrize("fit", list(Fit))
def test_two_steps_make_what_pillow_makes_in_one(fit):
    chance = random.Random(fit.value)
    for _ in range(20):
        image = Image.effect_noise((chance.randint(1, 900), chance.randint(1, 900)), 60).convert("RGB")
        wanted = ModelInput(side_pixels=chance.choice([32, 96, 128, 160]), fit=fit)
        assert pillows_own(image, wanted) == preparing.prepare(image, wanted)


async def test_a_child_prepares_for_each_model_in_order_and_says_how_well_it_can(drawn):
    wanted = [ModelInput(side_pixels=side, fit=fit) for side, fit in ((64, Fit.STRETCH), (48, Fit.COVER))]
    content = made_pictures.encoded(drawn[0])
    children = pool.PixelPool(settings.Pictures(), model_inputs=[*wanted, wanted[0]], size=1)
    await children.start()
    try:
        async with children.lease() as child:
            decoded = await child.decode(content)
    finally:
        await children.close()
    received = Image.open(io.BytesIO(content)).convert("RGB")
    first, second = (preparing.prepare(received, each) for each in wanted)
    assert [first, second, first] == decoded.model_inputs
    assert 480 == decoded.quality.shortest_side_pixels
    assert 0.7 < decoded.quality.sharpness
