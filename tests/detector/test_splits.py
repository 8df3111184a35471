"""What is held out of training, and what a folder of labelled pictures must be."""

import io
import tarfile

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageOps

from cakegate import drawings
from cakegate.adapters import detector
from cakegate.domain import errors, verdicts
from cakegate.training import config, data, limits

CONFIG = config.load()
LISTED = [f"site {place}" for place in range(0, 40, 4)]
SHOPS = msgspec.structs.replace(CONFIG, holdout=msgspec.structs.replace(CONFIG.holdout, sources=LISTED))


def pictures(archives, sources, *, hashes=None):
    """Pictures without pixels, cakes and others in turn; without `hashes` no two are alike."""
    count = len(archives)
    spread = np.random.default_rng(0).integers(0, 2**63, count, dtype=np.uint64)
    nothing = np.zeros(count, dtype=np.int64)
    return data.Pictures(
        pixels=nothing,
        labels=np.arange(count) % 2,
        kinds=nothing,
        kind_names=[],
        told=[""] * count,
        archives=archives,
        sources=sources,
        files=[f"{place}.jpg" for place in range(count)],
        hashes=spread if hashes is None else hashes,
        mirrored_hashes=~spread,
    )


def shops(count=40, each=10):
    return pictures(["shops.tar"] * count * each, [f"site {place // each}" for place in range(count * each)])


def test_the_listed_shops_are_held_out_whole():
    given = shops()
    split = data.split(given, SHOPS)
    trained = {given.sources[place] for place in split.training}
    assert set() == trained & set(LISTED)
    assert {given.sources[place] for place in split.validation} == set(LISTED)
    assert (sorted(LISTED), "held-out shops") == (split.held_out_sources, split.validated_on)


def test_a_listed_shop_is_held_out_in_whatever_archive_its_pictures_are():
    given = pictures(
        ["shops.tar"] * 300 + ["mixed.tar"] * 100, [f"site {place % 10}" for place in range(300)] + ["site 0"] * 100
    )
    split = data.split(given, SHOPS)
    assert {"site 0", "site 4", "site 8"} == {given.sources[place] for place in split.validation}
    assert "mixed.tar" not in {given.archives[place] for place in split.training}


def test_of_archives_without_a_listed_shop_a_small_share_of_pictures_is_kept_apart():
    given = pictures(["shops.tar"] * 400 + ["dishes.tar"] * 1000, shops().sources + ["dishes"] * 1000)
    split = data.split(given, SHOPS)
    assert {"dishes.tar"} == {given.archives[place] for place in split.apart}
    assert 30 <= len(split.apart) <= 90
    assert set() == set(split.apart.tolist()) & set(split.training.tolist())


def test_the_shipped_list_is_the_shipped_packs():
    card = detector.Detector.load(detector.starter_pack()).card
    assert sorted(card.held_out_sources) == sorted(CONFIG.holdout.sources)


def test_what_the_shipped_pack_was_finished_with_holds_out_the_same_and_fits_its_weights():
    finish = config.load(config.STARTER.with_name("finish.toml"))
    assert (CONFIG.holdout, CONFIG.widths, CONFIG.blocks) == (finish.holdout, finish.widths, finish.blocks)
    assert detector.Detector.load(detector.starter_pack()).card.version == finish.version


