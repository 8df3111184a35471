"""The fetcher on uvloop, as the worker runs it: its transports are not asyncio's."""

import asyncio
import gc
import ssl

import picture_hosts
import pytest
import uvloop

from cakegate.domain import errors

ADDRESS = "93.184.215.14"
PICTURE = b"\xff\xd8\xff\xe0 a picture as far as anybody looks here " * 20_000


async def endless(writer):
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(bytes(100_000))
        await writer.drain()


async def silent(writer):
    await asyncio.sleep(30)


async def cut_off(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort")
    writer.transport.abort()


def internet_of(host, *, port):
    internet = picture_hosts.Internet()
    internet.names, internet.listening = {"cakes.example": [[ADDRESS]]}, {(ADDRESS, port): host.port}
    return internet


@pytest.fixture(autouse=True)
def _nothing_is_left_to_the_collector():
    """What is left open shows when it is collected: warnings are errors."""
    yield
    gc.collect()


def test_pictures_come_whole():
    async def fetched():
        async with picture_hosts.hosted() as host:
            internet = internet_of(host, port=80)
            host.answer("/a.jpg", PICTURE)
            found = await asyncio.gather(*(internet.fetcher().fetch("http://cakes.example/a.jpg") for _ in range(8)))
            assert await internet.all_closed()
            return [each.content for each in found]

    assert [PICTURE] * 8 == uvloop.run(fetched())


def test_pictures_come_whole_through_tls():
    async def fetched():
        async with picture_hosts.hosted(picture_hosts.nameless(ssl.PROTOCOL_TLS_SERVER)) as host:
            internet = internet_of(host, port=443)
            fetcher = internet.fetcher()
            fetcher._guard._tls = picture_hosts.nameless(ssl.PROTOCOL_TLS_CLIENT)
            host.answer("/a.jpg", PICTURE)
            found = await fetcher.fetch("https://cakes.example/a.jpg")
            assert await internet.all_closed()
            return found.content

    assert PICTURE == uvloop.run(fetched())


def test_a_host_without_a_certificate_that_we_trust_is_unreachable():
    async def fetched():
        async with picture_hosts.hosted(picture_hosts.nameless(ssl.PROTOCOL_TLS_SERVER)) as host:
            internet = internet_of(host, port=443)
            with pytest.raises(errors.PictureUnreachable, match=r"cakes\.example cannot be spoken to"):
                await internet.fetcher().fetch("https://cakes.example/a.jpg")
            assert await internet.all_closed()

    uvloop.run(fetched())


@pytest.mark.parametrize(
    ("answer", "error", "detail"),
    [
        (endless, errors.PictureTooLarge, "more than"),
        (silent, errors.PictureUnreachable, "not within"),
        (cut_off, errors.PictureUnreachable, "ProtocolError|Connection"),
        (b"", errors.PictureUnreachable, "before it answers"),
    ],
)
def test_what_is_given_up_leaves_no_connection_behind(answer, error, detail):
    async def fetched():
        async with picture_hosts.hosted() as host:
            internet = internet_of(host, port=80)
            host.answers["/a.jpg"] = answer
            with pytest.raises(error, match=detail):
                await internet.fetcher(total_seconds=0.3, max_bytes=300_000).fetch("http://cakes.example/a.jpg")
            assert await internet.all_closed()

    uvloop.run(fetched())
