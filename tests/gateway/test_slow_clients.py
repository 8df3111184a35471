"""Clients that take their time, or everybody else's: on real sockets."""

import asyncio
import contextlib
import socket
from time import perf_counter

import httpx
import msgspec
import pytest
import structlog
from prometheus_client import REGISTRY
from waiting_for import until

from cakegate import settings
from cakegate.gateway import app, wiring
from cakegate.local import servers

ANSWER = b"x" * 20_000_000


@contextlib.asynccontextmanager
async def serving(application, **changes):
    """An application behind the server that gateways use: the port."""
    group = settings.Gateway(host="127.0.0.1", port=servers.free_port(), **changes)
    async with app.listening(group, application):
        await listens(group.port)
        yield group.port


@contextlib.asynccontextmanager
async def gateway_on_a_port(config, **changes):
    changes = {"body_seconds": 0.3, "port": servers.free_port(), "host": "127.0.0.1", **changes}
    config = msgspec.structs.replace(config, gateway=msgspec.structs.replace(config.gateway, **changes))
    async with wiring.opened(config) as gate, app.listening(config.gateway, app.compose(gate)):
        await listens(config.gateway.port)
        yield config.gateway.port


async def listens(port: int) -> None:
    for _ in range(500):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.01)


async def large(_scope, _receive, send):
    """An application whose answers fit into no buffer of the kernel's."""
    headers = [(b"content-length", str(len(ANSWER)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


async def ok(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def connected(port: int):
    return await asyncio.open_connection("127.0.0.1", port)


async def said(reader, *, until: bytes = b"") -> bytes:
    """All that is said until the server hangs up, or these words."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65536):
            found += piece
            if until and until in found:
                break
    return found


async def test_headers_that_trickle_are_cut_off():
    async with serving(ok, keep_alive_seconds=1) as port:
        reader, writer = await connected(port)
        started = perf_counter()
        writer.write(b"GET / HTTP/1.1\r\nHost: g\r\n")
        trickles = asyncio.create_task(trickle(writer, b"X: y\r\n"))
        found = await said(reader)
        trickles.cancel()
        writer.close()

    assert b" 204 " not in found
    assert 0.5 < perf_counter() - started < 3


async def trickle(writer, piece: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.1)


async def test_a_body_that_trickles_is_408_and_the_connection_is_closed(config):
    async with gateway_on_a_port(config) as port:
        reader, writer = await connected(port)
        writer.write(
            b"POST /api/cakes HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n"
        )
        trickles = asyncio.create_task(trickle(writer, b" "))
        async with asyncio.timeout(5):
            found = await said(reader)
        trickles.cancel()
        writer.close()

    assert found.startswith(b"HTTP/1.1 408 ")
    assert b"problems/body-too-slow" in found


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone has it")
async def test_who_does_not_read_the_answer_is_cut_off_and_holds_up_no_drain():
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        async with serving(large, send_seconds=0.5, drain_seconds=10) as port:
            client.connect(("127.0.0.1", port))
            client.sendall(b"GET / HTTP/1.1\r\nHost: g\r\n\r\n")
            started = perf_counter()
        drained_seconds = perf_counter() - started

    assert 3 > drained_seconds


async def test_who_reads_slowly_but_reads_gets_all_of_it():
    async with serving(large, send_seconds=0.5) as port:
        reader, writer = await connected(port)
        writer.write(b"GET / HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")
        received, started = 0, perf_counter()
        while piece := await reader.read(1_000_000):
            received += len(piece)
            await asyncio.sleep(0.02)
        writer.close()

    assert received > len(ANSWER)
    assert perf_counter() - started > 0.4


async def test_more_connections_than_the_cap_wait_for_one_to_end():
    async with serving(ok, max_connections=3, keep_alive_seconds=30) as port:
        # The one by which we saw that it listens may take its place a moment longer.
        idle = [await connected(port) for _ in range(3)]
        for reader, writer in idle:
            writer.write(b"GET / HTTP/1.1\r\nHost: g\r\n\r\n")
            assert b" 204 " in await said(reader, until=b"\r\n\r\n")
        reader, writer = await connected(port)
        writer.write(b"GET / HTTP/1.1\r\nHost: g\r\n\r\n")
        answered = asyncio.create_task(said(reader, until=b"\r\n\r\n"))
        done, _ = await asyncio.wait({answered}, timeout=0.3)
        idle[0][1].close()

        assert set() == done
        assert b" 204 " in await asyncio.wait_for(answered, 3)
        for _, each in [*idle, (reader, writer)]:
            each.close()


async def test_pipelined_requests_are_answered_in_order_and_each_counts(config):
    async with gateway_on_a_port(config, read_rate="20/minute") as port:
        reader, writer = await connected(port)
        requests = [f"GET /nope-{number} HTTP/1.1\r\nHost: g\r\n" for number in range(50)]
        writer.write("".join(f"{each}\r\n" for each in requests[:-1]).encode())
        writer.write(f"{requests[-1]}Connection: close\r\n\r\n".encode())
        found = await asyncio.wait_for(said(reader), 10)
        writer.close()

    assert [404] * 20 + [429] * 30 == [int(part[:3]) for part in found.split(b"HTTP/1.1 ")[1:]]
    paths = [part.partition(b'"')[0] for part in found.split(b'"instance":"/nope-')[1:]]
    assert [str(number).encode() for number in range(50)] == paths


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"X: " + b"x" * 40_000, {b"431"}),
        (b"X: " + b"x" * 400_000, {b"431"}),
        (b"\r\n".join(b"X%d: y" % number for number in range(101)), {b"431"}),
        (b"Content-Length: 2\r\nContent-Length: 3", {b"400"}),
        (b"Content-Length: 2, 3", {b"400"}),
        (b"Transfer-Encoding: xchunked", {b"400"}),
        (b"Host: elsewhere", {b"400"}),
        (b"X: a\x00b", {b"400"}),
        (b"X: a\r\n b", {b"400"}),
    ],
    ids=["40 KB", "400 KB", "101 lines", "two lengths", "a list of lengths", "no coding", "two hosts", "NUL", "a fold"],
)
async def test_headers_that_are_too_much_or_ambiguous_are_refused(config, header, expected):
    async with gateway_on_a_port(config) as port:
        reader, writer = await connected(port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: g\r\n" + header + b"\r\nConnection: close\r\n\r\n")
        found = await asyncio.wait_for(said(reader), 5)
        writer.close()

    assert found[9:12] in expected


async def test_an_address_longer_than_the_server_reads_is_414(config):
    async with gateway_on_a_port(config) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        assert 414 == (await http.get("/" + "a" * 60_000)).status_code
        reader, writer = await connected(port)
        writer.write(b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: g\r\n\r\n")
        assert b"HTTP/1.1 414 " == (await said(reader))[:13]
        writer.close()


async def test_a_client_that_hangs_up_gives_its_place_in_the_waiting_room_back(config):
    body = b'{"name": "Lemon tart", "comment": "Of lemon", "imageUrl": "http://p.example/l", "yumFactor": 3}'
    head = b"POST /api/cakes HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nPrefer: wait=30\r\n"
    before = waiters()
    with structlog.testing.capture_logs() as logged:
        async with gateway_on_a_port(config) as port:
            _, writer = await connected(port)
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            await until(lambda: waiters() == before + 1)
            writer.close()
            await until(lambda: waiters() == before)

    assert [] == [line["event"] for line in logged if line["event"] == "request.failed"]


def waiters() -> float:
    return REGISTRY.get_sample_value("cakegate_waiters") or 0.0
