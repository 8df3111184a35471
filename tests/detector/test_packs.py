"""Packs: the shipped one works, and a bad one is refused with a message that says why."""

import hashlib
import pickle
import shutil

import msgspec
import pytest

from cakegate import drawings
from cakegate.adapters import detector
from cakegate.adapters.pixels import preparing
from cakegate.domain import errors, verdicts
from cakegate.training import data


@pytest.fixture(scope="module")
def starter():
    return detector.Detector.load(detector.starter_pack())


@pytest.fixture
def pack(tmp_path):
    """A copy of the starter pack, to be broken."""
    return shutil.copytree(detector.starter_pack(), tmp_path / "pack")


def refused(folder, **options):
    with pytest.raises(errors.InvalidPack) as caught:
        detector.Detector.load(folder, **options)
    return str(caught.value)


def rewrite(pack, **changes):
    card = msgspec.json.decode((pack / "card.json").read_bytes())
    (pack / "card.json").write_bytes(msgspec.json.encode({**card, **changes}))


def test_the_verdict_names_model_and_thresholds(starter):
    verdict = starter.judge(preparing.prepare(drawings.draw_cake(drawings.DEMO_SEEDS[0]), starter.model_input))

    assert (starter.model, starter.thresholds) == (verdict.model, verdict.thresholds)
    assert verdicts.decide(verdict.score, starter.thresholds) == verdict.decision


def test_demo_and_training_draw_from_different_seeds():
    assert not set(drawings.DEMO_SEEDS) & set(drawings.TRAINING_SEEDS)


def test_a_drawing_is_its_seeds(starter):
    first, second = (drawings.draw_cake(7, (160, 120)).tobytes() for _ in range(2))

    assert first == second


def test_the_card_says_what_it_was_measured_on_and_what_it_cannot_do(starter):
    card = starter.card

    assert card.metrics["held-out shops"]["auc"] > 0.93
    assert len(card.held_out_sources) >= 59  # a quarter of the 236 sites
    assert card.limits
    assert card.training_data


def test_the_shipped_pack_tells_kinds_and_how_its_scores_lie(starter):
    assert "cupcake" in starter.card.labels
    figures = starter.card.metrics["held-out shops"]
    counted = {label: sum(counts) for label, counts in starter.card.histogram.items()}
    assert {"cake": figures["cakes"], "not_cake": figures["pictures"] - figures["cakes"]} == counted


def test_the_shipped_pack_is_compact(starter):
    assert starter.card.parameters <= 2_900_000
    assert (detector.starter_pack() / detector.MODEL_FILE).stat().st_size <= 12_000_000
    assert 96 <= starter.model_input.side_pixels <= 160


@pytest.mark.parametrize("missing", ["model.onnx", "card.json"])
def test_a_missing_file_is_named(pack, missing):
    (pack / missing).unlink()

    assert missing in refused(pack)


def test_a_missing_folder_is_named(tmp_path):
    assert "nowhere" in refused(tmp_path / "nowhere")


def test_another_model_than_the_card_says_is_refused(pack):
    with (pack / "model.onnx").open("ab") as file:
        file.write(b"x")

    assert "SHA-256" in refused(pack)


def test_another_model_than_the_settings_say_is_refused(pack):
    assert "the settings say" in refused(pack, expected_sha256="0" * 64)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"name": 1}', b"\xff\xfe", b'{"a": ' * 5000])
def test_a_card_that_is_none_is_refused(pack, content):
    (pack / "card.json").write_bytes(content)

    assert "card.json" in refused(pack)


def test_an_unknown_field_in_the_card_is_named(pack):
    rewrite(pack, treshold=1)

    assert "treshold" in refused(pack)


def test_thresholds_out_of_order_are_refused(pack):
    rewrite(pack, thresholds={"accept": 0.1, "review": 0.9})

    assert "thresholds" in refused(pack)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"\x08\x07", pickle.dumps({"weights": [1]})], ids=["empty", "gif", "cut", "pickle"]
)
def test_a_file_that_is_no_model_is_refused_whatever_its_hash(pack, content):
    (pack / "model.onnx").write_bytes(content)
    rewrite(pack, sha256=hashlib.sha256(content).hexdigest())

    assert "not a model that can be run" in refused(pack)


def test_a_model_of_another_shape_is_refused(pack):
    card = msgspec.json.decode((pack / "card.json").read_bytes())
    rewrite(pack, input={**card["input"], "side_pixels": 64})

    assert "(n, 64, 64, 3)" in refused(pack)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(pack, monkeypatch):
    monkeypatch.setattr(detector, "MODEL_MAX_BYTES", 1000)

    assert "larger than 1,000 bytes" in refused(pack)


def test_labelled_folders_are_read_with_their_labels(tmp_path):
    for label in ("cake", "not_cake"):
        (tmp_path / label).mkdir()
        drawings.draw_cake(1, (64, 64)).save(tmp_path / label / "a.jpg")

    assert [("cake/a.jpg", 1), ("not_cake/a.jpg", 0)] == [(row.file, row.label) for row in data.read(tmp_path)]


def test_a_folder_without_labelled_pictures_is_said_so(tmp_path):
    with pytest.raises(errors.InvalidSettings, match="cake/ and not_cake/"):
        list(data.read(tmp_path))
