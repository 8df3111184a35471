"""Changing the file and not the picture, and what is made of the scores."""

import hashlib
import io

import made_models
import numpy as np
import pytest
from PIL import Image

from cakegate.adapters import detector
from cakegate.domain import verdicts
from cakegate.training import evaluating, perturbing

GREY, WHITE = (Image.new("RGB", (300, 200), (level, level, level)) for level in (128, 255))


@pytest.fixture
def judge(tmp_path):
    """Scores a picture by how bright it is: 0.5 for black, more for white."""
    return detector.Detector.load(made_models.write_pack(tmp_path / "pack", made_models.model(weight=0.01)))


def test_a_changed_file_is_a_jpeg_within_the_bounds():
    chance = np.random.default_rng(1)
    sides = []
    for _ in range(12):
        with Image.open(io.BytesIO(perturbing.perturb(GREY, chance))) as changed:
            assert "JPEG" == changed.format
            assert 1.5 == pytest.approx(changed.width / changed.height, rel=0.02)
            sides.append(changed.width)
    assert 160 <= min(sides) < 400 < max(sides) <= 2000


def test_the_same_seed_changes_alike():
    first, second = (hashlib.sha256(perturbing.perturb(GREY, np.random.default_rng(3))).hexdigest() for _ in range(2))
    assert first == second


def test_a_flat_picture_keeps_its_score(judge):
    found = perturbing.measure(judge, [GREY, WHITE])
    assert 4 == found.changes
    assert 0.0 == pytest.approx(found.p95, abs=0.01)
    assert 0.0 == found.flipped


@pytest.mark.parametrize(("review", "turned"), [(1.0, 1.0), (0.0, 0.0)])
def test_decisions_that_change_are_counted_and_those_that_turn(tmp_path, review, turned):
    """Noise is darker in other sizes by a hair; here what it scores in its own is just enough to be accepted."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8))
    pack = made_models.write_pack(tmp_path / "pack", made_models.model(weight=0.01))
    own = evaluating.score(detector.Detector.load(pack), noise)
    judge = detector.Detector.load(pack, thresholds=verdicts.Thresholds(accept=own, review=own * review))
    found = perturbing.measure(judge, [noise] * 2)
    assert (4, 1.0, turned) == (found.changes, found.flipped, found.turned)
