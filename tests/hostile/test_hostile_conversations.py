"""Hosts that are public and mean harm: redirects, names that change their mind, answers without end or sense."""

import asyncio
import itertools
import socket
import ssl

import conversations
import pytest
from conversations import BROKEN, CLOSE, ENDLESS, LENGTH, PICTURE, TAKEN
from picture_hosts import Internet, hosted, nameless

from cakegate.domain import errors

#: Two hosts of the tests' own, as far as a fetcher knows.
HERE, THERE = "93.184.215.14", "93.184.215.15"


@pytest.fixture(scope="module")
async def one_internet():
    async with hosted() as here, hosted() as there:
        made = Internet()
        made.here, made.there = here, there
        made.listening = {(HERE, 80): here.port, (THERE, 80): there.port}
        # One for all tests: each reads all certificates of the system.
        made.open = made.fetcher(
            total_seconds=10.0, max_bytes=conversations.MAX_BYTES, max_page_bytes=conversations.MAX_PAGE_BYTES
        )
        yield made


@pytest.fixture
def internet(one_internet):
    """As nobody has been there yet."""
    one_internet.names = {"cakes.example": [[HERE]], "other.example": [[THERE]], "inside.example": [["10.0.0.1"]]}
    one_internet.forget()
    for host in (one_internet.here, one_internet.there):
        host.answers.clear()
        host.heads.clear()
    return one_internet


@pytest.fixture
async def fetcher(internet):
    yield internet.open
    assert await internet.all_closed()


@pytest.mark.parametrize("name", ENDLESS)
async def test_what_never_ends_is_ended_after_a_bounded_number_of_bytes(internet, fetcher, name):
    first, then, error, most_bytes = ENDLESS[name]

    async def without_end(writer):
        writer.write(first)
        while True:
            writer.write(then)
            await writer.drain()

    internet.here.answers["/a.jpg"] = without_end

    with pytest.raises(error) as caught:
        await fetcher.fetch("http://cakes.example/a.jpg")

    assert "not within" not in caught.value.detail
    assert internet.received_bytes <= most_bytes + conversations.READ_BYTES


@pytest.mark.parametrize("name", BROKEN)
async def test_an_answer_that_is_not_http_is_no_picture(internet, fetcher, name):
    answer = BROKEN[name]

    async def and_close(writer):
        writer.write(answer)
        writer.close()

    internet.here.answers["/a.jpg"] = and_close
    with pytest.raises(errors.PictureUnreachable):
        await fetcher.fetch("http://cakes.example/a.jpg")


@pytest.mark.parametrize("name", TAKEN)
async def test_an_odd_answer_leads_nowhere_else(internet, fetcher, name):
    answer = TAKEN[name]

    async def and_close(writer):
        writer.write(answer)
        writer.close()

    internet.here.answers["/a.jpg"] = and_close
    assert PICTURE == (await fetcher.fetch("http://cakes.example/a.jpg")).content
    assert [(HERE, 80)] == internet.connected_to


async def test_an_answer_too_many_is_not_the_next_request_s(internet, fetcher):
    extra = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    internet.here.answers["/a.jpg"] = b"HTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n" + PICTURE + extra
    internet.here.answers["/b.jpg"] = CLOSE + LENGTH + b"\r\n" + PICTURE

    await fetcher.fetch("http://cakes.example/a.jpg")

    assert PICTURE == (await fetcher.fetch("http://cakes.example/b.jpg")).content


@pytest.mark.parametrize(
    "to",
    [
        "http://inside.example/",
        "https://inside.example/",
        "//inside.example/",
        "http://other.example@inside.example/",
        "http://cakes.example@10.0.0.1/",
        "http://user:password@other.example/a.jpg",
        "http://other.example:8080/a.jpg",
        "http://other.example:0/a.jpg",
        "http://other.example:22/a.jpg",
        "ftp://other.example/a.jpg",
        "file:///etc/passwd",
        "gopher://other.example:80/_GET",
        "data:image/png;base64,AAAA",
        "HTTP://[::ffff:10.0.0.1]/",
        "http://other.example\t@10.0.0.1/",
        "http://" + "a" * 5000,
    ],
)
async def test_no_redirect_leads_inside_or_astray(internet, fetcher, to):
    for status in ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"):
        internet.connected_to.clear()
        internet.here.redirect("/a.jpg", to, status)

        with pytest.raises(errors.PictureNotAllowed):
            await fetcher.fetch("http://cakes.example/a.jpg")

        assert [(HERE, 80)] == internet.connected_to


async def test_a_redirect_by_way_of_another_public_host_is_checked_too(internet, fetcher):
    internet.here.redirect("/a.jpg", "http://other.example/b.jpg")
    internet.there.redirect("/b.jpg", "http://inside.example/latest/meta-data/")

    with pytest.raises(errors.PictureNotAllowed):
        await fetcher.fetch("http://cakes.example/a.jpg")

    assert [(HERE, 80), (THERE, 80)] == internet.connected_to


@pytest.mark.parametrize("lead", [["/a", "/a"], ["/a", "/b", "/a"], ["/a", "/b", "/c", "/d", "/e"]])
async def test_a_loop_or_a_chain_ends_after_three_redirects(internet, fetcher, lead):
    for origin, target in itertools.pairwise(lead):
        internet.here.redirect(origin, target)

    with pytest.raises(errors.PictureNotAllowed, match="more than 3 redirects"):
        await fetcher.fetch("http://cakes.example/a")

    assert 4 == len(internet.here.heads)


