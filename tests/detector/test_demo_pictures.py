"""The demo's drawings, as it sends them (JPEG), judged by the shipped model."""

import io

import pytest
from PIL import Image

from cakegate import drawings
from cakegate.adapters import detector
from cakegate.adapters.pixels import preparing
from cakegate.domain.verdicts import Decision


@pytest.fixture(scope="module")
def verdicts():
    """Of 40 seeds: the verdicts on their cakes, and on their other things."""
    judge = detector.Detector.load(detector.starter_pack())

    def judged(image):
        sent = io.BytesIO()
        image.save(sent, "JPEG", quality=88)
        with Image.open(sent) as received:
            return judge.judge(preparing.prepare(received, judge.model_input))

    seeds = drawings.DEMO_SEEDS[:40]
    return [judged(drawings.draw_cake(seed)) for seed in seeds], [judged(drawings.draw_other(seed)) for seed in seeds]


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
