"""The picture that a web page says it is about: Open Graph's `og:image`, or `twitter:image`."""

from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin

_PROPERTIES: Final = ("og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src")
_SNIFFED: Final = (b"<!doctype html", b"<html", b"<head", b"<meta", b"<title", b"<body")


def looks_like_html(content: bytes) -> bool:
    """Whether bytes begin as HTML does, after white space, a byte order mark or a comment."""
    start = content[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    while start.startswith((b"<!--", b"<?xml")):
        start = start.partition(b">")[2].lstrip()
    return start.startswith(_SNIFFED)


class _Finder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, str] = {}
        self.base: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value for name, value in attrs if value}
        if tag == "meta":
            prop = (named.get("property") or named.get("name") or "").strip().lower()
            if prop in _PROPERTIES and (content := named.get("content", "").strip()):
                self.found.setdefault(prop, content)
        elif tag == "base" and self.base is None:
            self.base = named.get("href")


def picture_of(content: bytes, *, url: str, charset: str | None = None) -> str | None:
    """The absolute address of a page's picture, or None. The page may be cut off anywhere."""
    try:
        text = content.decode(charset or "utf-8", errors="replace")
    except LookupError:
        text = content.decode("utf-8", errors="replace")
    finder = _Finder()
    finder.feed(text)
    for prop in _PROPERTIES:
        if address := finder.found.get(prop):
            try:
                return urljoin(urljoin(url, finder.base or ""), address)
            except ValueError:
                return None
    return None
