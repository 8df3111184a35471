"""The moment of connecting: what was checked is what is spoken to."""

import asyncio
import socket

import pytest

from cakegate.adapters.fetcher import transport
from cakegate.domain import errors


class Recorder:
    """A network in which nobody answers, and which remembers who was called."""

    def __init__(self):
        self.called = []

    async def connected(self, address, port, *, seconds):
        self.called.append((address, port))
        raise ConnectionRefusedError("nobody is there")


class Guarded:
    """The guard of such a network."""

    def __init__(self, resolve, *allow):
        self._network = Recorder()
        self._guard = transport.Guard(allow, resolve=resolve, network=self._network)

    @property
    def called(self):
        return self._network.called

    async def connect(self, host, port):
        await self._guard.connect(host, port, secure=False)


async def test_the_connection_goes_to_the_address_that_was_checked_and_a_name_is_asked_for_once():
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])

    async def rebinding(name, port):
        return next(answers)

    guard = Guarded(rebinding)
    with pytest.raises(errors.PictureUnreachable):
        await guard.connect("rebind.example", 80)
    assert [("93.184.215.14", 80)] == guard.called
    with pytest.raises(errors.PictureNotAllowed):
        await guard.connect("rebind.example", 80)
    assert [("93.184.215.14", 80)] == guard.called


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_one_address_inside_among_public_ones_is_enough(place):
    found = ["93.184.215.14", "2606:4700:4700::1111"]
    found.insert(place, "10.0.0.1")

    async def resolve(name, port):
        return found

    guard = Guarded(resolve)
    with pytest.raises(errors.PictureNotAllowed):
        await guard.connect("mixed.example", 443)
    assert [] == guard.called


@pytest.mark.parametrize("answer", ["not an address", "", "fe80::1%eth0", "127.0.0.1\n"])
async def test_an_odd_answer_of_a_resolver_is_refused(answer):
    async def resolve(name, port):
        return [answer]

    with pytest.raises(errors.PictureNotAllowed):
        await Guarded(resolve).connect("odd.example", 443)


async def test_only_some_of_many_addresses_are_tried():
    async def resolve(name, port):
        return [f"93.184.215.{number}" for number in range(100)]

    guard = Guarded(resolve)
    with pytest.raises(errors.PictureUnreachable):
        await guard.connect("many.example", 443)
    assert 4 == len(guard.called)


@pytest.mark.parametrize("port", [1, 22, 25, 81, 444, 5432, 6379, 8000, 8080, 65535])
async def test_other_ports_are_refused_before_anything_is_resolved(port):
    async def resolve(name, port):
        raise AssertionError("resolved")

    with pytest.raises(errors.PictureNotAllowed):
        await Guarded(resolve).connect("cakes.example", port)


async def test_an_allowed_entry_is_for_exactly_its_host_and_port():
    async def resolve(name, port):
        return ["10.0.0.1"]

    guard = Guarded(resolve, "Minio.Cakes.svc:9000", "[::1]:8900", "10.1.1.1:80")
    for host, port in [("minio.cakes.svc", 9000), ("::1", 8900), ("10.1.1.1", 80)]:
        with pytest.raises(errors.PictureUnreachable):
            await guard.connect(host, port)
    refused = [
        ("minio.cakes.svc", 80),
        ("minio.cakes.svc.", 9000),
        ("other.cakes.svc", 9000),
        ("::1", 80),
        ("10.1.1.2", 80),
    ]
    for host, port in refused:
        with pytest.raises(errors.PictureNotAllowed):
            await guard.connect(host, port)
    assert [("10.0.0.1", 9000), ("::1", 8900), ("10.1.1.1", 80)] == guard.called


async def test_an_allowed_name_that_is_not_there_may_come_back():
    async def resolve(name, port):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    with pytest.raises(errors.PictureUnreachable):
        await Guarded(resolve, "minio.cakes.svc:9000").connect("minio.cakes.svc", 9000)


async def test_the_system_s_resolver_knows_localhost_and_that_is_refused(open_fetcher):
    assert "127.0.0.1" in await transport.SystemResolver()("localhost", 80)
    with pytest.raises(errors.PictureNotAllowed):
        await open_fetcher(resolve=None).fetch("http://localhost/a.jpg")


async def test_a_name_that_nobody_knows_is_unreachable(open_fetcher):
    with pytest.raises(errors.PictureUnreachable, match="cannot be resolved"):
        await open_fetcher().fetch("http://cakes.example/a.jpg")


async def test_slow_resolving_counts_into_the_deadline_and_holds_up_nobody_else(open_fetcher, monkeypatch):
    answered = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = socket.getaddrinfo

    def slow(host, *rest, **named):
        if host == "slow.example":
            asyncio.run_coroutine_threadsafe(answered.wait(), loop).result(10)
            raise OSError("too late")
        return real(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    fetcher = open_fetcher(resolve=None, total_seconds=0.3)
    fetching = [fetcher.fetch("http://slow.example/a.jpg") for _ in range(20)]
    try:
        late = await asyncio.gather(*fetching, fetcher.fetch("http://localhost/a.jpg"), return_exceptions=True)
    finally:
        answered.set()
    assert [errors.PictureUnreachable] * 20 + [errors.PictureNotAllowed] == [type(each) for each in late]


async def test_tls_speaks_to_the_checked_address_by_the_name_in_the_url(open_fetcher):
    heard = asyncio.get_running_loop().create_future()

    async def listen(reader, writer):
        heard.set_result(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def resolve(name, port):
        return ["127.0.0.1"]

    fetcher = open_fetcher(resolve=resolve, allow=(f"cakes.example:{port}",), total_seconds=5.0)
    with pytest.raises(errors.PictureUnreachable):
        await fetcher.fetch(f"https://cakes.example:{port}/a.jpg")
    assert b"cakes.example" in await heard
    server.close()
    await server.wait_closed()
