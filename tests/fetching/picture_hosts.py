"""A host of pictures, written by hand so that it can misbehave, and an internet of such hosts."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

from cakegate import settings
from cakegate.adapters.fetcher import client, sockets

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


class CountedStream(sockets.Stream):
    """Counts what is taken from it, into `internet.received_bytes`."""

    def __init__(self, internet) -> None:
        super().__init__()
        self._internet = internet

    async def read(self, most_bytes):
        piece = await super().read(most_bytes)
        self._internet.received_bytes += len(piece)
        return piece


class Internet:
    """Names, public addresses and who listens there: real sockets, under the real guard, and nobody is excepted.

    `names` says what each name resolves to, one answer a question, the last one for good; `listening` leads from an
    address and port to a port here. Remembers what was asked, which addresses were connected to, how much came.
    """

    def __init__(self) -> None:
        self.names: dict[str, list[list[str] | OSError]] = {}
        self.listening: dict[tuple[str, int], int] = {}
        self.asked: list[str] = []
        self.connected_to: list[tuple[str, int]] = []
        self.received_bytes = 0
        self._connections: list[socket.socket] = []

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
        self.connected_to.clear()
        self.received_bytes = 0

    async def connected(self, address, port, *, seconds):
        self.connected_to.append((address, port))
        if (address, port) not in self.listening:
            raise ConnectionRefusedError("nobody is there")
        self._connections.append(await sockets.connected("127.0.0.1", self.listening[address, port], seconds=seconds))
        return self._connections[-1]

    async def opened(self, connection, *, tls, name):
        return await sockets.opened(connection, tls=tls, name=name, make=lambda: CountedStream(self))

    async def all_closed(self) -> bool:
        """Whether no connection is left open, once the loop has closed those that were given up."""
        for _ in range(10):
            self._connections = [each for each in self._connections if each.fileno() != -1]
            await asyncio.sleep(0)
        return not self._connections

    def fetcher(self, **fetch) -> client.Fetcher:
        """A fetcher of this internet."""
        return client.Fetcher(settings.Fetch(**fetch), resolve=self.resolve, network=self)


def nameless(purpose):
    """TLS without certificates, which nobody has to make or trust: anonymous Diffie-Hellman, over elliptic curves."""
    context = ssl.SSLContext(purpose)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
    if purpose is ssl.PROTOCOL_TLS_CLIENT:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
