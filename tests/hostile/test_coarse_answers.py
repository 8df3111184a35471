"""What a client learns of an address that could not be used: one of four words, and nothing to scan ports with."""

import asyncio

import msgspec
import pytest

from cakegate.adapters.fetcher import client as fetching
from cakegate.domain.submissions import Reason, State, UnusableReason
from cakegate.gateway import answers, problems


def told(row):
    """All that a client is told of a submission, by its POST and by its own address, less what names it."""
    post = answers.to_post(row)
    document = msgspec.to_builtins(answers.view_of(row))
    for name in ("id", "createdAt", "updatedAt", "links"):
        del document[name]
    if isinstance(post, problems.Problem):
        extensions = {name: value for name, value in post.extensions.items() if name != "submission"}
        return document, post.kind, post.detail, dict(post.headers), extensions
    return document, post.status, {name: value for name, value in post.headers.items() if name != "Location"}


@pytest.fixture
async def unresolved(judged):
    """The flow with a resolver that knows what lies inside, and remembers what it was asked."""
    asked = []

    async def resolve(name, port):
        asked.append(name)
        return ["10.96.0.1"]

    fetcher = fetching.Fetcher(judged.context.config.fetch, resolve=resolve)
    judges = msgspec.structs.replace(judged.context.judges, fetcher=fetcher)
    judged.context = msgspec.structs.replace(judged.context, judges=judges)
    judged.asked = asked
    return judged


@pytest.fixture
async def open_port():
    """A service inside, and how often it was connected to."""
    connections = []
    server = await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], connections
    for writer in connections:
        writer.close()
    server.close()


@pytest.mark.parametrize("way", ["{}", "{host}/redirect", "{host}/page"])
async def test_targets_inside_cannot_be_told_apart(unresolved, host, open_port, free_tcp_port, way):
    port, connections = open_port
    targets = [
        f"http://127.0.0.1:{port}/",  # somebody listens
        f"http://127.0.0.1:{free_tcp_port}/",  # nobody listens
        "http://127.0.0.1/",
        "http://10.255.255.254/",  # no such host
        "http://10.0.0.1:22/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://service.inside.example/",  # resolves inside
    ]
    found = []
    for target in targets:
        host.redirect("/redirect", target)
        page = f"<!doctype html><meta property=og:image content={target}>"
        host.answer("/page", page.encode(), Content_Type="text/html")
        row = await unresolved.of(way.replace("{}", target).replace("{host}", host.url))
        assert {"fetch"} >= {name for name in row.timings if not name.startswith("queue-")}
        found.append((row.state, row.reason, row.fetch_attempts, told(row)))

    assert [found[0]] * len(targets) == found
    assert (State.REJECTED, Reason.IMAGE_NOT_ALLOWED, 0) == found[0][:3]
    # No clock can tell either: it never came to a connection.
    assert [] == connections
    assert ["service.inside.example"] == unresolved.asked


async def slow(writer):
    await asyncio.sleep(30)


#: What a host answers, and what its submission comes to when all attempts are spent.
ENDS = {
    "a private address": ("http://10.0.0.1/", Reason.IMAGE_NOT_ALLOWED, UnusableReason.NOT_ALLOWED),
    "another scheme": ("ftp://8.8.8.8/a.jpg", Reason.IMAGE_NOT_ALLOWED, UnusableReason.NOT_ALLOWED),
    "another port": ("http://8.8.8.8:6379/", Reason.IMAGE_NOT_ALLOWED, UnusableReason.NOT_ALLOWED),
    "a refusal": ("403 Forbidden", Reason.IMAGE_NOT_ALLOWED, UnusableReason.NOT_ALLOWED),
    "too many redirects": ("/loop", Reason.IMAGE_NOT_ALLOWED, UnusableReason.NOT_ALLOWED),
    "gone": ("404 Not Found", Reason.IMAGE_GONE, UnusableReason.UNREACHABLE),
    "in trouble": ("503 Service Unavailable", Reason.IMAGE_UNREACHABLE, UnusableReason.UNREACHABLE),
    "garbage for HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", Reason.IMAGE_UNREACHABLE, UnusableReason.UNREACHABLE),
    "hanging up": (b"", Reason.IMAGE_UNREACHABLE, UnusableReason.UNREACHABLE),
    "too many bytes": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n",
        Reason.IMAGE_TOO_LARGE,
        UnusableReason.TOO_LARGE,
    ),
    "too much around it": (
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
        Reason.IMAGE_TOO_LARGE,
        UnusableReason.TOO_LARGE,
    ),
    "a text": ("200 OK", Reason.IMAGE_NOT_AN_IMAGE, UnusableReason.NOT_AN_IMAGE),
    "an encoding": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx",
        Reason.IMAGE_NOT_AN_IMAGE,
        UnusableReason.NOT_AN_IMAGE,
    ),
}


def address_of(what, host):
    """Where a host answers like that."""
    if isinstance(what, bytes):
        host.answers["/a.jpg"] = what
    elif what[0].isdigit():
        host.answer("/a.jpg", b"a poem", status=what)
    elif "://" in what:
        return what
    else:
        return host.redirect("/loop", "/loop")
    return f"{host.url}/a.jpg"


async def test_each_class_of_trouble_ends_in_one_of_four_words(judged, host):
    found = {}
    for name, (what, *_) in ENDS.items():
        row = await judged.of(address_of(what, host))
        while row.state is State.PENDING:
            row = await judged.again(row)
        document, kind, detail = told(row)[:3]
        found[name] = what, row.reason, document["imageProblem"]

        assert "image-unusable" == document["reason"]
        assert kind in {problems.IMAGE_UNUSABLE, problems.SUBMISSION_FAILED}
        assert row.detail is not None
        assert row.detail not in str((document, detail))

    assert ENDS == found
    assert set(UnusableReason) == {word for *_, word in found.values()}


async def test_trouble_that_may_pass_is_told_as_nothing_but_work(judged, host, free_tcp_port):
    """A client that asks while attempts are left cannot tell a host that is slow from one that refuses."""
    host.answers["/slow"] = slow
    config = msgspec.structs.replace(
        judged.context.config.fetch,
        total_seconds=0.2,
        allow=(*judged.context.config.fetch.allow, f"127.0.0.1:{free_tcp_port}"),
    )
    judges = msgspec.structs.replace(judged.context.judges, fetcher=fetching.Fetcher(config))
    judged.context = msgspec.structs.replace(judged.context, judges=judges)
    rows = [await judged.of(f"{host.url}/slow"), await judged.of(f"http://127.0.0.1:{free_tcp_port}/a.jpg")]

    assert [State.PENDING] * 2 == [row.state for row in rows]
    assert told(rows[0]) == told(rows[1])
