"""Everything that clients of a public API do, in the shares of a long day: see `ACTS`."""

import asyncio
import contextlib
import random
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from benchmarks import clients, stacks

#: How long a slow client takes between two pieces, and how many pieces it sends before it gives up.
_DRIP_SECONDS = 1.0
_DRIPS = 8
#: Cakes that are kept upstream; those above are deleted.
_KEPT = 300
_REPEATS = 4


class Crowd:
    """Acts of many clients on one stack; `at` is how late an act was begun."""

    def __init__(self, running: stacks.Running, members: clients.Clients, unusable: list[str]) -> None:
        self._members = members
        self._unusable = unusable
        parts = urlsplit(running.addresses.gateway_url)
        self._host, self._port = parts.hostname, parts.port

    async def unusable(self, at: float) -> None:
        """A picture that is none, is gone, or lies where nobody may fetch from."""
        await self._members.submit(at, prefer="wait=5", image_url=random.choice(self._unusable))

    async def repeated(self, at: float) -> None:
        """The same request several times at once, as after a broken connection; one submission."""
        key = secrets.token_hex(8)
        picture = self._members.picture()
        name = f"Again {key}"
        await asyncio.gather(
            *(
                self._members.submit(at, prefer="respond-async", key=key, image_url=picture, name=name)
                for _ in range(_REPEATS)
            )
        )

    async def image(self, at: float) -> None:
        """A rendition, and again with its entity tag."""
        if self._members.cakes:
            cake = random.choice(self._members.cakes)
            platform = random.choice(("web", "mobile"))
            path = f"/api/cakes/{cake}/image?platform={platform}"
            headers = {"Accept": random.choice(("image/webp", "*/*"))}
            answer = await self._members.ask("GET", path, "image", at, headers=headers)
            if answer.etag:
                await self._members.ask("GET", path, "image", headers={**headers, "If-None-Match": answer.etag})

    async def changed(self, at: float) -> None:
        """A PUT; and a DELETE where there are many."""
        cakes = self._members.cakes
        if not cakes:
            return
        body = {"name": "Changed cake", "comment": "Changed comment", "yumFactor": random.randint(1, 5)}
        await self._members.ask("PUT", f"/api/cakes/{random.choice(cakes)}", "change", at, json=body)
        while len(cakes) > _KEPT:
            gone = cakes.pop(random.randrange(len(cakes)))
            await self._members.ask("DELETE", f"/api/cakes/{gone}", "delete")

    async def lost(self, at: float) -> None:
        """What is not there, is not allowed, or cannot be read."""
        method, path, options = random.choice(
            (
                ("GET", f"/api/cakes/{secrets.randbelow(10**9) + 10**9}", {}),
                ("GET", f"/api/submissions/{secrets.token_hex(16)}", {}),
                ("GET", f"/{secrets.token_hex(4)}", {}),
                ("PATCH", "/api/cakes", {}),
                ("GET", "/api/cakes?limit=nonsense", {}),
                ("POST", "/api/cakes", {"data": b"{", "headers": {"Content-Type": "application/json"}}),
                ("POST", "/api/cakes", {"json": {"name": ""}}),
            )
        )
        await self._members.ask(method, path, "lost", at, **options)

    async def slow(self, _at: float) -> None:
        """A body that comes by the byte, and then no more."""
        head = b"POST /api/cakes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(self._host, self._port)
            try:
                writer.write(head)
                for _ in range(_DRIPS):
                    writer.write(b"{")
                    await writer.drain()
                    await asyncio.sleep(_DRIP_SECONDS)
            finally:
                writer.close()

    async def impatient(self, at: float) -> None:
        """One that hangs up while it waits for its verdict."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(0.005, 0.2)):
                await self._members.submit(at, prefer="wait=10")

    def acts(self, *, submissions: float) -> list[tuple[Callable[[float], Awaitable[None]], float]]:
        """Each act and how many of it a second, with so many submissions a second in all."""
        return [
            (self._members.mixed, 0.75 * submissions),
            (self.unusable, 0.1 * submissions),
            (self.repeated, 0.1 * submissions),
            (self.impatient, 0.05 * submissions),
            (self._members.read, 8.0),
            (self.image, 4.0),
            (self.changed, 1.0),
            (self.lost, 2.0),
            (self.slow, 0.3),
        ]
