"""What kinds are called in answers."""

import msgspec
import numpy as np

from cakegate.training import data, kinds


def pictures(told, archives):
    """Pictures of these kinds, one each, told as "label:name"."""
    names = sorted(set(told))
    empty = np.zeros(len(told))
    return data.Pictures(
        pixels=empty,
        labels=empty,
        kinds=np.array([names.index(name) for name in told]),
        kind_names=names,
        told=[name.partition(":")[2] for name in told],
        archives=archives,
        sources=archives,
        files=told,
        hashes=empty,
        mirrored_hashes=empty,
    )


def merged(told, archives):
    names, matrix, of_cakes = kinds.merging(pictures(told, archives), things=["tiny"])
    return (
        names,
        {name: names[int(np.argmax(row))] for name, row in zip(sorted(set(told)), matrix, strict=True)},
        dict(zip(sorted(set(told)), of_cakes.tolist(), strict=True)),
    )


def test_one_thing_of_several_names_is_told_as_one():
    names, called, of_cakes = merged(["0:donut", "0:donuts", "1:cup_cakes", "1:cupcake"], ["shops.tar"] * 4)
    assert ["cupcake", "donut"] == names
    assert {"0:donut": "donut", "0:donuts": "donut", "1:cup_cakes": "cupcake", "1:cupcake": "cupcake"} == called
    assert {"0:donut": 0.0, "0:donuts": 0.0, "1:cup_cakes": 1.0, "1:cupcake": 1.0} == of_cakes


def test_everyday_things_are_not_named_but_what_is_also_known_from_elsewhere_is():
    archives = ["tiny-32px.tar", "tiny-32px.tar", "shops.tar"]
    names, called, _ = merged(["0:African elephant", "0:ice cream", "0:ice cream"], archives)
    assert ["ice cream", "other thing"] == names
    assert {"0:African elephant": "other thing", "0:ice cream": "ice cream"} == called


def test_a_plain_cake_is_not_told_by_the_name_of_the_score():
    assert ["other cake"] == merged(["1:cake"], ["shops.tar"])[0]


def test_no_kinds_are_no_kinds():
    nothing = msgspec.structs.replace(pictures(["0:x"], ["a"]), kinds=np.array([-1]), kind_names=[])
    names, matrix, of_cakes = kinds.merging(nothing, things=["tiny"])
    assert ([], (0, 0), (0,)) == (names, matrix.shape, of_cakes.shape)
