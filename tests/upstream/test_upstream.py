"""What an answer of the legacy API proves: to reads, and to writes, which must never happen twice."""

import gzip
import json
import time

import pytest
import structlog
from prometheus_client import REGISTRY

from cakegate import settings
from cakegate.adapters import upstream
from cakegate.domain import cakes, errors
from cakegate.local import servers

DRAFT = cakes.CakeDraft(name="Lemon cheesecake", comment="Made of lemon", image_url="http://p.example/l", yum_factor=3)
MARKER = "abcdefghijklmnop"
ITEM = {"id": 7, "name": "Lemon cheesecake", "imageUrl": f"http://p.example/l#cakegate={MARKER}"}
WRITES = {
    "create": lambda client: client.create(DRAFT, marker=MARKER),
    "replace": lambda client: client.replace("7", ITEM),
    "delete": lambda client: client.delete("7"),
}
READS = {"list": lambda client: client.list(skip=0, limit=10), "get": lambda client: client.get("7")}
CALLS = {**WRITES, **READS}


def given(calls):
    return pytest.mark.parametrize("call", calls.values(), ids=calls)


async def test_a_page_is_asked_for_where_the_list_lives(scripted, client):
    scripted.will(json.dumps([ITEM]))

    assert [ITEM] == await client.list(skip=20, limit=10)
    assert scripted.requests[0].startswith(b"GET /api/cakes/?skip=20&limit=10 HTTP/1.1\r\n")


async def test_an_item_is_asked_for_without_a_slash_and_comes_with_its_marker(scripted, client):
    scripted.will(json.dumps(ITEM))

    assert cakes.StoredCake(id="7", item=ITEM, marker=MARKER) == await client.get("7")
    assert scripted.requests[0].startswith(b"GET /api/cakes/7 HTTP/1.1\r\n")


async def test_a_create_sends_the_cake_with_its_marker_in_the_fragment(scripted, client):
    scripted.will(json.dumps(ITEM))

    assert "7" == (await client.create(DRAFT, marker=MARKER)).id
    sent = json.loads(scripted.requests[0].partition(b"\r\n\r\n")[2])
    assert {
        "name": "Lemon cheesecake",
        "comment": "Made of lemon",
        "imageUrl": f"http://p.example/l#cakegate={MARKER}",
        "yumFactor": 3,
    } == sent


async def test_what_may_not_be_sent_any_more_is_not_sent_though_it_is_connected(scripted, client):
    scripted.will(json.dumps(ITEM))

    with pytest.raises(errors.UpstreamLate):
        await client.create(DRAFT, marker=MARKER, deadline=upstream.clock() - 0.001)

    assert 1 == scripted.connections
    assert [] == scripted.requests


async def test_what_is_sent_in_time_may_be_answered_after_the_deadline(scripted, client):
    scripted.will(json.dumps(ITEM))
    deadline = upstream.clock() + 0.1
    scripted.delay_until = time.monotonic() + 0.11

    assert "7" == (await client.create(DRAFT, marker=MARKER, deadline=deadline)).id


async def test_ids_may_be_text_and_are_escaped(scripted, client):
    scripted.will('{"id": "a b?c#d"}')

    assert "a b?c#d" == (await client.get("a b?c#d")).id
    assert scripted.requests[0].startswith(b"GET /api/cakes/a%20b%3Fc%23d HTTP/1.1\r\n")


@pytest.mark.parametrize("cake_id", ["", ".", "..", "../secrets", "a/b", "a\\b", "x" * 201, "\ud800"])
async def test_ids_that_would_lead_elsewhere_name_no_cake(scripted, client, cake_id):
    with pytest.raises(errors.CakeNotFound):
        await client.get(cake_id)
    assert [] == scripted.requests


@given(CALLS)
async def test_a_refused_connection_proves_that_nothing_was_sent(connect, call):
    client = await connect(f"http://127.0.0.1:{servers.free_port()}")

    with pytest.raises(errors.UpstreamUnreachable):
        await call(client)


@given(CALLS)
async def test_a_name_that_does_not_resolve_proves_that_nothing_was_sent(connect, call):
    client = await connect("http://no-such-host.invalid", connect_timeout_seconds=5, timeout_seconds=6)

    with pytest.raises(errors.UpstreamUnreachable):
        await call(client)


@given(CALLS)
async def test_a_failed_tls_handshake_proves_that_nothing_was_sent(scripted, connect, call):
    client = await connect(scripted.url.replace("http:", "https:"))
    scripted.will("[]")

    with pytest.raises(errors.UpstreamUnreachable):
        await call(client)
    assert [] == scripted.requests


