"""A host of pictures, written by hand so that it can misbehave, and fetchers that may speak to it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from cakegate import settings
from cakegate.adapters.fetcher import client

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


class Host:
    """Answers by path; remembers the heads of requests. A path without an answer is closed upon."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.heads: list[str] = []
        self.port = 0
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [head.split()[1] for head in self.heads]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.heads.append(head)
                answer = self.answers.get(head.split()[1], b"")
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(writer)
                if not answer or b"\r\nConnection: close" in (answer if isinstance(answer, bytes) else b""):
                    break
        writer.close()

    def answer(
        self, path: str, body: bytes = b"", *, status: str = "200 OK", length: bool = True, **headers: str
    ) -> str:
        """Give a path a plain answer, and return its URL."""
        said = {"Content-Length": str(len(body))} if length else {"Connection": "close"}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        self.answers[path] = f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1") + body
        return self.url + path

    def redirect(self, path: str, to: str, status: str = "302 Found") -> str:
        return self.answer(path, status=status, Location=to)


@contextlib.asynccontextmanager
async def hosted() -> AsyncIterator[Host]:
    host = Host()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(host.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@pytest.fixture
async def host():
    async with hosted() as running:
        yield running


@pytest.fixture
async def other_host():
    """One that is not allowed."""
    async with hosted() as running:
        yield running


async def nothing_resolves(name, port):
    raise OSError(f"{name} is no name that this test knows")


@pytest.fixture
async def open_fetcher():
    """Fetchers with settings and a resolver of their own: none may speak to anybody but those whom `allow` names."""
    async with contextlib.AsyncExitStack() as stack:

        def opened(*, resolve=nothing_resolves, **fetch):
            fetcher = client.Fetcher(settings.Fetch(**fetch), resolve=resolve)
            stack.push_async_callback(fetcher.close)
            return fetcher

        yield opened


@pytest.fixture
def fetcher(open_fetcher, host):
    """One that may speak to `host`."""
    return open_fetcher(allow=(f"127.0.0.1:{host.port}",), total_seconds=5.0, max_bytes=200_000, max_page_bytes=20_000)
