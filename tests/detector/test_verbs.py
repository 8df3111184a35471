"""`cakegate model inspect` and `evaluate` on the shipped pack, without the training library."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from click import testing
from PIL import Image, ImageOps

from cakegate import drawings
from cakegate.adapters import detector
from cakegate.domain import errors
from cakegate.training import verbs


def invoke(*arguments):
    return testing.CliRunner().invoke(verbs.model, [str(each) for each in arguments], catch_exceptions=False)


@pytest.fixture
def labelled(tmp_path):
    """Ten drawings of each label."""
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


def test_evaluate_names_the_kinds_that_a_manifest_tells(labelled):
    rows = [f",not_cake/{seed}.jpg,not_cake,a site,bread" for seed in drawings.DEMO_SEEDS[50:60]]
    (labelled / "manifest.csv").write_text("\n".join(["archive,file,label,source,kind", *rows]), encoding="utf-8")
    shown = invoke("evaluate", labelled).stdout
    assert re.search(r"^not cake, bread: 10 pictures, auc \d\.\d{3}, accepted 0\.\d\d, rejected ", shown, re.MULTILINE)
    assert ", over sources " in shown


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take no such name")
def test_evaluate_writes_its_report_and_sheet_whatever_files_are_called(labelled, tmp_path):
    content = (labelled / "not_cake" / "1050.jpg").read_bytes()
    (labelled / "cake" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(content)
    (labelled / "cake" / "ケーキ.jpg").write_bytes(content)
    (labelled / "cake" / "a folder.jpg").mkdir()
    report, sheet = tmp_path / "report.html", tmp_path / "worst.png"
    assert 0 == invoke("evaluate", labelled, "--report", report, "--worst", sheet).exit_code
    assert r"cake/caf\udce9.jpg" in report.read_text(encoding="utf-8")


def test_evaluate_writes_a_report_and_a_sheet(labelled, tmp_path):
    (labelled / "cake" / "a & <b>.jpg").write_bytes((labelled / "not_cake" / "1050.jpg").read_bytes())
    report, sheet = tmp_path / "report.html", tmp_path / "worst.png"
    assert 0 == invoke("evaluate", labelled, "--report", report, "--worst", sheet).exit_code
    page = report.read_text(encoding="utf-8")
    root = ET.fromstring(page.partition("\n")[2])
    assert ["ROC", "Precision and recall", "Calibration", "Scores (cakes red)"] == [
        each.get("aria-label") for each in root.iter("svg")
    ]
    assert 21 == len(list(root.iter("figure")))
    assert "cake/a & <b>.jpg" in next(root.iter("figcaption")).find("small").text
    assert ["data:image/jpeg;base64"] * 21 == [each.get("src").partition(",")[0] for each in root.iter("img")]
    with Image.open(sheet) as opened:
        assert (1500, 540) == opened.size


def test_evaluate_refuses_a_sheet_that_is_no_picture_before_it_judges(labelled, tmp_path):
    with pytest.raises(errors.InvalidSettings, match=r"must end in \.png or \.jpg"):
        invoke("evaluate", labelled, "--worst", tmp_path / "worst.txt")


def test_evaluate_tells_how_far_scores_move_with_the_file(labelled, tmp_path):
    for path in sorted(labelled.rglob("*.jpg"))[2:-2]:
        path.unlink()
    shown = invoke("evaluate", labelled, "--perturb", "--report", tmp_path / "report.html").stdout
    moved = re.search(r"rescaled 8 times: score moves by (\S+) \(median\), (\S+) \(p95\)", shown)
    assert float(moved[1]) <= float(moved[2]) <= 0.2
    assert "<td>95th percentile</td>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_evaluate_of_held_out_sources_leaves_the_others_and_their_near_copies_out(labelled):
    """Ten cakes and ten others of a held-out site, and a copy of the first cake, mirrored, on a site that is not."""
    source = detector.Detector.load(detector.starter_pack()).card.held_out_sources[0]
    with Image.open(labelled / "cake" / "1050.jpg") as cake:
        ImageOps.mirror(cake).save(labelled / "cake" / "copy.jpg")
    rows = [
        f",{path.relative_to(labelled)},,{'elsewhere' if path.name == 'copy.jpg' else source},"
        for path in labelled.rglob("*.jpg")
    ]
    (labelled / "manifest.csv").write_text("\n".join(["archive,file,label,source,kind", *rows]), encoding="utf-8")
    shown = invoke("evaluate", labelled, "--held-out").stdout
    assert "pictures 19 (cake 9, not cake 10)\nleft out as near-copies of others 1\n" in shown


def test_evaluate_of_held_out_sources_needs_some(labelled):
    with pytest.raises(errors.InvalidSettings, match="no picture of the 74 sources"):
        invoke("evaluate", labelled, "--held-out")


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
