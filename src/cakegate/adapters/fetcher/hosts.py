"""Which URLs are plain web addresses: before anything is resolved, and again after each redirect."""

import ipaddress
import re
from typing import Final

import httpx

from cakegate.domain import errors

_MAX_CHARACTERS: Final = 4096
#: A host's name as DNS has it, underscores included since some have them (RFC 1123, RFC 8552). What httpx leaves in a
#: host beyond that (`%31`, a backslash, a space as `%20`) is read differently by every library.
_NAME: Final = re.compile(
    r"(?=.{1,254}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?"
)
#: The rule of the WHATWG URL standard ("ends in a number"): such a host is an IPv4 address or nothing. `getaddrinfo`
#: reads `0x7f.1`, `2130706433` and `0177.0.0.1` as loopback; we read only what `ipaddress` does, dotted decimal.
_NUMBER: Final = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)\.?")


def checked(address: str) -> httpx.URL:
    """A stranger's address as a URL.

    Raises:
        PictureNotAllowed: too long, no URL, neither http nor https, credentials, an odd host, or port 0.
    """
    if len(address) > _MAX_CHARACTERS:
        raise errors.PictureNotAllowed("its address is too long")
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise errors.PictureNotAllowed(f"no address: {error}") from error
    if url.scheme not in {"http", "https"}:
        raise errors.PictureNotAllowed(f"scheme {url.scheme[:40]!r}")
    if url.userinfo:
        raise errors.PictureNotAllowed("credentials in its address")
    if url.port == 0:
        # The layers below take it for none given, and would speak to the scheme's own.
        raise errors.PictureNotAllowed("port 0")
    if not _is_plain(url.raw_host.decode("ascii")):
        raise errors.PictureNotAllowed(f"host {url.raw_host[:80]!r}")
    return url


def redirected(url: httpx.URL, location: str | None) -> httpx.URL:
    """Where a redirect leads.

    From https to http is refused: browsers block such pictures as mixed content, and somebody on the way could exchange
    what is judged.

    Raises:
        PictureNotAllowed: as `checked`, and from https to http.
        PictureUnreachable: it leads nowhere.
    """
    if not location:
        raise errors.PictureUnreachable("a redirect to nowhere")
    try:
        target = checked(str(url.join(location)))
    except (httpx.InvalidURL, ValueError) as error:
        raise errors.PictureNotAllowed(f"a redirect to no address: {error}") from error
    if url.scheme == "https" and target.scheme == "http":
        raise errors.PictureNotAllowed("a redirect from https to http")
    return target


def _is_plain(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _NAME.fullmatch(host) is not None and _NUMBER.fullmatch(host) is None
    return True
