"""Fetching from a real host over a real socket: answers, redirects, pages, and hosts that misbehave."""

import asyncio
import gzip
import socket
import zlib

import picture_hosts
import pytest

from cakegate.domain import errors

PICTURE = b"\xff\xd8\xff\xe0 not looked at by the fetcher " * 1000


def page(*head, base=""):
    return f"<!doctype html><html><head><title>Cake</title>{base}{''.join(head)}</head><body>".encode()


def og(address, prop="og:image"):
    return f'<meta property="{prop}" content="{address}">'


async def test_a_picture_comes_as_it_is_whatever_its_type_says(host, fetcher):
    for kind in ("image/jpeg", "text/plain", "text/html; charset=utf-8", "application/octet-stream", ""):
        fetched = await fetcher.fetch(host.answer("/a.jpg", PICTURE, Content_Type=kind))
        assert PICTURE == fetched.content
        assert f"{host.url}/a.jpg" == fetched.url


async def test_the_fragment_stays_here_and_no_secret_is_told(host, fetcher):
    host.answer("/a.jpg?size=1", PICTURE, Set_Cookie="tracked=yes")
    for _ in range(2):
        await fetcher.fetch(f"{host.url}/a.jpg?size=1#cakegate=token")
    for head in host.heads:
        lines = [line.lower() for line in head.splitlines()]
        assert "get /a.jpg?size=1 http/1.1" == lines[0]
        assert f"host: 127.0.0.1:{host.port}" in lines
        assert {"accept-encoding: identity", "connection: close"} <= set(lines)
        assert not [line for line in lines if line.startswith(("cookie", "referer", "authorization", "proxy"))]
    assert 2 == host.connections


async def test_proxy_variables_are_ignored(host, open_fetcher, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    fetcher = open_fetcher(allow=(f"127.0.0.1:{host.port}",))
    assert PICTURE == (await fetcher.fetch(host.answer("/a.jpg", PICTURE))).content


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("404 Not Found", errors.PictureGone),
        ("410 Gone", errors.PictureGone),
        ("400 Bad Request", errors.PictureNotAllowed),
        ("401 Unauthorized", errors.PictureNotAllowed),
        ("403 Forbidden", errors.PictureNotAllowed),
        ("407 Proxy Authentication Required", errors.PictureNotAllowed),
        ("451 Unavailable For Legal Reasons", errors.PictureNotAllowed),
        ("304 Not Modified", errors.PictureNotAllowed),
        ("408 Request Timeout", errors.PictureUnreachable),
        ("425 Too Early", errors.PictureUnreachable),
        ("429 Too Many Requests", errors.PictureUnreachable),
        ("500 Internal Server Error", errors.PictureUnreachable),
        ("503 Service Unavailable", errors.PictureUnreachable),
        ("599 Odd", errors.PictureUnreachable),
    ],
)
async def test_a_status_is_final_or_worth_another_try(host, fetcher, status, error):
    with pytest.raises(error):
        await fetcher.fetch(host.answer("/a.jpg", PICTURE, status=status))


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_followed(host, fetcher, status):
    host.answer("/b.jpg", PICTURE)
    fetched = await fetcher.fetch(host.redirect("/a.jpg", "/b.jpg", status))
    assert PICTURE == fetched.content
    assert f"{host.url}/b.jpg" == fetched.url


async def test_as_many_redirects_are_followed_as_are_set_and_no_more(host, fetcher):
    for number in range(4):
        host.redirect(f"/{number}", f"/{number + 1}")
    host.answer("/4", PICTURE)
    assert PICTURE == (await fetcher.fetch(f"{host.url}/1")).content
    with pytest.raises(errors.PictureNotAllowed, match="more than 3 redirects"):
        await fetcher.fetch(f"{host.url}/0")
    with pytest.raises(errors.PictureNotAllowed):
        await fetcher.fetch(host.redirect("/loop", "/loop"))