@pytest.mark.parametrize("status", ["408 Request Timeout", "425 Too Early", "429 Too Many Requests"])
@given(CALLS)
async def test_busy_means_later(scripted, client, call, status):
    scripted.will(scripted.reply(b"", status, Retry_After="7"))

    with pytest.raises(errors.UpstreamBusy) as caught:
        await call(client)
    assert 7.0 == caught.value.retry_after_seconds


async def test_nobody_is_told_to_wait_for_longer_than_a_day(scripted, client):
    scripted.will(scripted.reply(b"", "429 Too Many Requests", Retry_After="9" * 400))

    with pytest.raises(errors.UpstreamBusy) as caught:
        await client.get("7")
    assert 86_400.0 == caught.value.retry_after_seconds


async def test_a_retry_after_may_be_a_date(scripted, client):
    scripted.will(scripted.reply(b"", "429 Too Many Requests", Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"))

    with pytest.raises(errors.UpstreamBusy) as caught:
        await client.get("7")
    assert 0.0 == caught.value.retry_after_seconds


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "422 Unprocessable Entity"])
@given(CALLS)
async def test_any_other_4xx_is_a_refusal(scripted, client, call, status):
    scripted.will(scripted.reply(b"<html>", status))

    with pytest.raises(errors.UpstreamRefused) as caught:
        await call(client)
    assert int(status[:3]) == caught.value.status


@pytest.mark.parametrize("name", ["get", "replace", "delete"])
async def test_no_such_item(scripted, client, name):
    scripted.will(scripted.reply(b"", "404 Not Found"))

    with pytest.raises(errors.CakeNotFound):
        await CALLS[name](client)


@pytest.mark.parametrize("name", ["list", "create"])
async def test_a_list_that_is_not_found_is_no_cake_that_is_not_found(scripted, client, name):
    scripted.will(scripted.reply(b"", "404 Not Found"))

    with pytest.raises(errors.UpstreamRefused):
        await CALLS[name](client)


