"""Cakes as clients send them and as the legacy API keeps them, and the marker that travels in a picture's URL."""

import re
import unicodedata
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cakegate.domain.errors import CakeNotFound, InvalidCake

#: Limits of the Cake data model: at most 30 and 200 characters, yum factor 1 to 5.
NAME_MAX_CHARACTERS = 30
COMMENT_MAX_CHARACTERS = 200
#: Below this the legacy API accepts the body and then fails with a 500 (observed).
NAME_MIN_CHARACTERS = 5
COMMENT_MIN_CHARACTERS = 5
YUM_FACTOR_MIN = 1
YUM_FACTOR_MAX = 5
#: Longer URLs are cut or refused by common servers and browsers.
IMAGE_URL_MAX_CHARACTERS = 2048

CakeId = str
"""The legacy API's id, as text: it may be a number or a string there."""

#: A longer text is nobody's id; it would only be a long URL.
_ID_MAX_CHARACTERS = 200

_MARKER_PREFIX = "cakegate="
_MARKER_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")
#: RFC 3986 characters, plus what browsers send unescaped in IRIs; never white space or controls.
_FORBIDDEN_IN_URL = re.compile(r"[\x00-\x20\x7f\"<>\\^`{|}]")


def check_id(text: str) -> CakeId:
    """The id, unless it can be nobody's: empty, very long, not text, or what could be read as another path.

    Raises:
        CakeNotFound: it is one of these.
    """
    unfit = any(character in "/\\" or unicodedata.category(character) in {"Cc", "Cs"} for character in text)
    if unfit or len(text) > _ID_MAX_CHARACTERS or not text.strip("."):
        raise CakeNotFound(text[:_ID_MAX_CHARACTERS].encode(errors="replace").decode())
    return text


class CakeDraft(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A cake as a client submits it, checked by `check_draft`.

    `image_url` has no fragment. Lengths count Unicode code points after surrounding white space is cut.
    """

    name: str
    comment: str
    image_url: str
    yum_factor: int


class StoredCake(msgspec.Struct, frozen=True, kw_only=True):
    """A cake as the legacy API keeps it: the whole item, and the marker its picture's address carries, if any."""

    id: CakeId
    item: dict[str, Any]
    marker: str | None

    def public(self, *, image_url_field: str = "imageUrl") -> dict[str, Any]:
        """The item as clients see it: the same, its picture's address without our marker."""
        return public(self.item, image_url_field=image_url_field)


def stored(item: Any, *, image_url_field: str = "imageUrl") -> StoredCake | None:
    """An item of the legacy API with its id and marker taken out; None where it is no object, or has no such id."""
    if not isinstance(item, dict):
        return None
    cake_id = item.get("id")
    if not isinstance(cake_id, (int, str)) or isinstance(cake_id, bool) or cake_id == "":
        return None
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in str(cake_id)):
        return None
    address = item.get(image_url_field)
    marker = marker_of(address) if isinstance(address, str) else None
    return StoredCake(id=str(cake_id), item=item, marker=marker)


def public(item: dict[str, Any], *, image_url_field: str = "imageUrl") -> dict[str, Any]:
    """An item of the legacy API as clients see it: the same, its picture's address without our marker."""
    address = item.get(image_url_field)
    if not isinstance(address, str):
        return dict(item)
    return {**item, image_url_field: strip_marker(address)}


def draft_of(item: dict[str, Any], *, image_url_field: str = "imageUrl") -> CakeDraft | None:
    """What a client would have submitted to get this item; None where it is not of that shape."""
    try:
        return msgspec.convert(
            {"imageUrl": item.get(image_url_field), **{name: item.get(name) for name in _DRAFTED}}, CakeDraft
        )
    except msgspec.ValidationError:
        return None


_DRAFTED = ("name", "comment", "yumFactor")


def check_draft(draft: CakeDraft) -> CakeDraft:
    """Return the draft cleaned (white space cut, fragment dropped).

    Raises:
        InvalidCake: with one complaint for each field that breaks a limit.
    """
    complaints: dict[str, str] = {}
    name, comment = draft.name.strip(), draft.comment.strip()
    if text := _text_complaint(name, NAME_MIN_CHARACTERS, NAME_MAX_CHARACTERS, line_breaks=False):
        complaints["name"] = text
    if text := _text_complaint(comment, COMMENT_MIN_CHARACTERS, COMMENT_MAX_CHARACTERS, line_breaks=True):
        complaints["comment"] = text
    if not YUM_FACTOR_MIN <= draft.yum_factor <= YUM_FACTOR_MAX:
        complaints["yumFactor"] = f"must be a whole number from {YUM_FACTOR_MIN} to {YUM_FACTOR_MAX}"
    if text := _url_complaint(draft.image_url):
        complaints["imageUrl"] = text
    if complaints:
        raise InvalidCake(complaints)
    return CakeDraft(name=name, comment=comment, image_url=_defragged(draft.image_url), yum_factor=draft.yum_factor)


def _text_complaint(text: str, least: int, most: int, *, line_breaks: bool) -> str | None:
    if not least <= len(text) <= most:
        return f"must have {least} to {most} characters, not counting white space around it; it has {len(text)}"
    for character in text:
        if line_breaks and character in "\n\r\t":
            continue
        # Cc: controls (Postgres cannot store NUL); Cs: lone surrogates, which no UTF-8 can hold.
        if unicodedata.category(character) in {"Cc", "Cs"}:
            return f"must not contain the control character U+{ord(character):04X}"
    return None


def _url_complaint(url: str) -> str | None:
    if len(url) > IMAGE_URL_MAX_CHARACTERS:
        return f"must have at most {IMAGE_URL_MAX_CHARACTERS} characters; it has {len(url)}"
    if _FORBIDDEN_IN_URL.search(url) or any(unicodedata.category(c) in {"Cc", "Cs"} for c in url):
        return 'must not contain white space, control characters or any of "<>\\^`{|}'
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname or port == 0:
        return "must be an http or https URL with a host"
    if parts.username is not None or parts.password is not None:
        return "must not carry a user name or password"
    return None


def _defragged(url: str) -> str:
    """The URL up to its fragment, to the letter: `urllib.parse.urldefrag` would also drop an empty query."""
    return url.partition("#")[0]


def same_picture(one: str, other: str) -> bool:
    """Whether two addresses name one picture: scheme and host in any case (RFC 3986 §6.2.2.1), fragments aside."""
    return _comparable(one) == _comparable(other)


def _comparable(url: str) -> str:
    scheme, separator, rest = _defragged(url).partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{separator}{host.lower()}{slash}{path}"


def with_marker(image_url: str, token: str) -> str:
    """The address with our marker as its fragment; no server ever sees a fragment (RFC 9110 §4.2.5)."""
    return f"{_defragged(image_url)}#{_MARKER_PREFIX}{token}"


def marker_of(image_url: str) -> str | None:
    """The marker token that an address carries, or None."""
    fragment = image_url.partition("#")[2]
    if not fragment.startswith(_MARKER_PREFIX):
        return None
    token = fragment.removeprefix(_MARKER_PREFIX)
    return token if _MARKER_TOKEN.fullmatch(token) else None


def strip_marker(image_url: str) -> str:
    """The address without our marker; any other fragment stays."""
    return _defragged(image_url) if marker_of(image_url) is not None else image_url
