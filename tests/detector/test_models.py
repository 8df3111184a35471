"""Models that can be run but must not be: each is refused when it is loaded, not when it judges."""

import concurrent.futures
import math

import made_models
import pytest

from cakegate.adapters import detector
from cakegate.domain import errors, verdicts

BLACK = bytes(made_models.SIDE_PIXELS**2 * 3)
WHITE = b"\xff" * len(BLACK)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "pack"


def refused(folder, content, **changes):
    with pytest.raises(errors.InvalidPack) as caught:
        detector.Detector.load(made_models.write_pack(folder, content, **changes))
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_any_model_of_the_right_shape_is_taken(folder):
    judge = detector.Detector.load(made_models.write_pack(folder, made_models.model(weight=0.01)))
    verdict = judge.judge(WHITE)
    assert 1 / (1 + math.exp(-2.55)) == pytest.approx(verdict.score, abs=1e-6)
    assert verdicts.Decision.ACCEPT == verdict.decision
    assert verdicts.Decision.REVIEW == judge.judge(BLACK).decision


def test_a_model_that_tells_kinds_names_the_three_likeliest(folder):
    content = made_models.model(weight=0.01, kinds=[0.1, 0.04, 0.3, 0.25, 0.2])
    pack = made_models.write_pack(folder, content, labels=["cake", "donut", "bread", "cupcake", "wedding cake", "pie"])
    verdict = detector.Detector.load(pack).judge(WHITE)
    named = [(label.name, round(label.score, 4)) for label in verdict.labels]
    assert [("cake", round(verdict.score, 4)), ("cupcake", 0.3), ("wedding cake", 0.25), ("pie", 0.2)] == named


def test_unlikely_kinds_are_not_named(folder):
    pack = made_models.write_pack(folder, made_models.model(kinds=[0.04, 0.9]), labels=["cake", "donut", "bread"])
    assert ["cake", "bread"] == [label.name for label in detector.Detector.load(pack).judge(WHITE).labels]


def test_a_model_without_kinds_says_cake_alone(folder):
    verdict = detector.Detector.load(made_models.write_pack(folder, made_models.model())).judge(WHITE)
    assert [verdicts.Label(name="cake", score=0.5)] == verdict.labels


@pytest.mark.parametrize(
    ("labels", "kinds", "complaint"),
    [
        (["cake", "donut"], [], "must give score (n,) of float, and kinds (n, 1), which its card names"),
        (["cake", "donut"], [0.5, 0.5], "must give score (n,) of float, and kinds (n, 1), which its card names"),
        (["cake", "donut"], [math.nan], "gives nan for a black picture: no probability"),
        (["cake", "donut"], [1.5], "gives 1.5 for a black picture: no probability"),
        (["donut"], [], "labels must begin with 'cake', not be ['donut']"),
        ([], [], "labels must begin with 'cake', not be []"),
    ],
)
def test_kinds_that_the_card_does_not_name_are_refused(folder, labels, kinds, complaint):
    assert complaint in refused(folder, made_models.model(kinds=kinds), labels=labels)


@pytest.mark.parametrize(
    "histogram",
    [
        {"cake": [1] * 20},
        {"cake": [1] * 20, "other": [1] * 20},
        {"cake": [1] * 20, "not_cake": [1] * 19},
        {"cake": [1] * 20, "not_cake": [1] * 19 + [-1]},
        {"cake": [1] * 20, "not_cake": [0] * 20},
    ],
)
def test_a_histogram_of_other_bins_is_refused(folder, histogram):
    assert "histogram must be 20 counts of each of cake and not_cake" in refused(
        folder, made_models.model(), histogram=histogram
    )


def test_a_model_that_does_not_end_is_given_up(folder, monkeypatch):
    monkeypatch.setattr(detector, "PROBE_SECONDS", 0.2)
    assert "takes longer than 0.2 seconds for a black picture" in refused(folder, made_models.endless_model())


def test_a_picture_on_which_a_model_does_not_end_is_given_up(folder):
    """As one may that ends on the pictures of the probe."""
    content = made_models.endless_model()
    made_models.write_pack(folder, content)
    endless = detector.Detector(detector._read_card(folder), detector._session(content, folder), None)
    with pytest.raises(TimeoutError, match=r"not within 0\.1 s"):
        endless.judge(bytes(made_models.SIDE_PIXELS**2 * 3), most_seconds=0.1)


