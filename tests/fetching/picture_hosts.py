"""A host of pictures, written by hand so that it can misbehave, and an internet of such hosts."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import httpcore

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
async def hosted(tls: ssl.SSLContext | None = None) -> AsyncIterator[Host]:
    host = Host()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(host.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


class CountedStream(httpcore.AsyncNetworkStream):
    """Counts what is taken from a socket, into `internet.received_bytes`."""

    def __init__(self, stream, internet) -> None:
        self._stream = stream
        self._internet = internet

    async def read(self, max_bytes, timeout=None):  # noqa: ASYNC109 - httpcore's signature
        piece = await self._stream.read(max_bytes, timeout)
        self._internet.received_bytes += len(piece)
        return piece

    async def write(self, buffer, timeout=None):  # noqa: ASYNC109 - httpcore's signature
        await self._stream.write(buffer, timeout)

    async def aclose(self):
        await self._stream.aclose()

    async def start_tls(self, *arguments, **named):
        return CountedStream(await self._stream.start_tls(*arguments, **named), self._internet)

    def get_extra_info(self, info):
        return self._stream.get_extra_info(info)


class Internet(httpcore.AsyncNetworkBackend):
    """Names, public addresses and who listens there: real sockets, under the real guard, and nobody is excepted.

    `names` says what each name resolves to, one answer a question, the last one for good; `listening` leads from an
    address and port to a port here. Remembers what was asked, which addresses were connected to, how much came.
    """

    def __init__(self) -> None:
        self.names: dict[str, list[list[str] | OSError]] = {}
        self.listening: dict[tuple[str, int], int] = {}
        self.asked: list[str] = []
        self.connected: list[tuple[str, int]] = []
        self.received_bytes = 0
        self._sockets = httpcore.AnyIOBackend()

    async def resolve(self, name, port):
        self.asked.append(name)
        answers = self.names[name]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, OSError):
            raise answer
        return answer

    def forget(self) -> None:
        """As if nothing had been asked, connected or received."""
        self.asked.clear()
        self.connected.clear()
        self.received_bytes = 0

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):  # noqa: ASYNC109
        self.connected.append((host, port))
        if (host, port) not in self.listening:
            raise httpcore.ConnectError("nobody is there")
        stream = await self._sockets.connect_tcp("127.0.0.1", self.listening[host, port], timeout=timeout)
        return CountedStream(stream, self)

    def fetcher(self, **fetch) -> client.Fetcher:
        """A fetcher of this internet; close it."""
        made = client.Fetcher(settings.Fetch(**fetch), resolve=self.resolve)
        made._transport._pool._network_backend._backend = self
        return made
