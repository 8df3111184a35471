"""What is held out of training, and what a folder of labelled pictures must be."""

import io
import tarfile

import msgspec
import numpy as np
import pytest
from PIL import Image

from cakegate import drawings
from cakegate.domain import errors, verdicts
from cakegate.training import config, data, limits

CONFIG = config.load()


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
        archives=archives,
        sources=sources,
        files=[f"{place}.jpg" for place in range(count)],
        hashes=spread if hashes is None else hashes,
    )


def shops(count=40, each=10):
    return pictures(["shops.tar"] * count * each, [f"site {place // each}" for place in range(count * each)])


def test_whole_shops_are_held_out_a_quarter_at_least():
    given = shops()
    split = data.split(given, CONFIG)
    trained = {given.sources[place] for place in split.training}
    assert set() == trained & set(split.held_out_sources)
    assert {given.sources[place] for place in split.validation} == set(split.held_out_sources)
    assert 10 <= len(split.held_out_sources) <= 15
    assert "held-out shops" == split.validated_on


def test_the_same_shops_are_held_out_whatever_else_is_there():
    given = shops()
    fewer = given.take(np.arange(200))
    more = data.split(given, CONFIG).held_out_sources
    assert [name for name in more if name in fewer.sources] == data.split(fewer, CONFIG).held_out_sources


def test_near_copies_of_training_pictures_are_no_validation():
    given = shops()
    before = data.split(given, CONFIG)
    copied = given.hashes.copy()
    copied[before.validation[:5]] = copied[before.training[0]] ^ np.uint64(0b111111)
    copied[before.validation[5]] = copied[before.training[0]] ^ np.uint64(0b1111111)
    after = data.split(msgspec.structs.replace(given, hashes=copied), CONFIG)
    assert before.validation[5:].tolist() == after.validation.tolist()


def test_drawings_train_only_and_count_as_nobodys_original():
    given = shops()
    both = pictures(given.archives + ["drawn"] * 20, given.sources + ["drawn"] * 20)
    hashes = both.hashes.copy()
    hashes[-20:] = hashes[data.split(given, CONFIG).validation[0]]
    split = data.split(msgspec.structs.replace(both, hashes=hashes), CONFIG)
    assert set(range(400, 420)) <= set(split.training.tolist())
    assert data.split(both, CONFIG).validation.tolist() == split.validation.tolist()


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


def test_unreadable_files_are_passed_over_and_counted(tmp_path):
    (tmp_path / "cake").mkdir()
    (tmp_path / "cake" / "good.jpg").write_bytes(jpeg(1))
    (tmp_path / "cake" / "cut.jpg").write_bytes(jpeg(2)[:400])
    (tmp_path / "cake" / "poem.jpg").write_text("no picture", encoding="utf-8")
    loaded = data.load(tmp_path, side_pixels=8)
    assert (["cake/good.jpg"], 2, (1, 8, 8, 3)) == (loaded.files, loaded.unreadable, loaded.pixels.shape)


def test_a_near_copy_has_nearly_the_same_hash():
    first = data.difference_hash(drawings.draw_cake(3))
    again = data.difference_hash(drawings.draw_cake(3).resize((200, 150), Image.Resampling.BOX))
    other = data.difference_hash(drawings.draw_cake(4))
    assert (first ^ again).bit_count() <= CONFIG.holdout.near_duplicate_bits < (first ^ other).bit_count()


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
