"""What clients say in headers and queries: Prefer, Idempotency-Key, Accept, If-None-Match, and how often they do."""

import re
from collections.abc import Collection
from typing import Any, Final

import msgspec
from litestar.datastructures import MultiDict

from cakegate import settings
from cakegate.domain import errors, renditions

_KEY_MAX_CHARACTERS: Final = 255
_WAIT: Final = re.compile(r"wait\s*=\s*\"?(\d{1,9})\"?", re.IGNORECASE)
_DIGITS: Final = re.compile(r"[0-9]{1,10}")
_QUALITY: Final = re.compile(r"q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """How long a POST may wait for its end, and what `Preference-Applied` says about it (RFC 7240)."""

    seconds: float
    applied: str | None = None


def wait_of(prefer: str | None, group: settings.Gateway) -> Wait:
    """`wait=N` gives the wait, in whole seconds up to the longest; `respond-async` alone none; else the usual one.

    Preferences that we do not know, or that make no sense, are ignored: that is the rule of RFC 7240 §2.
    """
    seconds: float | None = None
    at_once = False
    for preference in (prefer or "").split(","):
        name = preference.split(";")[0].strip()
        if match := _WAIT.fullmatch(name):
            # The first of each counts (RFC 7240 §2).
            seconds = min(float(match[1]), group.max_wait_seconds) if seconds is None else seconds
        at_once = at_once or name.lower() == "respond-async"
    if seconds is None:
        return Wait(seconds=0.0, applied="respond-async") if at_once else Wait(seconds=group.wait_seconds)
    return Wait(seconds=seconds, applied=f"{'respond-async, ' if at_once else ''}wait={seconds:g}")


def idempotency_key_of(value: str | None) -> str | None:
    """The key, bare or as the string of a structured header, as the IETF draft has it.

    Raises:
        BadParameter: it is empty, too long or not printable ASCII.
    """
    if value is None:
        return None
    key = value.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not 1 <= len(key) <= _KEY_MAX_CHARACTERS or not (key.isascii() and key.isprintable()):
        raise errors.BadParameter({"Idempotency-Key": f"must be 1 to {_KEY_MAX_CHARACTERS} printable ASCII characters"})
    return key


def check_query(query: MultiDict[Any], *names: str, numbers: bool = False) -> None:
    """Raise `BadParameter` where one of these is given twice, or a number in other than decimal digits.

    Litestar believes the last one, and reads `1e2`, `1.0` and `null` as numbers too.
    """
    complaints = {}
    for name in names:
        values = query.getall(name, [])
        if len(values) > 1:
            complaints[name] = "is given more than once"
        elif numbers and values and not _DIGITS.fullmatch(str(values[0])):
            complaints[name] = "must be written in decimal digits"
    if complaints:
        raise errors.BadParameter(complaints)


def choose_format(accept: str | None, available: Collection[renditions.Format]) -> renditions.Format:
    """The format to send (RFC 9110 §12.5.1). WebP only to those who name it: `*/*` is said by what cannot show it too.

    Raises:
        NotAcceptable: the client takes none of those that there are.
    """
    ranges = _ranges(accept)
    if accept is None or not ranges:
        ranges = {"*/*": 1.0}
    qualities = {each: _quality(each, ranges) for each in available}
    named = ranges.get(renditions.Format.WEBP.media_type, 0.0)
    if named and named >= qualities.get(renditions.Format.JPEG, 0.0) and renditions.Format.WEBP in qualities:
        return renditions.Format.WEBP
    for each in (renditions.Format.JPEG, renditions.Format.WEBP):
        if qualities.get(each, 0.0) > 0:
            return each
    raise errors.NotAcceptable(f"There are: {', '.join(sorted(each.media_type for each in available))}.")


def _ranges(accept: str | None) -> dict[str, float]:
    found = {}
    for part in (accept or "").split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if "/" in media_range:
            weights = [float(match[1]) for each in parameters if (match := _QUALITY.fullmatch(each))]
            found[media_range] = weights[0] if weights else 1.0
    return found


def _quality(image_format: renditions.Format, ranges: dict[str, float]) -> float:
    """What is most specific counts."""
    names = (image_format.media_type, "image/*", "*/*")
    return next((ranges[name] for name in names if name in ranges), 0.0)


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has this already (RFC 9110 §13.1.2, weak comparison)."""
    if if_none_match is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or etag in tags
