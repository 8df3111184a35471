"""An upstream that misbehaves to the byte, and a client of it."""

import asyncio
import contextlib
import time

import pytest

from cakegate import settings
from cakegate.adapters import upstream


class Scripted:
    """Answers each request with the next of its answers, the last one for ever; bytes are sent as they are."""

    #: An answer that never comes.
    HANG = object()

    def __init__(self) -> None:
        self.answers = [b""]
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = ""
        self.delay_until = 0.0

    async def handle(self, reader, writer):
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
                )
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                await asyncio.sleep(max(0.0, self.delay_until - time.monotonic()))
                if answer is self.HANG:
                    await reader.read()
                    break
                writer.write(answer)
                await writer.drain()
                if b"connection: close" in answer.lower() or not answer:
                    break
        writer.close()

    @staticmethod
    def reply(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def will(self, *answers) -> None:
        """Answer like this from here on; text is the body of a 200."""
        self.answers = [self.reply(answer.encode()) if isinstance(answer, str) else answer for answer in answers]


@pytest.fixture
async def scripted():
    script = Scripted()
    server = await asyncio.start_server(script.handle, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield script
    server.close()


@pytest.fixture
async def connect():
    """Opens clients, and closes them after the test."""
    opened = []

    async def connected(url: str, **changes) -> upstream.Upstream:
        quick = {"timeout_seconds": 0.25, "write_timeout_seconds": 0.25, "connect_timeout_seconds": 0.15}
        opened.append(await upstream.Upstream.open(settings.Upstream(url=url, **{**quick, **changes})))
        return opened[-1]

    yield connected
    for each in opened:
        await each.close()


@pytest.fixture
async def client(scripted, connect):
    return await connect(scripted.url)