@pytest.mark.parametrize("status", ["300 Multiple Choices", "304 Not Modified", "305 Use Proxy", "306 Unused"])
async def test_other_redirects_are_not_followed(internet, fetcher, status):
    internet.here.redirect("/a.jpg", "http://other.example/a.jpg", status)

    with pytest.raises(errors.PictureNotAllowed):
        await fetcher.fetch("http://cakes.example/a.jpg")

    assert [(HERE, 80)] == internet.connected_to


@pytest.mark.parametrize("location", ["", None])
async def test_a_redirect_to_nowhere_is_worth_another_try(internet, fetcher, location):
    named = {"Location": location} if location is not None else {}
    internet.here.answer("/a.jpg", status="302 Found", **named)

    with pytest.raises(errors.PictureUnreachable, match="nowhere"):
        await fetcher.fetch("http://cakes.example/a.jpg")


async def test_two_locations_are_one_address_that_is_no_host_inside(internet, fetcher):
    internet.here.answers["/a.jpg"] = (
        b"HTTP/1.1 302 Found\r\nLocation: http://other.example/a.jpg\r\nLocation: http://10.0.0.1/\r\n"
        b"Connection: close\r\nContent-Length: 0\r\n\r\n"
    )

    with pytest.raises(errors.PictureError):
        await fetcher.fetch("http://cakes.example/a.jpg")

    assert ("10.0.0.1", 80) not in internet.connected_to


@pytest.mark.parametrize("second", [["127.0.0.1"], ["169.254.169.254"], ["fd00:ec2::254"], [HERE, "10.0.0.1"]])
@pytest.mark.parametrize("way", ["redirect", "page"])
async def test_a_name_that_resolves_inside_the_second_time_is_not_followed(internet, fetcher, second, way):
    internet.names["rebind.example"] = [[HERE], second]
    if way == "redirect":
        internet.here.answer("/a", status="302 Found", length=False, Location="http://rebind.example/b")
    else:
        page = b"<!doctype html><meta property=og:image content=http://rebind.example/b>"
        internet.here.answer("/a", page, length=False, Content_Type="text/html")

    with pytest.raises(errors.PictureNotAllowed):
        await fetcher.fetch("http://rebind.example/a")

    assert (["rebind.example"] * 2, [(HERE, 80)]) == (internet.asked, internet.connected_to)


async def test_what_was_checked_is_connected_to_and_a_name_is_asked_for_once_a_connection(internet, fetcher):
    internet.names["rebind.example"] = [[HERE], ["127.0.0.1"]]
    internet.here.answer("/a.jpg", PICTURE)

    assert PICTURE == (await fetcher.fetch("http://rebind.example/a.jpg")).content
    assert (["rebind.example"], [(HERE, 80)]) == (internet.asked, internet.connected_to)

    with pytest.raises(errors.PictureNotAllowed):
        await fetcher.fetch("http://rebind.example/a.jpg")
    assert [(HERE, 80)] == internet.connected_to


@pytest.mark.parametrize("number", [socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)])
async def test_a_name_that_is_not_there_gets_the_answer_of_one_inside(internet, fetcher, number):
    internet.names["vault.internal"] = [socket.gaierror(number, "no such name")]

    with pytest.raises(errors.PictureNotAllowed):
        await fetcher.fetch("http://vault.internal/a.jpg")


@pytest.mark.parametrize("number", [socket.EAI_AGAIN, socket.EAI_FAIL])
async def test_a_resolver_in_trouble_is_worth_another_try(internet, fetcher, number):
    internet.names["cakes.example"] = [socket.gaierror(number, "try again")]

    with pytest.raises(errors.PictureUnreachable):
        await fetcher.fetch("http://cakes.example/a.jpg")


async def test_what_comes_through_tls_is_counted_as_well():
    async with hosted(nameless(ssl.PROTOCOL_TLS_SERVER)) as host:
        internet = Internet()
        internet.names, internet.listening = {"cakes.example": [[HERE]]}, {(HERE, 443): host.port}
        fetcher = internet.fetcher()
        fetcher._guard._tls = nameless(ssl.PROTOCOL_TLS_CLIENT)
        host.answer("/a.jpg", PICTURE)
        host.answers["/b.jpg"] = b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000

        assert PICTURE == (await fetcher.fetch("https://cakes.example/a.jpg")).content
        with pytest.raises(errors.PictureTooLarge, match="mostly not content"):
            await fetcher.fetch("https://cakes.example/b.jpg")

        assert internet.received_bytes < conversations.SLACK_BYTES + 2 * conversations.READ_BYTES
        assert await internet.all_closed()


class CancelsOnConnect(Internet):
    """The deadline strikes at the very moment at which a connection was made."""

    async def connected(self, *arguments, **named):
        connection = await super().connected(*arguments, **named)
        asyncio.current_task().cancel()
        return connection


async def test_a_fetch_that_is_cancelled_while_it_connects_leaves_no_connection_behind(internet):
    cancelling = CancelsOnConnect()
    cancelling.names, cancelling.listening = internet.names, internet.listening
    fetcher = cancelling.fetcher()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(fetcher.fetch("http://cakes.example/a.jpg"))

    assert await cancelling.all_closed()