UNBELIEVABLE = {
    "500": lambda s: s.reply(b"Internal Server Error", "500 Internal Server Error"),
    "503": lambda s: s.reply(b"", "503 Service Unavailable"),
    "a redirect": lambda s: s.reply(b"", "307 Temporary Redirect", Location="http://elsewhere.example/"),
    "html": lambda s: s.reply(b"<!doctype html><title>Welcome</title>"),
    "a number": lambda s: s.reply(b"42"),
    "no id": lambda s: s.reply(b'{"name": "Lemon"}'),
    "an id that is none": lambda s: s.reply(b'{"id": true}'),
    "half a body": lambda _: b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{"id"',
    "too much": lambda s: s.reply(b'{"id": 1, "name": "' + b"x" * 3000 + b'"}'),
    "deep nesting": lambda s: s.reply(b"[" * 1500),
    "no HTTP": lambda _: b"220 mail.example ESMTP\r\nConnection: close\r\n\r\n",
    "an unknown encoding": lambda s: s.reply(b"[]", Content_Encoding="br"),
    "a bomb": lambda s: s.reply(gzip.compress(b" " * 1_000_000), Content_Encoding="gzip"),
    "a hang-up": lambda _: b"",
}


def unbelievable(function):
    return pytest.mark.parametrize("answer", UNBELIEVABLE.values(), ids=UNBELIEVABLE)(function)


@unbelievable
@given(WRITES)
async def test_what_cannot_be_believed_leaves_a_write_uncertain_and_sent_once(scripted, connect, call, answer):
    client = await connect(scripted.url, max_response_bytes=2000)
    scripted.will(answer(scripted))

    with pytest.raises(errors.UpstreamUncertain):
        await call(client)
    assert 1 == len(scripted.requests)


@unbelievable
@given(READS)
async def test_what_cannot_be_believed_is_a_broken_read(scripted, connect, call, answer):
    client = await connect(scripted.url, max_response_bytes=2000)
    scripted.will(answer(scripted))

    with pytest.raises(errors.UpstreamBroken):
        await call(client)


@given(WRITES)
async def test_no_answer_leaves_a_write_uncertain_and_sent_once(scripted, client, call):
    scripted.will(scripted.HANG)

    with pytest.raises(errors.UpstreamUncertain):
        await call(client)
    assert 1 == len(scripted.requests)


@given(READS)
async def test_no_answer_to_a_read_is_slow(scripted, client, call):
    scripted.will(scripted.HANG)

    with pytest.raises(errors.UpstreamSlow):
        await call(client)


@given(WRITES)
async def test_a_write_never_follows_a_redirect(scripted, client, call):
    scripted.will(scripted.reply(b"", "307 Temporary Redirect", Location="/api/cakes/8"), json.dumps(ITEM))

    with pytest.raises(errors.UpstreamUncertain):
        await call(client)
    assert 1 == len(scripted.requests)


async def test_a_write_has_a_connection_of_its_own(scripted, client):
    scripted.will(json.dumps(ITEM))

    await client.create(DRAFT, marker=None)
    await client.create(DRAFT, marker=None)

    assert 2 == scripted.connections


async def test_reads_share_a_connection(scripted, client):
    scripted.will(json.dumps(ITEM))

    await client.get("7")
    await client.get("7")

    assert 1 == scripted.connections


async def test_a_read_on_a_connection_that_was_hung_up_is_tried_once_more(scripted, client):
    scripted.will(json.dumps(ITEM), b"", json.dumps(ITEM))

    await client.get("7")
    await client.get("7")

    assert (3, 2) == (len(scripted.requests), scripted.connections)


async def test_a_read_follows_three_redirects_of_the_same_origin(scripted, client):
    hop = scripted.reply(b"", "307 Temporary Redirect", Location="/elsewhere")
    scripted.will(hop, hop, hop, json.dumps(ITEM))

    assert "7" == (await client.get("7")).id

    scripted.will(hop)
    with pytest.raises(errors.UpstreamBroken):
        await client.get("7")


async def test_a_redirect_that_loses_the_page_that_was_asked_for_is_not_followed(scripted, client):
    page = json.dumps([ITEM])
    keeps = scripted.reply(b"", "307 Temporary Redirect", Location="/elsewhere?limit=5&skip=10&again=1")
    loses = scripted.reply(b"", "307 Temporary Redirect", Location="/api/cakes/?limit=5")
    scripted.will(keeps, page, loses)

    assert [ITEM] == await client.list(skip=10, limit=5)
    with pytest.raises(errors.UpstreamBroken):
        await client.list(skip=10, limit=5)


async def test_our_token_follows_no_redirect_to_another_origin(scripted, connect):
    client = await connect(scripted.url, token=settings.Secret("s3cret"))
    there = scripted.url.replace("127.0.0.1", "localhost")
    scripted.will(scripted.reply(b"", "302 Found", Location=f"{there}/api/cakes/7"), json.dumps(ITEM))

    with pytest.raises(errors.UpstreamBroken):
        await client.get("7")
    assert 1 == len(scripted.requests)


async def test_a_deleted_cake_may_come_back_or_not(scripted, client):
    scripted.will(json.dumps(ITEM), scripted.reply(b"", "204 No Content"))

    assert "7" == (await client.delete("7")).id
    assert None is await client.delete("7")


async def test_an_answer_that_comes_compressed_all_the_same_is_expanded(scripted, client):
    scripted.will(scripted.reply(gzip.compress(json.dumps(ITEM).encode()), Content_Encoding="gzip"))

    assert "7" == (await client.get("7")).id


async def test_cookies_are_not_kept(scripted, client):
    scripted.will(scripted.reply(json.dumps(ITEM).encode(), Set_Cookie="who=me"))

    await client.get("7")
    await client.get("7")

    assert b"cookie" not in scripted.requests[1].lower()


async def test_token_headers_and_ids_of_the_request_are_sent(scripted, connect):
    client = await connect(
        scripted.url, token=settings.Secret("s3cret"), headers=settings.Secret("X-Bakery: north; user-agent: Ours")
    )
    scripted.will(json.dumps(ITEM))

    with structlog.contextvars.bound_contextvars(request_id="r-1", trace_id="a" * 32):
        await client.get("7")

    head = scripted.requests[0].decode()
    for line in ("Authorization: Bearer s3cret", "X-Bakery: north", "user-agent: Ours", "X-Request-Id: r-1"):
        assert f"\r\n{line}\r\n" in head
    assert f"\r\ntraceparent: 00-{'a' * 32}-" in head


@pytest.mark.parametrize("headers", ["Host: elsewhere", "Connection: close", "no colon", "Bad Name: x", "X: a\x01b"])
async def test_headers_that_cannot_be_sent_are_refused_at_the_start(headers):
    with pytest.raises(errors.InvalidSettings):
        await upstream.Upstream.open(settings.Upstream(url="http://u.example", headers=settings.Secret(headers)))


async def test_a_ca_file_that_is_none_is_refused_at_the_start(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("not a certificate")

    with pytest.raises(errors.InvalidSettings):
        await upstream.Upstream.open(settings.Upstream(url="https://u.example", ca_file=str(file)))


async def test_calls_are_counted_by_what_became_of_them(scripted, client):
    def counted() -> float:
        labels = {"operation": "get", "outcome": "not-found"}
        return REGISTRY.get_sample_value("cakegate_upstream_calls_total", labels) or 0.0

    before = counted()
    scripted.will(scripted.reply(b"", "404 Not Found"))
    with pytest.raises(errors.CakeNotFound):
        await client.get("7")

    assert before + 1 == counted()
