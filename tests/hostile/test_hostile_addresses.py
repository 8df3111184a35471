"""Addresses inside, in every disguise that we know of: none is connected to, and all get one answer."""

import ipaddress

import pytest
from address_vectors import LITERALS, PUBLIC, VECTORS
from picture_hosts import Internet, hosted

from cakegate.adapters.fetcher import addresses
from cakegate.domain import errors

#: Where the tests' own host of pictures is, as far as the fetcher knows.
OUTSIDE = "93.184.215.14"

#: What can be said in a Location: absolute, and no character that ends a line.
REDIRECTS = tuple(
    vector for vector in VECTORS if "://" in vector.url and vector.url.isascii() and vector.url.strip().isprintable()
)


def named(vector):
    return vector.text.encode("unicode_escape").decode()[:60] or "nothing"


class Strangers(Internet):
    """Every name but the host's own resolves to what the vector says."""

    def __init__(self):
        super().__init__()
        self.answers = ()

    async def resolve(self, name, port):
        if name == "cakes.example":
            return [OUTSIDE]
        self.asked.append(name)
        return list(self.answers)


@pytest.fixture(scope="module")
async def internet():
    async with hosted() as host:
        strangers = Strangers()
        strangers.host = host
        strangers.listening[OUTSIDE, 80] = host.port
        strangers.open = strangers.fetcher(total_seconds=5.0)
        yield strangers


@pytest.fixture
def strangers(internet):
    internet.forget()
    internet.host.answers.clear()
    internet.host.heads.clear()
    return internet


def test_the_table_is_as_long_as_promised_and_says_nothing_twice():
    texts = [vector.text for vector in VECTORS]

    assert 150 <= len(texts) == len(set(texts))
    assert all(vector.what and vector.source for vector in VECTORS)


@pytest.mark.parametrize("vector", LITERALS, ids=named)
def test_an_address_inside_is_refused(vector):
    assert addresses.refusal(ipaddress.ip_address(vector.text)) is not None


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_not_refused(text):
    assert addresses.refusal(ipaddress.ip_address(text)) is None


@pytest.mark.parametrize("vector", VECTORS, ids=named)
async def test_nothing_is_connected_to(strangers, vector):
    strangers.answers = vector.answers

    with pytest.raises(errors.PictureNotAllowed):
        await strangers.open.fetch(vector.url)

    assert [] == strangers.connected_to
    # What is no plain name is refused before anybody is asked what it might mean.
    assert bool(vector.answers) is bool(strangers.asked)


@pytest.mark.parametrize("vector", LITERALS, ids=named)
async def test_nothing_is_connected_to_by_a_name_either(strangers, vector):
    strangers.answers = (vector.text,)

    with pytest.raises(errors.PictureNotAllowed):
        await strangers.open.fetch("https://inside.example/a.jpg")

    assert ([], ["inside.example"]) == (strangers.connected_to, strangers.asked)


@pytest.mark.parametrize("vector", REDIRECTS, ids=named)
async def test_a_redirect_leads_there_no_more_than_an_address_does(strangers, vector):
    strangers.answers = vector.answers
    strangers.host.redirect("/a.jpg", vector.url.strip())

    # What is odd enough to be read as a path of the same host gets no answer there.
    with pytest.raises(errors.PictureNotAllowed if vector.is_literal or vector.answers else errors.PictureError):
        await strangers.open.fetch("http://cakes.example/a.jpg")

    assert {(OUTSIDE, 80)} == set(strangers.connected_to)


@pytest.mark.parametrize("vector", REDIRECTS, ids=named)
async def test_a_page_s_picture_leads_there_no_more_than_an_address_does(strangers, vector):
    strangers.answers = vector.answers
    page = f'<!doctype html><meta property="og:image" content="{vector.url}">'.encode()
    strangers.host.answer("/page", page, Content_Type="text/html")

    # What is odd enough to be read as a path of the same host gets no answer there.
    with pytest.raises(errors.PictureNotAllowed if vector.is_literal or vector.answers else errors.PictureError):
        await strangers.open.fetch("http://cakes.example/page")

    assert {(OUTSIDE, 80)} == set(strangers.connected_to)
