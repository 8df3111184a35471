"""Limits of a cake at the edge, and the marker in its picture's address."""

import string

import hypothesis.strategies as st
import pytest
from hypothesis import given

from cakegate.domain import cakes, errors


def draft(**changes):
    fields = {
        "name": "Lemon cheesecake",
        "comment": "A cheesecake made of lemon",
        "image_url": "http://pictures.example/lemon.jpg",
        "yum_factor": 3,
    }
    return cakes.CakeDraft(**{**fields, **changes})


def complaints(**changes):
    with pytest.raises(errors.InvalidCake) as caught:
        cakes.check_draft(draft(**changes))
    return caught.value.fields


@pytest.mark.parametrize("length", [5, 30])
def test_names_of_five_to_thirty_characters_pass(length):
    assert "x" * length == cakes.check_draft(draft(name="x" * length)).name


@pytest.mark.parametrize("length", [0, 4, 31])
def test_other_names_are_refused_with_their_length(length):
    assert f"it has {length}" in complaints(name="x" * length)["name"]


@pytest.mark.parametrize("length", [5, 200])
def test_comments_of_five_to_two_hundred_characters_pass(length):
    assert "x" * length == cakes.check_draft(draft(comment="x" * length)).comment


@pytest.mark.parametrize("length", [4, 201])
def test_other_comments_are_refused(length):
    assert {"comment"} == set(complaints(comment="x" * length))


def test_white_space_around_texts_does_not_count():
    assert {"name"} == set(complaints(name="  abcd  "))
    assert "abcde" == cakes.check_draft(draft(name="  abcde  ")).name


def test_length_counts_characters_not_bytes():
    assert "ß" * 30 == cakes.check_draft(draft(name="ß" * 30)).name


@pytest.mark.parametrize("text", ["cake\x00cake", "cake\ncake", "cake\ud800cake", "cake\x85cake"])
def test_control_characters_and_lone_surrogates_are_refused_in_names(text):
    assert "control character" in complaints(name=text)["name"]


def test_comments_may_have_line_breaks():
    assert "two\nlines" == cakes.check_draft(draft(comment="two\nlines")).comment


@pytest.mark.parametrize("yum", [1, 2, 3, 4, 5])
def test_yum_factors_from_one_to_five_pass(yum):
    assert yum == cakes.check_draft(draft(yum_factor=yum)).yum_factor


@pytest.mark.parametrize("yum", [0, 6, -1, 10**30])
def test_other_yum_factors_are_refused(yum):
    assert {"yumFactor"} == set(complaints(yum_factor=yum))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "lemon.jpg",
        "//pictures.example/lemon.jpg",
        "ftp://pictures.example/lemon.jpg",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "http://",
        "http:///lemon.jpg",
        "http://user@pictures.example/",
        "http://user:password@pictures.example/",
        "http://pictures.example:0/",
        "http://pictures.example:99999/",
        "http://pictures.example:port/",
        "http://[::1/",
        "http://pictures.example/a b.jpg",
        "http://pictures.example/a\nb.jpg",
        "http://pictures.example\\@evil.example/",
        "http://pictures.example/\x00",
        "http://" + "x" * 2048,
    ],
)
def test_addresses_that_are_not_plain_web_addresses_are_refused(url):
    assert {"imageUrl"} == set(complaints(image_url=url))


def test_all_complaints_come_together():
    assert {"name", "comment", "yumFactor", "imageUrl"} == set(
        complaints(name="", comment="", yum_factor=9, image_url="")
    )


def test_a_clients_own_fragment_is_dropped():
    cleaned = cakes.check_draft(draft(image_url="http://pictures.example/lemon.jpg#cakegate=" + "x" * 22))

    assert "http://pictures.example/lemon.jpg" == cleaned.image_url


tokens = st.text(string.ascii_letters + string.digits + "-_", min_size=16, max_size=64)
addresses = st.builds(
    "https://pictures.example/{}?{}".format,
    st.text(string.ascii_letters + string.digits + "/%&=.", max_size=40),
    st.text(string.ascii_letters + string.digits + "&=.", max_size=40),
)


@given(address=addresses, token=tokens)
def test_a_marker_can_be_read_back_and_stripped(address, token):
    marked = cakes.with_marker(address, token)

    assert token == cakes.marker_of(marked)
    assert address == cakes.strip_marker(marked)


@given(address=addresses, token=tokens)
def test_marking_twice_is_marking_once(address, token):
    marked = cakes.with_marker(address, token)

    assert marked == cakes.with_marker(marked, token)


@pytest.mark.parametrize("fragment", ["", "top", "cakegate", "cakegate=", "cakegate=short", "cakegate=" + "ä" * 20])
def test_other_fragments_are_no_marker_and_stay(fragment):
    address = f"http://pictures.example/lemon.jpg#{fragment}" if fragment else "http://pictures.example/lemon.jpg"

    assert cakes.marker_of(address) is None
    assert address == cakes.strip_marker(address)


def test_the_public_form_of_a_stored_cake_hides_the_marker_and_nothing_else():
    address = cakes.with_marker("http://pictures.example/lemon.jpg", "t" * 22)
    stored = cakes.StoredCake(id="1", item={"id": 1, "imageUrl": address, "extra": [1]}, marker="t" * 22)

    assert {"id": 1, "imageUrl": "http://pictures.example/lemon.jpg", "extra": [1]} == stored.public()


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "a\\b", "x" * 201, "\x00", "\ud800"])
def test_what_can_be_nobodys_id_is_no_cake(text):
    with pytest.raises(errors.CakeNotFound):
        cakes.check_id(text)


@pytest.mark.parametrize("text", ["7", "a-b_c", "lemon cake", "..7", "crème", "x" * 200])
def test_ids_are_numbers_or_text(text):
    assert text == cakes.check_id(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://p.example/A.jpg", "http://p.example/A.jpg#cakegate=" + "t" * 22, True),
        ("HTTP://P.Example/A.jpg", "http://p.example/A.jpg", True),
        ("http://p.example/A.jpg", "http://p.example/a.jpg", False),
        ("http://p.example/a.jpg", "https://p.example/a.jpg", False),
        ("http://p.example/a.jpg?x=1", "http://p.example/a.jpg", False),
    ],
)
def test_two_spellings_of_one_address_are_one_picture(one, other, same):
    assert same == cakes.same_picture(one, other)