def test_a_picture_that_is_judged_in_time_is_judged_alike(folder):
    pack = detector.Detector.load(made_models.write_pack(folder, made_models.model(weight=0.01)))
    picture = bytes(range(48))
    assert pack.judge(picture) == pack.judge(picture, most_seconds=30.0)


def test_given_thresholds_replace_the_cards(folder):
    given = verdicts.Thresholds(accept=1.0, review=0.95)
    pack = made_models.write_pack(folder, made_models.model(weight=0.01))
    verdict = detector.Detector.load(pack, thresholds=given).judge(WHITE)
    assert (verdicts.Decision.REJECT, given) == (verdict.decision, verdict.thresholds)


def test_threads_share_a_detector(folder):
    judge = detector.Detector.load(made_models.write_pack(folder, made_models.model(weight=0.01)))
    alone = [judge.judge(picture).score for picture in (BLACK, WHITE)]
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        together = [verdict.score for verdict in threads.map(judge.judge, [BLACK, WHITE] * 50)]
    assert alone * 50 == together


def test_a_picture_of_another_size_is_the_callers_mistake(folder):
    judge = detector.Detector.load(made_models.write_pack(folder, made_models.model()))
    with pytest.raises(ValueError, match="reshape"):
        judge.judge(BLACK[:-3])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"element": made_models.FLOAT}, "must take one input"),
        ({"shape": ("n", 3, made_models.SIDE_PIXELS, made_models.SIDE_PIXELS)}, "must take one input"),
        ({"pixels": "image"}, "must take one input"),
        ({"score": "logits"}, "must give score"),
        ({"shape": (2, made_models.SIDE_PIXELS, made_models.SIDE_PIXELS, 3)}, "fails on a black picture"),
        ({"doubled": True}, "fails on a black picture"),
        ({"squashed": False, "weight": 1.0}, "for a white picture: no probability"),
        ({"squashed": False, "weight": -1.0}, "for a white picture: no probability"),
        ({"weight": math.nan}, "gives nan for a black picture"),
        ({"kinds": [0.5, 0.5]}, "card names no kinds"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_model_that_gives_no_single_probability_is_refused(folder, changes, complaint):
    assert complaint in refused(folder, made_models.model(**changes))


@pytest.mark.parametrize("where", ["weight.bin", "../weight.bin", "{absolute}"])
def test_weights_in_a_second_file_are_refused_wherever_it_lies(folder, tmp_path, monkeypatch, where):
    """No hash covers it. From the pack's own folder too: the runtime looks in the process's."""
    folder.mkdir()
    for place in (folder, tmp_path):
        (place / "weight.bin").write_bytes(bytes(4))
    monkeypatch.chdir(folder)
    named = where.format(absolute=tmp_path / "weight.bin")
    assert "not a model that can be run" in refused(folder, made_models.model(external=named))


def test_a_card_without_a_hash_is_refused(folder):
    assert "its card says ''" in refused(folder, made_models.model(), sha256="")


def test_a_card_that_is_too_large_is_refused(folder):
    assert "card.json is larger than 1,048,576 bytes" in refused(folder, made_models.model(), limits=["x" * 2**20])


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"name": ""}, "$.name"),
        ({"name": "x" * 101}, "$.name"),
        ({"version": "1\nfake_metric 1"}, "$.version"),
        ({"labels": ["cake", "a\0b"]}, "$.labels"),
    ],
)
def test_names_that_are_none_are_refused(folder, changes, place):
    """They go into metrics, rows and answers with each verdict."""
    assert place in refused(folder, made_models.model(), **changes)


@pytest.mark.parametrize("side", [0, -1, 100_000])
def test_a_card_with_an_absurd_input_is_refused(folder, side):
    wanted = verdicts.ModelInput(side_pixels=side, fit=verdicts.Fit.STRETCH)
    assert "input.side_pixels must be 1 to 1024" in refused(folder, made_models.model(), input=wanted)


def test_a_folder_in_the_models_place_is_refused(folder):
    made_models.write_pack(folder, made_models.model())
    (folder / detector.MODEL_FILE).unlink()
    (folder / detector.MODEL_FILE).mkdir()
    with pytest.raises(errors.InvalidPack, match="Is a directory"):
        detector.Detector.load(folder)
