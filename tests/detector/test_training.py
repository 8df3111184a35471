"""Training itself, on drawings, for some seconds. Needs the training library: `make model` installs it."""

import math
import re

import msgspec
import numpy as np
import pytest
from click import testing

from cakegate import drawings
from cakegate.adapters import detector
from cakegate.domain import errors
from cakegate.training import config, data, verbs

torch = pytest.importorskip("torch")

from cakegate.training import augmenting, fitting, network, packing, running  # noqa: E402 - only where it is there

# Of the exporter about its own ways.
pytestmark = pytest.mark.filterwarnings("default")

SMALL = """
name = "small"
version = "1"
seed = 1
side_pixels = 48
trained_pixels = 32
stored_pixels = 40
widths = [8, 8, 16, 16]
blocks = [1, 1, 1]
dropout = 0.1
batch = 16
learning_rate = 4e-3
weight_decay = 0.01
warmup_share = 0.1
ema = 0.9
label_smoothing = 0.05
auxiliary_weight = 0.3
mixup_share = 0.3
cutmix_share = 0.3
crop_least_area = 0.4
flip_averaged = true
things = []
drawn_pictures = 4
weights = {drawn = 0.1, other = 0.9}
holdout = {sources_file = "", source_share = 0.3, picture_share = 0.1, near_duplicate_bits = 2}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """120 drawings, half of them cakes, from 15 sources and of two kinds."""
    made = tmp_path_factory.mktemp("labelled")
    rows = ["archive,file,label,source,kind"]
    for label, kind, draw in (("cake", "cupcake", drawings.draw_cake), ("not_cake", "bread", drawings.draw_other)):
        (made / label).mkdir()
        for seed in range(3000, 3060):
            draw(seed, (80, 60)).save(made / label / f"{seed}.jpg")
            rows.append(f",{label}/{seed}.jpg,{label},site {seed % 15},{kind}")
    (made / "manifest.csv").write_text("\n".join(rows), encoding="utf-8")
    (made / "small.toml").write_text(SMALL, encoding="utf-8")
    return made


def order(folder, out, **changes):
    given = running.Order(
        folder=folder,
        out=out,
        config=config.load(folder / "small.toml"),
        minutes=None,
        samples=480,
        start=None,
        threads=1,
        resume=False,
        notes=["drawings"],
    )
    return msgspec.structs.replace(given, **changes)


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """A pack of 480 samples, its card, and what the run said."""
    said = []
    out = tmp_path_factory.mktemp("pack")
    return out, running.run(order(folder, out), say=said.append), said


def test_a_run_writes_a_pack_that_a_worker_takes(folder, trained):
    out, card, said = trained
    judge = detector.Detector.load(out)
    assert (card, ["cake", "bread", "cupcake"], ["drawings"]) == (judge.card, card.labels, card.training_data)
    assert "held-out sources; " in said[0]
    assert re.fullmatch(r"samples +480  loss \d\.\d{3}  auc [01]\.\d{4}  left 0\.0 min", said[-1])
    assert {"held-out sources", "re-encoded and rescaled"} <= set(card.metrics)
    held = [row for row in data.read(folder) if row.source in card.held_out_sources]
    assert card.metrics["held-out sources"]["pictures"] <= len(held)
    assert sum(map(sum, card.histogram.values())) == card.metrics["held-out sources"]["pictures"]


def test_the_cards_figures_are_what_evaluate_finds(folder, trained):
    out, card, _ = trained
    shown = testing.CliRunner().invoke(verbs.model, ["evaluate", str(folder), "--pack", str(out), "--held-out"]).stdout
    figures = card.metrics["held-out sources"]
    assert figures["auc"] == pytest.approx(float(re.search(r"^auc (\S+)", shown, re.MULTILINE)[1]), abs=0.02)


def test_a_packs_weights_are_those_of_its_run(trained):
    out, _, _ = trained
    own = fitting.averaged(out / "checkpoint.pt")
    found = packing.weights(out)
    assert {name for name in own if not name.endswith("num_batches_tracked")} == set(found)
    assert 0.0 == max(float((found[name] - own[name]).abs().max()) for name in found)


@pytest.mark.parametrize("start", ["checkpoint.pt", "."])
def test_a_run_begins_where_another_ended(folder, trained, tmp_path, start):
    out, _, _ = trained
    said = []
    running.run(order(folder, tmp_path, start=out / start, samples=16), say=said.append)
    assert f"begun from {out / start}" == said[1]


def test_a_run_does_not_begin_from_a_network_of_another_shape(folder, trained, tmp_path):
    out, _, _ = trained
    wider = msgspec.structs.replace(config.load(folder / "small.toml"), widths=[8, 8, 16, 24])
    with pytest.raises(errors.InvalidSettings, match="of another shape"):
        running.run(order(folder, tmp_path, start=out, config=wider), say=lambda _: None)


def test_a_run_does_not_begin_from_what_is_no_checkpoint(folder, tmp_path):
    with pytest.raises(errors.InvalidSettings, match="is no checkpoint"):
        running.run(order(folder, tmp_path, start=folder / "small.toml"), say=lambda _: None)


def test_a_run_goes_on_where_it_was_stopped(folder, tmp_path):
    said = []
    running.run(order(folder, tmp_path, samples=160), say=said.append)
    running.run(order(folder, tmp_path, samples=320, resume=True), say=said.append)
    assert ["resumed"] == [line for line in said if "samples" not in line and "pictures" not in line]
    assert ["160", "320"] == [line.split()[1] for line in said if line.startswith("samples")]


def test_the_first_budget_that_is_spent_ends_a_run(folder, tmp_path):
    said = []
    running.run(order(folder, tmp_path, samples=10**9, minutes=0.001), say=said.append)
    assert int(said[-1].split()[1].replace(",", "")) < 480


def exported(*, flip_averaged, merging):
    torch.manual_seed(2)
    net = network.Network(SETUP, kinds=3).eval()
    of_cakes = torch.tensor([1.0, 1.0, 0.0])
    return network.Exported(
        net, temperature=0.7, flip_averaged=flip_averaged, merging=merging, of_cakes=of_cakes
    ).eval()


SETUP = msgspec.structs.replace(config.load(), widths=[8, 8, 16, 16], blocks=[1, 1, 1])
PIXELS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 48, 48, 3), dtype=np.uint8))


@torch.no_grad()
def test_kinds_of_cakes_add_up_to_the_score_and_the_others_to_the_rest():
    merging = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    score, told = exported(flip_averaged=False, merging=merging)(PIXELS)
    assert score.tolist() == pytest.approx(told[:, 0].tolist(), abs=1e-6)
    assert (1 - score).tolist() == pytest.approx(told[:, 1].tolist(), abs=1e-6)


@torch.no_grad()
def test_a_picture_and_its_mirror_image_score_alike_where_both_are_judged():
    both, one = (exported(flip_averaged=flip, merging=torch.zeros(3, 0)) for flip in (True, False))
    assert both(PIXELS)[0].tolist() == pytest.approx(both(PIXELS.flip(2))[0].tolist(), abs=1e-6)
    assert one(PIXELS)[0].tolist() != pytest.approx(one(PIXELS.flip(2))[0].tolist(), abs=1e-6)


def test_what_is_cut_and_pasted_is_the_share_that_is_said():
    batch = torch.stack([torch.zeros(3, 64, 64), torch.ones(3, 64, 64)])
    pasted, share = augmenting.cut_and_paste(batch, share=0.7, generator=torch.Generator().manual_seed(3))
    assert 0.7 == pytest.approx(share, abs=0.03)
    assert [1 - share, share] == pytest.approx(pasted.mean(dim=(1, 2, 3)).tolist(), abs=1e-6)


def test_augmented_pictures_are_of_the_trained_size_and_in_bounds():
    found = augmenting.augment(PIXELS, side_pixels=32, least_area=0.4, generator=torch.Generator().manual_seed(1))
    assert (4, 3, 32, 32) == tuple(found.shape)
    assert 0.0 <= float(found.min()) <= float(found.max()) <= 1.0
    assert not math.isnan(float(found.mean()))