@pytest.mark.parametrize(
    "to",
    [
        "http://127.0.0.1:80/",
        "http://localhost/",
        "http://10.0.0.1/a.jpg",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://2130706433/",
        "//127.0.0.1/",
        "\\\\127.0.0.1\\a",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "javascript:alert(1)",
        "http://user:password@8.8.8.8/",
        "http://8.8.8.8:22/",
        "http://[::1",
        "https://[fe80::1%25eth0]/",
    ],
)
async def test_a_redirect_is_checked_as_the_first_address(host, open_fetcher, to):
    async def resolve(name, port):
        return ["127.0.0.1"]

    fetcher = open_fetcher(resolve=resolve, allow=(f"127.0.0.1:{host.port}",), total_seconds=5.0)
    # What is read as a path of the allowed host gets no answer there.
    with pytest.raises((errors.PictureNotAllowed, errors.PictureUnreachable)) as caught:
        await fetcher.fetch(host.redirect("/a.jpg", to))
    assert isinstance(caught.value, errors.PictureNotAllowed) or to.startswith("\\")


async def test_a_redirect_to_another_port_inside_never_arrives(host, other_host, fetcher):
    with pytest.raises(errors.PictureNotAllowed):
        await fetcher.fetch(host.redirect("/a.jpg", other_host.answer("/a.jpg", PICTURE)))
    assert 0 == other_host.connections


async def test_a_redirect_to_nowhere_is_worth_another_try(host, fetcher):
    with pytest.raises(errors.PictureUnreachable):
        await fetcher.fetch(host.answer("/a.jpg", status="302 Found"))


@pytest.mark.parametrize(
    "head",
    [
        og("/cake.jpg"),
        og("cake.jpg"),
        og("{url}/cake.jpg"),
        og("//{netloc}/cake.jpg"),
        og("/cake.jpg?a=1&amp;b=2"),
        og("/cake.jpg", "og:image:secure_url") + og("/other.jpg"),
        og("/other.jpg", "twitter:image") + og("/cake.jpg"),
        '<meta name="twitter:image" content="/cake.jpg">',
        "<META CONTENT='/cake.jpg' PROPERTY='OG:Image' />",
        "<meta content=/cake.jpg property=og:image>",
        '<meta charset=x><meta data-a="&gt;>" property="og:image" content="  /cake.jpg ">',
        "<!-- " + og("/other.jpg") + " -->" + og("/cake.jpg"),
        "<script>" + og("/other.jpg") + "</script>" + og("/cake.jpg"),
        '<meta property="og:image" content="">' + og("/cake.jpg"),
        '<base href="/deep/folder/">' + og("../../cake.jpg"),
    ],
)
async def test_a_page_s_picture_is_followed(host, fetcher, head):
    head = head.replace("{url}", host.url).replace("{netloc}", f"127.0.0.1:{host.port}")
    for path in ("/cake.jpg", "/cake.jpg?a=1&b=2"):
        host.answer(path, PICTURE)
    host.answer("/other.jpg", b"other")
    fetched = await fetcher.fetch(host.answer("/page", page(head), Content_Type="text/html"))
    assert PICTURE == fetched.content
    assert fetched.url.startswith(f"{host.url}/cake.jpg")


@pytest.mark.parametrize(
    "content",
    [
        page(og("/cake.jpg")),
        b"\xef\xbb\xbf\r\n<!-- a > b --><html>" + og("/cake.jpg").encode(),
        b"<?xml version='1.0'?><!DOCTYPE html>" + og("/cake.jpg").encode(),
        ("\ufeff<html>" + og("/cake.jpg")).encode("utf-16"),
    ],
)
async def test_a_page_is_known_by_its_beginning_too(host, fetcher, content):
    host.answer("/cake.jpg", PICTURE)
    assert PICTURE == (await fetcher.fetch(host.answer("/page", content, Content_Type="image/jpeg"))).content


