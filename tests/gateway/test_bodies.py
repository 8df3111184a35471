"""What is decided about the bodies that clients send, case by case."""

import json

import pytest

from cakegate.domain import errors
from cakegate.gateway import bodies

CAKE = {"name": "Lemon cheesecake", "comment": "Made of lemon", "imageUrl": "http://p.example/l.jpg", "yumFactor": 3}


def draft(**changes):
    return bodies.draft_of(json.dumps({**CAKE, **changes}).encode())


def complaints(body: bytes) -> dict[str, str]:
    with pytest.raises(errors.InvalidCake) as caught:
        bodies.draft_of(body)
    return caught.value.fields


def test_a_cake_is_read_and_cleaned():
    read = draft(name="  Lemon cheesecake\n", imageUrl="http://p.example/l.jpg#cakegate=abcdefghijklmnop")

    assert ("Lemon cheesecake", "http://p.example/l.jpg", 3) == (read.name, read.image_url, read.yum_factor)


@pytest.mark.parametrize("given", [1, "x", None, {"a": [1]}])
def test_an_id_is_taken_and_ignored(given):
    assert draft() == draft(id=given)


@pytest.mark.parametrize("value", [3.5, "3", True, None, [3], 0, 6, -1, 3.0000001, 10**30])
def test_a_yum_factor_that_is_no_whole_number_from_1_to_5_is_refused(value):
    with pytest.raises((errors.InvalidCake, errors.BodyBroken)):
        draft(yumFactor=value)


def test_3_0_is_a_whole_number():
    assert 3 == draft(yumFactor=3.0).yum_factor


def test_an_unknown_field_is_refused_by_name():
    assert ["imageurl"] == list(complaints(json.dumps({**CAKE, "imageurl": "x"}).encode()))


def test_a_field_given_twice_is_refused():
    twice = json.dumps(CAKE).replace("}", ', "imageUrl": "http://elsewhere.example/"}')

    assert {"imageUrl": "is given more than once"} == complaints(twice.encode())


def test_every_complaint_comes_at_once():
    body = {"name": "Tart", "comment": 7, "imageUrl": "ftp://p.example/l", "yumFactor": 9, "x": 1}

    assert {"name", "comment", "imageUrl", "yumFactor", "x"} == {*complaints(json.dumps(body).encode())}


def test_what_is_missing_is_named():
    assert {"name", "comment", "imageUrl", "yumFactor"} == {*complaints(b"{}")}


def test_a_thousand_unknown_fields_are_not_a_thousand_complaints():
    body = json.dumps({**CAKE, **{f"field{'x' * 100}{number}": 1 for number in range(1000)}})

    found = complaints(body.encode())
    assert (True, True) == (len(found) <= 20, all(len(name) <= 60 for name in found))


@pytest.mark.parametrize("body", [b"[]", b'"cake"', b"7", b"null", b'[["name", "Lemon"]]'])
def test_json_that_is_no_object_is_no_cake(body):
    assert {"": "must be a JSON object"} == complaints(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'name': 1}",
        b'{"name": NaN}',
        b"\xff\xfe{}",
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"yumFactor": ' + b"1" * 10_000 + b"}",
        b'{"yumFactor": 1e999}',
        b"name=Lemon",
        b"{} {}",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_not_json_is_broken(body):
    with pytest.raises(errors.BodyBroken):
        bodies.draft_of(body)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"', "application/x+json"],
)
def test_json_by_its_own_words_is_read(content_type):
    bodies.check_media_type(content_type)


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "text/json", "application/x-www-form-urlencoded", "application/json; charset=latin-1"],
)
def test_anything_else_is_not(content_type):
    with pytest.raises(errors.MediaTypeUnknown):
        bodies.check_media_type(content_type)


def test_a_change_needs_no_picture():
    read = bodies.change_of(b'{"name": "Lemon tart", "comment": "Of lemon", "yumFactor": 4}')

    assert bodies.Change(name="Lemon tart", comment="Of lemon", yum_factor=4, image_url=None) == read


def test_a_change_is_held_to_the_limits_of_a_cake():
    with pytest.raises(errors.InvalidCake) as caught:
        bodies.change_of(b'{"name": "Tart", "comment": "Of lemon", "imageUrl": 7}')

    assert {"name", "yumFactor", "imageUrl"} == {*caught.value.fields}


@pytest.mark.parametrize(
    "body", [b'{"name":[' + b"{}," * 20_000 + b"{}]}", b'{"a":1,' * 9_000 + b'"b":1' + b"}" * 9_000]
)
def test_what_is_no_cake_anyhow_is_not_parsed_slowly(body, monkeypatch):
    monkeypatch.setattr(bodies.json, "loads", lambda *_, **__: pytest.fail("it was parsed twice"))

    with pytest.raises((errors.InvalidCake, errors.BodyBroken)):
        bodies.draft_of(body)