def test_a_list_that_is_not_there_is_named(tmp_path):
    copy = tmp_path / "mine.toml"
    copy.write_text(config.STARTER.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(errors.InvalidSettings, match=r"held-out\.txt"):
        config.load(copy)


def test_a_side_that_the_network_cannot_halve_is_refused(tmp_path):
    copy = tmp_path / "mine.toml"
    text = config.STARTER.read_text(encoding="utf-8").replace('sources_file = "held-out.txt"', 'sources_file = ""')
    copy.write_text(text.replace("side_pixels = 160", "side_pixels = 150"), encoding="utf-8")
    with pytest.raises(errors.InvalidSettings, match="side_pixels must be a multiple of 16, not 150"):
        config.load(copy)


def test_near_copies_of_training_pictures_are_no_validation():
    given = shops()
    before = data.split(given, SHOPS)
    copied = given.hashes.copy()
    copied[before.validation[:5]] = copied[before.training[0]] ^ np.uint64(0b111111)
    copied[before.validation[5]] = copied[before.training[0]] ^ np.uint64(0b1111111)
    after = data.split(msgspec.structs.replace(given, hashes=copied), SHOPS)
    assert before.validation[5:].tolist() == after.validation.tolist()


def test_near_copies_of_training_pictures_mirror_images_are_no_validation():
    given = shops()
    before = data.split(given, SHOPS)
    copied = given.hashes.copy()
    copied[before.validation[:5]] = given.mirrored_hashes[before.training[0]] ^ np.uint64(0b111111)
    after = data.split(msgspec.structs.replace(given, hashes=copied), SHOPS)
    assert before.validation[5:].tolist() == after.validation.tolist()


def test_drawings_train_only_and_count_as_nobodys_original():
    given = shops()
    both = pictures(given.archives + ["drawn"] * 20, given.sources + ["drawn"] * 20)
    hashes = both.hashes.copy()
    hashes[-20:] = hashes[data.split(given, SHOPS).validation[0]]
    split = data.split(msgspec.structs.replace(both, hashes=hashes), SHOPS)
    assert set(range(400, 420)) <= set(split.training.tolist())
    assert data.split(both, SHOPS).validation.tolist() == split.validation.tolist()


def test_sources_of_any_name_are_held_out_where_there_are_enough():
    given = pictures(["mine"] * 200, [f"source {place // 10}" for place in range(200)])
    split = data.split(given, CONFIG)
    assert "held-out sources" == split.validated_on
    assert set() == {given.sources[place] for place in split.training} & set(split.held_out_sources)


def test_pictures_are_held_out_where_sources_are_unknown():
    given = pictures(["mine"] * 200, ["mine"] * 200)
    split = data.split(given, CONFIG)
    assert ("held-out pictures", []) == (split.validated_on, split.held_out_sources)
    assert 200 == len(split.training) + len(split.validation)
    assert 40 <= len(split.validation) <= 80


@pytest.mark.parametrize("labels", [[0] * 200, [1] * 200])
def test_one_label_alone_is_refused_before_training(labels):
    given = msgspec.structs.replace(pictures(["mine"] * 200, ["mine"] * 200), labels=np.array(labels))
    with pytest.raises(errors.InvalidSettings, match="both cakes and others"):
        data.split(given, CONFIG)


def jpeg(seed):
    buffer = io.BytesIO()
    drawings.draw_cake(seed, (64, 48)).save(buffer, "JPEG")
    return buffer.getvalue()


def test_archives_are_read_with_their_manifest(tmp_path):
    with tarfile.open(tmp_path / "shops.tar", "w") as archive:
        for name in ("./cake/a.jpg", "not_cake/b.jpg", "readme.txt"):
            content = jpeg(1)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    (tmp_path / "manifest.csv").write_text(
        "archive,file,label,source,kind\nshops.tar,cake/a.jpg,cake,a site,\nshops.tar,not_cake/b.jpg,not_cake,,pie\n",
        encoding="utf-8",
    )
    rows = [(row.file, row.label, row.source, row.kind) for row in data.read(tmp_path)]
    assert [("cake/a.jpg", 1, "a site", ""), ("not_cake/b.jpg", 0, "shops.tar", "0:pie")] == rows


@pytest.mark.parametrize("manifest", ["a,b\n1,2\n", "archive,file,label\nx,y,gateau\n", "archive,file\nx\n"])
def test_a_manifest_that_is_none_is_refused(tmp_path, manifest):
    (tmp_path / "manifest.csv").write_text(manifest, encoding="utf-8")
    with pytest.raises(errors.InvalidSettings, match="columns archive, file, label"):
        list(data.read(tmp_path))


def test_a_manifest_may_leave_the_archive_of_loose_pictures_empty(tmp_path):
    (tmp_path / "cake").mkdir()
    (tmp_path / "cake" / "a.jpg").write_bytes(jpeg(1))
    manifest = "archive,file,label,source,kind\n,cake/a.jpg,cake,a host,cupcake\n"
    (tmp_path / "manifest.csv").write_text(manifest, encoding="utf-8")
    assert [("a host", "1:cupcake")] == [(row.source, row.kind) for row in data.read(tmp_path)]


def test_only_some_pictures_are_loaded_where_some_are_named(tmp_path):
    (tmp_path / "cake").mkdir()
    for name in ("a", "b"):
        (tmp_path / "cake" / f"{name}.jpg").write_bytes(jpeg(1))
    loaded = data.load(tmp_path, side_pixels=8, only={(tmp_path.name, "cake/b.jpg")})
    assert (["cake/b.jpg"], (1, 8, 8, 3)) == (loaded.files, loaded.pixels.shape)


def test_unreadable_files_are_passed_over_and_counted(tmp_path):
    (tmp_path / "cake").mkdir()
    (tmp_path / "cake" / "good.jpg").write_bytes(jpeg(1))
    (tmp_path / "cake" / "cut.jpg").write_bytes(jpeg(2)[:400])
    (tmp_path / "cake" / "poem.jpg").write_text("no picture", encoding="utf-8")
    loaded = data.load(tmp_path, side_pixels=8)
    assert (["cake/good.jpg"], 2, (1, 8, 8, 3)) == (loaded.files, loaded.unreadable, loaded.pixels.shape)


def test_a_near_copy_has_nearly_the_same_hash():
    drawing = drawings.draw_cake(3)
    first, mirrored = data.difference_hashes(drawing)
    again, _ = data.difference_hashes(drawing.resize((200, 150), Image.Resampling.BOX))
    turned, _ = data.difference_hashes(ImageOps.mirror(drawing).resize((200, 150), Image.Resampling.BOX))
    other, _ = data.difference_hashes(drawings.draw_cake(4))
    bits = CONFIG.holdout.near_duplicate_bits
    assert (first ^ again).bit_count() <= bits < (first ^ other).bit_count()
    assert (mirrored ^ turned).bit_count() <= bits < (first ^ turned).bit_count()


def test_a_card_names_the_kinds_its_own_model_got_wrong():
    labels = np.repeat([0, 0, 1, 1], 10)
    kinds = ["pie"] * 10 + ["pizza"] * 10 + ["loaf"] * 10 + [""] * 10
    scores = np.array([0.95] * 3 + [0.1] * 17 + [0.1] * 5 + [0.95] * 5 + [0.0] * 10)
    said = limits.stated(labels, scores, kinds=kinds, thresholds=verdicts.Thresholds(accept=0.9, review=0.2))
    assert [
        *limits.GENERAL,
        "Accepted of held-out pictures that show no cake, the worst kinds: pie 30% of 10.",
        "Rejected of held-out cakes, the worst kinds: loaf 50% of 10.",
    ] == said