@pytest.mark.parametrize(
    "content",
    [
        page(),
        page(og("http://[::1")),
        page(og("/nowhere", "og:video")),
        b"<html><!-- " + og("/cake.jpg").encode(),
        b"<html><script>" + og("/cake.jpg").encode(),
        b"<html>" + b"<" * 15_000 + og("/cake.jpg").encode(),
    ],
)
async def test_a_page_that_names_no_picture_is_no_image(host, fetcher, content):
    host.answer("/cake.jpg", page())
    with pytest.raises(errors.PictureNotAnImage):
        await fetcher.fetch(host.answer("/page", content, Content_Type="text/html"))


async def test_a_page_behind_a_page_is_not_followed(host, fetcher):
    host.answer("/second", page(og("/third.jpg")), Content_Type="text/html")
    host.answer("/third.jpg", PICTURE)
    with pytest.raises(errors.PictureNotAnImage):
        await fetcher.fetch(host.answer("/first", page(og("/second")), Content_Type="text/html"))
    assert ["/first", "/second"] == host.paths


async def test_of_a_long_page_the_beginning_is_read(host, fetcher):
    host.answer("/cake.jpg", PICTURE)
    long = page(og("/cake.jpg")) + b"x" * 10_000_000
    assert PICTURE == (await fetcher.fetch(host.answer("/page", long, length=False))).content
    late = page() + b"x" * 30_000 + og("/cake.jpg").encode()
    with pytest.raises(errors.PictureNotAnImage):
        await fetcher.fetch(host.answer("/late", late))


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/", "file:///etc/passwd", "http://127.0.0.1:22/", "data:,x"]
)
async def test_a_page_s_picture_is_checked_as_the_first_address(host, fetcher, address):
    with pytest.raises(errors.PictureNotAllowed):
        await fetcher.fetch(host.answer("/page", page(og(address))))


async def test_a_picture_may_have_exactly_as_many_bytes_as_allowed(host, fetcher):
    exact = b"\xff" * 200_000
    assert exact == (await fetcher.fetch(host.answer("/a.jpg", exact))).content
    assert exact == (await fetcher.fetch(host.answer("/b.jpg", exact, length=False))).content


async def test_a_picture_too_large_is_refused_by_its_length_or_while_it_comes(host, fetcher):
    with pytest.raises(errors.PictureTooLarge, match="says 200001"):
        await fetcher.fetch(host.answer("/a.jpg", b"\xff" * 200_001))
    with pytest.raises(errors.PictureTooLarge, match="more than 200000"):
        await fetcher.fetch(host.answer("/b.jpg", b"\xff" * 200_001, length=False))


async def test_an_endless_body_is_cut_off(host, fetcher):
    sent = 0

    async def endless(writer):
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"2000\r\n" + b"\xff" * 0x2000 + b"\r\n")
            sent += 0x2000
            await writer.drain()

    host.answers["/a.jpg"] = endless
    with pytest.raises(errors.PictureTooLarge):
        await fetcher.fetch(f"{host.url}/a.jpg")
    assert sent < 20_000_000


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress), ("GZIP", gzip.compress)],
)
async def test_a_compressed_body_is_expanded_though_nobody_asked_for_it(host, fetcher, encoding, pack):
    fetched = await fetcher.fetch(host.answer("/a.jpg", pack(PICTURE), Content_Encoding=encoding))
    assert PICTURE == fetched.content


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compression_bomb_is_counted_expanded(host, fetcher, encoding, pack):
    bomb = pack(b"\0" * 100_000_000)
    assert len(bomb) < 200_000
    with pytest.raises(errors.PictureTooLarge):
        await fetcher.fetch(host.answer("/a.jpg", bomb, Content_Encoding=encoding))


