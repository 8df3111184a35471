"""Fetch one picture: one deadline, one count of bytes, and at most a few redirects, each checked as the first was."""

import asyncio
from typing import Final

import msgspec

from cakegate import settings
from cakegate.adapters.fetcher import exchange, expanding, hosts, pages, sockets, transport
from cakegate.domain import errors

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_GONE: Final = frozenset({404, 410})
#: Trouble that may pass; other 4xx are the host's final word on us.
_LATER: Final = frozenset({408, 421, 425, 429})
#: Fetches at the same time in one process; more wait, inside their deadline.
_AT_ONCE: Final = 64
_PORTS: Final = {"http": 80, "https": 443}


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A picture's bytes, not yet looked at, and the address that they came from in the end."""

    content: bytes
    url: str


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    content: bytes
    url: str


class Fetcher:
    """Fetches pictures; open one a process, inside its event loop."""

    def __init__(
        self,
        group: settings.Fetch,
        *,
        resolve: transport.Resolve | None = None,
        network: transport.Network = sockets,
    ) -> None:
        self._group = group
        self._guard = transport.Guard(group.allow, resolve=resolve or transport.SystemResolver(), network=network)
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._headers = {
            "User-Agent": group.user_agent,
            "Accept": "image/*,text/html;q=0.5",
            # Pictures are compressed already; what comes compressed all the same is counted expanded.
            "Accept-Encoding": "identity",
            "Connection": "close",
        }

    async def fetch(self, url: str) -> Fetched:
        """A picture's bytes. A page's own picture is followed once, over http too where the page says so.

        Raises:
            PictureNotAllowed: an address that we do not fetch from, a name that does not exist, or a host that does not
                let us: every 4xx that is neither "gone" nor "later" is its final word (401, 403, 451, …).
            PictureGone: 404 or 410.
            PictureTooLarge: more than `max_bytes`, or much more around them.
            PictureNotAnImage: a page that names no picture, or one whose picture is a page again; a body in an encoding
                that nobody asked for or that is broken.
            PictureUnreachable: trouble that may pass: DNS, connections, TLS, time, 408, 421, 425, 429, 5xx.
        """
        try:
            async with asyncio.timeout(self._group.total_seconds), self._places:
                found = await self._follow(url)
                if isinstance(found, _Page):
                    found = await self._picture_of(found)
                return found
        except TimeoutError as error:
            raise errors.PictureUnreachable(f"not within {self._group.total_seconds:g} s") from error

    async def _picture_of(self, page: _Page) -> Fetched:
        address = pages.picture_of(page.content, url=page.url)
        if address is None:
            raise errors.PictureNotAnImage("a page that names no picture")
        found = await self._follow(address)
        if isinstance(found, _Page):
            raise errors.PictureNotAnImage("a page whose picture is a page again")
        return found

    async def _follow(self, address: str) -> Fetched | _Page:
        url = hosts.checked(address)
        for _ in range(1 + self._group.max_redirects):
            stream = await self._guard.connect(
                url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme], secure=url.scheme == "https"
            )
            async with exchange.asked(url, stream, self._headers) as answer:
                if answer.status not in _REDIRECTS:
                    _check_status(answer.status)
                    return await self._received(answer)
                location = answer.header(b"location")
            url = hosts.redirected(url, location)
        raise errors.PictureNotAllowed(f"more than {self._group.max_redirects} redirects")

    async def _received(self, answer: exchange.Answer) -> Fetched | _Page:
        most = self._group.max_bytes
        declared = answer.header(b"content-length")
        # Longer than any number of bytes: `int` itself refuses some thousand digits.
        if declared.isdecimal() and (len(declared) > len(str(most)) or int(declared) > most):
            raise errors.PictureTooLarge(f"its host says {declared[:40]} bytes")
        said = answer.header(b"content-type").lower().startswith(("text/html", "application/xhtml"))
        expander = expanding.Expander(answer.header(b"content-encoding"))
        content = bytearray()
        while (piece := await answer.piece()) is not None:
            content += expander.feed(piece, most=most - len(content))
            if len(content) > self._group.max_page_bytes and pages.looks_like_html(bytes(content[:4096]), said=said):
                return _Page(content=bytes(content[: self._group.max_page_bytes]), url=str(answer.url))
            # Compressed bytes count too: they may go on for ever and expand to nothing.
            if max(len(content), answer.received_bytes) > most:
                raise errors.PictureTooLarge(f"more than {most} bytes")
        expander.finish()
        if pages.looks_like_html(bytes(content[:4096]), said=said):
            return _Page(content=bytes(content), url=str(answer.url))
        return Fetched(content=bytes(content), url=str(answer.url))


def _check_status(status: int) -> None:
    if status in _GONE:
        raise errors.PictureGone(f"its host answers {status}")
    if status in _LATER or status >= 500:  # noqa: PLR2004
        raise errors.PictureUnreachable(f"its host answers {status}")
    if not 200 <= status < 300:  # noqa: PLR2004
        raise errors.PictureNotAllowed(f"its host answers {status}")
