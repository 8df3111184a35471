"""`cakegate model inspect` and `evaluate` on the shipped pack, without the training library."""

import re
import subprocess
import sys

import pytest
from click import testing

from cakegate import drawings
from cakegate.adapters import detector
from cakegate.domain import errors
from cakegate.training import verbs


def invoke(*arguments):
    return testing.CliRunner().invoke(verbs.model, [str(each) for each in arguments], catch_exceptions=False)


@pytest.fixture
def labelled(tmp_path):
    for label, draw in (("cake", drawings.draw_cake), ("not_cake", drawings.draw_other)):
        (tmp_path / label).mkdir()
        for seed in drawings.DEMO_SEEDS[50:60]:
            draw(seed, (160, 120)).save(tmp_path / label / f"{seed}.jpg")
    return tmp_path


def test_inspect_shows_the_whole_card():
    shown = re.sub(r"\s*│\s*", " ", invoke("inspect").stdout)
    card = detector.Detector.load(detector.starter_pack()).card
    for value in (card.sha256, str(card.thresholds.accept), *card.metrics, f"{card.parameters:,}"):
        assert value in shown


def test_evaluate_prints_figures(labelled):
    (labelled / "cake" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    result = invoke("evaluate", labelled)
    assert 0 == result.exit_code
    assert "pictures 20 (cake 10, not cake 10)\nunreadable 1\n" in result.stdout
    assert 0.9 < float(re.search(r"^auc (\d\.\d{4})\b", result.stdout, re.MULTILINE)[1]) <= 1.0
    for name in ("recall at 5 % false alarms", "calibration error", "cakes: accepted", "others: accepted"):
        assert name in result.stdout


def test_evaluate_needs_both_labels(labelled):
    for picture in (labelled / "cake").iterdir():
        picture.unlink()
    with pytest.raises(errors.InvalidSettings, match="both in cake/ and in not_cake/"):
        invoke("evaluate", labelled)


def test_inspect_refuses_what_is_no_pack(tmp_path):
    with pytest.raises(errors.InvalidPack, match=r"card\.json cannot be read"):
        invoke("inspect", tmp_path)


def test_neither_the_verbs_nor_the_detector_import_the_training_library():
    program = "import sys, cakegate.training.verbs, cakegate.drawings; sys.exit('torch' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-W", "error", "-c", program], check=False).returncode