async def test_compressed_bytes_that_expand_to_nothing_are_counted_too(host, fetcher):
    nothing = gzip.compress(b"") * 20_000
    with pytest.raises(errors.PictureTooLarge):
        await fetcher.fetch(host.answer("/a.jpg", nothing, Content_Encoding="gzip", length=False))


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("br", b"\x0b\x02\x80cake\x03"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("compress", b"\x1f\x9d"),
        ("gzip, gzip", gzip.compress(gzip.compress(PICTURE))),
        ("gzip", b"no gzip"),
        ("gzip", gzip.compress(PICTURE)[:-20]),
        ("deflate", b"\xff" * 100),
        ("a" * 300, b""),
    ],
)
async def test_an_encoding_that_is_unknown_or_broken_is_no_image(host, fetcher, encoding, content):
    with pytest.raises(errors.PictureNotAnImage):
        await fetcher.fetch(host.answer("/a.jpg", content, Content_Encoding=encoding))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff\xfe garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nConnection: close\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\nConnection: close\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 50\r\nConnection: close\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\ngarbage\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nshort\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header: x\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 60_000 + b"Connection: close\r\n\r\n",
    ],
)
async def test_a_broken_answer_is_worth_another_try(host, fetcher, answer):
    host.answers["/a.jpg"] = answer
    with pytest.raises(errors.PictureUnreachable):
        await fetcher.fetch(f"{host.url}/a.jpg")


async def test_a_length_of_thousands_of_digits_breaks_nothing(host, fetcher):
    host.answers["/a.jpg"] = b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\nConnection: close\r\n\r\n"
    with pytest.raises((errors.PictureTooLarge, errors.PictureUnreachable)):
        await fetcher.fetch(f"{host.url}/a.jpg")


async def dripping_head(writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def dripping_body(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"\xff")
        await writer.drain()
        await asyncio.sleep(0.02)


async def silent(writer):
    await asyncio.sleep(30)


@pytest.mark.parametrize("answer", [dripping_head, dripping_body, silent])
async def test_one_deadline_ends_a_slow_host_however_it_is_slow(host, open_fetcher, answer):
    fetcher = open_fetcher(allow=(f"127.0.0.1:{host.port}",), total_seconds=0.3)
    host.answers["/a.jpg"] = answer
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(errors.PictureUnreachable, match=r"not within 0\.3 s"):
        await fetcher.fetch(f"{host.url}/a.jpg")
    assert 1.0 > loop.time() - began


async def test_the_deadline_is_one_for_all_redirects_and_pages(host, open_fetcher):
    fetcher = open_fetcher(allow=(f"127.0.0.1:{host.port}",), total_seconds=0.3)

    def slowly(answer):
        async def after_a_while(writer):
            await asyncio.sleep(0.15)
            writer.write(answer)
            await writer.drain()

        return after_a_while

    host.redirect("/a.jpg", "/page")
    host.answer("/page", page(og("/b.jpg")))
    host.answer("/b.jpg", PICTURE)
    host.answers = {path: slowly(answer) for path, answer in host.answers.items()}
    with pytest.raises(errors.PictureUnreachable):
        await fetcher.fetch(f"{host.url}/a.jpg")


async def test_what_was_given_up_leaves_no_connection_behind(host):
    internet = picture_hosts.Internet()
    internet.listening["127.0.0.1", host.port] = host.port
    fetcher = internet.fetcher(allow=(f"127.0.0.1:{host.port}",), total_seconds=0.3)
    host.answers["/slow"] = silent
    given_up = await asyncio.gather(*(fetcher.fetch(f"{host.url}/slow") for _ in range(70)), return_exceptions=True)
    assert {errors.PictureUnreachable} == {type(each) for each in given_up}
    # On a busy machine some are given up before they connect.
    assert internet.connected_to
    assert await internet.all_closed()
    assert PICTURE == (await fetcher.fetch(host.answer("/a.jpg", PICTURE))).content


async def test_a_host_that_refuses_connections_is_unreachable(open_fetcher):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(errors.PictureUnreachable, match="cannot be connected to"):
        await open_fetcher(allow=(f"127.0.0.1:{port}",)).fetch(f"http://127.0.0.1:{port}/a.jpg")
