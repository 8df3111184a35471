"""The demo's drawings, as it sends them (JPEG), judged by the shipped model."""

import io

import pytest
from PIL import Image, ImageCms

from cakegate import drawings
from cakegate.adapters import detector
from cakegate.adapters.pixels import preparing
from cakegate.domain.verdicts import Decision
from cakegate.training import data, evaluating, perturbing


@pytest.fixture(scope="module")
def judge():
    return detector.Detector.load(detector.starter_pack())


@pytest.fixture(scope="module")
def drawn():
    """Of 40 seeds: the cakes, and the other things."""
    seeds = drawings.DEMO_SEEDS[:40]
    return [drawings.draw_cake(seed) for seed in seeds], [drawings.draw_other(seed) for seed in seeds]


@pytest.fixture(scope="module")
def verdicts(judge, drawn):
    """The verdicts on both."""

    def judged(image):
        sent = io.BytesIO()
        image.save(sent, "JPEG", quality=88)
        with Image.open(sent) as received:
            return judge.judge(preparing.prepare(received, judge.model_input))

    cakes, others = drawn
    return [judged(image) for image in cakes], [judged(image) for image in others]


def decisions(judged):
    return [verdict.decision for verdict in judged]


def test_no_drawing_is_decided_wrongly(verdicts):
    cakes, others = verdicts
    assert Decision.REJECT not in decisions(cakes)
    assert Decision.ACCEPT not in decisions(others)


def test_nine_in_ten_drawings_need_no_person(verdicts):
    cakes, others = (decisions(judged) for judged in verdicts)
    assert cakes.count(Decision.ACCEPT) >= 36
    assert cakes.count(Decision.ACCEPT) + others.count(Decision.REJECT) >= 72


def test_every_cake_scores_above_the_demos_other_things(verdicts):
    cakes, others = verdicts
    assert min(verdict.score for verdict in cakes) > max(verdict.score for verdict in others[:10])


def test_the_demos_own_ten_need_no_person(verdicts):
    cakes, others = (decisions(judged) for judged in verdicts)
    assert [Decision.ACCEPT] * 6 == cakes[:6]
    assert [Decision.REJECT] * 4 == others[:4]


def test_a_verdict_names_a_kind_of_what_it_decides_for(verdicts):
    for verdict in verdicts[0][:6]:
        assert "cake" == verdict.labels[0].name
        assert verdict.labels[0].score == verdict.score
        assert 2 <= len(verdict.labels) <= 4


def test_scores_do_not_depend_on_jpeg_quality_or_size(judge, drawn):
    """JPEG quality 40 to 95, longest side 160 to 2,000 pixels."""
    cakes, others = drawn
    found = perturbing.measure(judge, cakes[:6] + others[:6])
    assert 24 == found.changes
    assert found.p95 <= 0.2
    assert 0.0 == found.turned


@pytest.mark.parametrize("draw", [drawings.draw_cake, drawings.draw_other])
def test_scores_do_not_depend_on_metadata(judge, draw):
    """A profile, a comment, an EXIF block and pixels turned as it says: pictures lose and gain them on their way."""
    image = draw(drawings.DEMO_SEEDS[0])
    plain, laden = io.BytesIO(), io.BytesIO()
    exif = Image.Exif()
    exif[0x010F], exif[0x0131], exif[0x0112] = "a phone", "an editor", 3
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.save(plain, "JPEG", quality=95)
    image.rotate(180).save(
        laden,
        "JPEG",
        quality=95,
        exif=exif,
        icc_profile=profile,
        comment=b"cake" * 100,
        progressive=True,
        dpi=(300, 300),
    )
    first, second = (evaluating.score(judge, data.decode(each.getvalue())) for each in (plain, laden))
    # Blocks begin at the other end.
    assert first == pytest.approx(second, abs=0.02)
