"""The picture that a web page says it is about: Open Graph's `og:image`, or `twitter:image`.

A scanner for `meta` and `base` alone, not `html.parser`: that needs a second of the event loop for a MiB of `<`, and
its worst cases were quadratic more than once (CVE-2025-6069). Here every byte is looked at a bounded number of times.
"""

import html
import itertools
import re
from typing import Final
from urllib.parse import urljoin

_PROPERTIES: Final = ("og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src")
_SNIFFED: Final = (b"<!doctype html", b"<html", b"<head", b"<meta", b"<title", b"<body")
_SNIFFED_BYTES: Final = 2048
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")

#: What matters on a page: tags of interest, and the beginnings of what is skipped whole.
_TOKEN: Final = re.compile(
    r"<(?:(?P<tag>meta|base)(?=[\s/])|(?P<raw>script|style|template)(?=[\s/>])|!--)", re.IGNORECASE
)
_RAW_ENDS: Final = {name: re.compile(rf"</{name}", re.IGNORECASE) for name in ("script", "style", "template")}
#: One attribute with its value in any of the three quotings, or the tag's end. Possessive (`++`): no way back to try.
_ATTRIBUTE: Final = re.compile(
    r"""(?P<end>>)|(?P<name>[^\s=>/"']++)(?:\s*+=\s*+(?:"(?P<double>[^"]*+)"|'(?P<single>[^']*+)'|(?P<bare>[^\s>"']++)))?"""
)
#: A page with more before its picture is none that we must understand.
_TAGS_MOST: Final = 500
_ATTRIBUTES_MOST: Final = 32
_TAG_CHARACTERS_MOST: Final = 4096


def looks_like_html(content: bytes, *, said: bool = False) -> bool:
    """Whether bytes begin as HTML does, after white space, a byte order mark or comments.

    `said` is what the host says; then any tag will do. No picture format of ours begins with `<`.
    """
    if content.startswith(_UTF16):
        content = content.decode("utf-16", errors="replace").encode()
    start = content[:_SNIFFED_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n\f").lower()
    if said:
        return start.startswith(b"<")
    while start.startswith((b"<!--", b"<?xml")):
        start = start.partition(b"-->" if start.startswith(b"<!--") else b">")[2].lstrip()
    return start.startswith(_SNIFFED)


def picture_of(content: bytes, *, url: str) -> str | None:
    """The absolute address of a page's picture, or None. The page may be cut off anywhere.

    Read as UTF-8 whatever the page says (UTF-16 by its mark): addresses are ASCII, which nearly all encodings share,
    and a stranger does not choose among Python's codecs.
    """
    text = content.decode("utf-16" if content.startswith(_UTF16) else "utf-8", errors="replace")
    found, base = _scanned(text)
    for prop in _PROPERTIES:
        if address := found.get(prop):
            try:
                return urljoin(urljoin(url, base or ""), address)
            except ValueError:
                return None
    return None


def _scanned(text: str) -> tuple[dict[str, str], str | None]:
    """The first address of each property of interest, and the page's base."""
    found: dict[str, str] = {}
    base: str | None = None
    position = 0
    for _ in range(_TAGS_MOST):
        token = _TOKEN.search(text, position)
        if token is None:
            break
        position = token.end()
        if token["tag"] is None:
            end = _RAW_ENDS[token["raw"].lower()].search(text, position) if token["raw"] else None
            position = end.end() if end else text.find("-->", position) if not token["raw"] else -1
            if position < 0:
                break
            continue
        named = _attributes(text[position : position + _TAG_CHARACTERS_MOST])
        if token["tag"].lower() == "base":
            base = base or named.get("href")
            continue
        prop = (named.get("property") or named.get("name") or "").strip().lower()
        if prop in _PROPERTIES and (address := named.get("content", "").strip()):
            found.setdefault(prop, address)
    return found, base


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in itertools.islice(_ATTRIBUTE.finditer(text), _ATTRIBUTES_MOST):
        if match["end"]:
            break
        value = match["double"] or match["single"] or match["bare"]
        if value:
            found.setdefault(match["name"].lower(), html.unescape(value))
    return found
