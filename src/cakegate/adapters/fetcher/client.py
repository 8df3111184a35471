"""Fetch one picture: one deadline, one count of bytes, and at most a few redirects, each checked as the first was."""

import asyncio
import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpcore
import httpx
import msgspec

from cakegate import settings
from cakegate.adapters.fetcher import pages, transport
from cakegate.domain import errors

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_GONE: Final = frozenset({404, 410})
#: Trouble that may pass; other 4xx are the host's final word on us.
_LATER: Final = frozenset({408, 421, 425, 429})
#: Encodings that httpx expands; anything else cannot be counted, so it is refused.
_ENCODINGS: Final = frozenset({"", "identity", "gzip", "deflate"})
_CONNECTIONS: Final = 64
_MAX_URL_CHARACTERS: Final = 4096


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A picture's bytes, not yet looked at, and the address that they came from in the end."""

    content: bytes
    url: str


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    content: bytes
    url: str
    charset: str | None


class Fetcher:
    """Fetches pictures; open one a process, inside its event loop."""

    def __init__(self, group: settings.Fetch, *, resolve: transport.Resolve = transport.system_resolve) -> None:
        self._group = group
        self._backend = transport.GuardedBackend(group.allow, resolve=resolve)
        self._client = httpx.AsyncClient(
            transport=transport.GuardedTransport(
                self._backend, tls=ssl.create_default_context(), connections=_CONNECTIONS
            ),
            # `identity`: pictures are compressed already; what comes compressed all the same is counted expanded.
            headers={
                "User-Agent": group.user_agent,
                "Accept": "image/*,text/html;q=0.5",
                "Accept-Encoding": "identity",
            },
            timeout=group.total_seconds,
            # No host is told what a host set, not even the same one.
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()

    async def fetch(self, url: str) -> Fetched:
        """A picture's bytes. A page's own picture is followed once.

        Raises:
            PictureNotAllowed: an address that we do not fetch from, or whose host does not let us (401, 403, …).
            PictureGone: 404 or 410.
            PictureTooLarge: more than `max_bytes`.
            PictureNotAnImage: a page that names no picture, or one whose picture is a page again.
            PictureUnreachable: trouble that may pass.
        """
        try:
            async with asyncio.timeout(self._group.total_seconds):
                found = await self._follow(url)
                if isinstance(found, _Page):
                    found = await self._picture_of(found)
                return found
        except TimeoutError as error:
            raise errors.PictureUnreachable(f"not within {self._group.total_seconds:g} s") from error
        except (httpx.HTTPError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise errors.PictureUnreachable(f"{type(error).__name__}: {error}") from error

    async def _picture_of(self, page: _Page) -> Fetched:
        address = pages.picture_of(page.content, url=page.url, charset=page.charset)
        if address is None:
            raise errors.PictureNotAnImage("a page that names no picture")
        found = await self._follow(address)
        if isinstance(found, _Page):
            raise errors.PictureNotAnImage("a page whose picture is a page again")
        return found

    async def _follow(self, address: str) -> Fetched | _Page:
        url = _checked(address)
        for _ in range(1 + self._group.max_redirects):
            async with self._client.stream("GET", url) as response:
                if response.status_code not in _REDIRECTS:
                    _check_status(response)
                    return await self._received(response)
                location = response.headers.get("location")
            url = _redirected(url, location)
        raise errors.PictureNotAllowed(f"more than {self._group.max_redirects} redirects")

    async def _received(self, response: httpx.Response) -> Fetched | _Page:
        declared = response.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._group.max_bytes:
            raise errors.PictureTooLarge(f"its host says {declared} bytes")
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in _ENCODINGS:
            raise errors.PictureNotAnImage(f"it is encoded as {encoding[:40]!r}")
        said_html = response.headers.get("content-type", "").lower().startswith(("text/html", "application/xhtml"))
        content = bytearray()
        async for piece in response.aiter_bytes(64 * 1024):
            content += piece
            if (said_html or pages.looks_like_html(bytes(content[:2048]))) and len(
                content
            ) > self._group.max_page_bytes:
                del content[self._group.max_page_bytes :]
                break
            if len(content) > self._group.max_bytes:
                raise errors.PictureTooLarge(f"more than {self._group.max_bytes} bytes")
        if pages.looks_like_html(bytes(content[:2048])):
            return _Page(content=bytes(content), url=str(response.url), charset=response.charset_encoding)
        return Fetched(content=bytes(content), url=str(response.url))


def _checked(address: str) -> httpx.URL:
    """Raises `PictureNotAllowed` for what is no plain web address."""
    if len(address) > _MAX_URL_CHARACTERS:
        raise errors.PictureNotAllowed("its address is too long")
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise errors.PictureNotAllowed(f"no address: {error}") from error
    if url.scheme not in {"http", "https"}:
        raise errors.PictureNotAllowed(f"scheme {url.scheme[:40]!r}")
    if not url.host or url.userinfo:
        raise errors.PictureNotAllowed("no host, or credentials in its address")
    return url


def _redirected(url: httpx.URL, location: str | None) -> httpx.URL:
    if not location:
        raise errors.PictureUnreachable("a redirect to nowhere")
    try:
        target = _checked(str(url.join(location)))
    except (httpx.InvalidURL, ValueError) as error:
        raise errors.PictureNotAllowed(f"a redirect to no address: {error}") from error
    if url.scheme == "https" and target.scheme == "http":
        raise errors.PictureNotAllowed("a redirect from https to http")
    return target


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    if status in _GONE:
        raise errors.PictureGone(f"its host answers {status}")
    if status in _LATER or status >= 500:  # noqa: PLR2004
        raise errors.PictureUnreachable(f"its host answers {status}")
    if not 200 <= status < 300:  # noqa: PLR2004
        raise errors.PictureNotAllowed(f"its host answers {status}")
