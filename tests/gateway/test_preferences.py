"""What clients say in headers."""

import pytest

from cakegate import settings
from cakegate.domain import errors
from cakegate.domain.renditions import Format
from cakegate.gateway import preferences
from cakegate.gateway.preferences import Wait

GROUP = settings.Gateway(wait_seconds=10, max_wait_seconds=60)


@pytest.mark.parametrize(
    ("prefer", "wait"),
    [
        (None, Wait(seconds=10)),
        ("", Wait(seconds=10)),
        ("return=minimal", Wait(seconds=10)),
        ("wait=soon", Wait(seconds=10)),
        ("wait=-1", Wait(seconds=10)),
        ("respond-async", Wait(seconds=0, applied="respond-async")),
        ("wait=5", Wait(seconds=5, applied="wait=5")),
        ('Wait="5"; x=y', Wait(seconds=5, applied="wait=5")),
        ("wait=0", Wait(seconds=0, applied="wait=0")),
        ("wait=999", Wait(seconds=60, applied="wait=60")),
        ("wait=3, wait=9", Wait(seconds=3, applied="wait=3")),
        ("respond-async, wait=7", Wait(seconds=7, applied="respond-async, wait=7")),
    ],
)
def test_the_wait_that_a_client_prefers(prefer, wait):
    assert wait == preferences.wait_of(prefer, GROUP)


@pytest.mark.parametrize(("value", "key"), [(None, None), ("k-1", "k-1"), ('"k-1"', "k-1"), ("x" * 255, "x" * 255)])
def test_an_idempotency_key_may_be_bare_or_quoted(value, key):
    assert key == preferences.idempotency_key_of(value)


@pytest.mark.parametrize("value", ["", '""', "x" * 256, "caf\u00e9", "a\tb"])
def test_a_key_that_is_none_is_refused(value):
    with pytest.raises(errors.BadParameter):
        preferences.idempotency_key_of(value)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, Format.JPEG),
        ("*/*", Format.JPEG),
        ("image/*", Format.JPEG),
        ("image/avif,image/webp,image/apng,*/*;q=0.8", Format.WEBP),
        ("image/webp;q=0.5, image/jpeg", Format.JPEG),
        ("image/webp;q=0, */*", Format.JPEG),
        ("image/jpeg;q=0, image/*", Format.WEBP),
        ("IMAGE/WEBP", Format.WEBP),
        ("nonsense", Format.JPEG),
    ],
)
def test_the_format_that_a_client_takes(accept, chosen):
    assert chosen == preferences.choose_format(accept, [Format.JPEG, Format.WEBP])


def test_what_there_is_not_cannot_be_chosen():
    assert Format.JPEG == preferences.choose_format("image/webp, */*;q=0.1", [Format.JPEG])
    with pytest.raises(errors.NotAcceptable):
        preferences.choose_format("image/webp", [Format.JPEG])
    with pytest.raises(errors.NotAcceptable):
        preferences.choose_format("text/html", [Format.JPEG, Format.WEBP])


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, False), ('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False)],
)
def test_what_the_client_has_already(header, expected):
    assert expected == preferences.matches(header, '"a"')
