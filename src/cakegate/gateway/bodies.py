"""What clients send as JSON, checked in one go: every complaint in one answer.

The rules for what the data model leaves open: `id` is taken and ignored (the model requires it, but the bakery gives
out ids); an unknown field is refused, since a misspelt one would be lost in silence; a field given twice is refused,
since parsers differ in which one they believe; the yum factor must be a whole number, `3.0` is one and `"3"` is not.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from cakegate.domain import cakes, errors

_TEXTS: Final = ("name", "comment", "imageUrl")
_FIELDS: Final = frozenset({"id", *_TEXTS, "yumFactor"})
#: Complaints about unknown fields beyond this are one client's program gone wrong.
_MAX_UNKNOWN: Final = 20
_NAME_MAX_CHARACTERS: Final = 60
#: Stands in for what is already complained about, so that the rest is checked too.
_PLACEHOLDER: Final = cakes.CakeDraft(
    name="placeholder", comment="placeholder", image_url="http://placeholder.invalid/", yum_factor=3
)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a PUT says: the whole cake but its picture, which may be given to be compared."""

    name: str
    comment: str
    yum_factor: int
    image_url: str | None


def check_media_type(content_type: str | None) -> None:
    """Raise `MediaTypeUnknown` unless it is `application/json` or `…+json`, in UTF-8."""
    media_type, *parameters = (part.strip().lower() for part in (content_type or "").split(";"))
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise errors.MediaTypeUnknown("Send it with Content-Type: application/json.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in {"utf-8", "utf8"}:
            raise errors.MediaTypeUnknown("JSON is UTF-8 (RFC 8259): another charset is not read.")


def draft_of(body: bytes) -> cakes.CakeDraft:
    """The cake that a POST submits, cleaned.

    Raises:
        BodyBroken: it is not JSON.
        InvalidCake: it is not a cake that we can take; with all complaints.
    """
    given, complaints = _fields(body)
    draft = _checked(given, complaints, required=(*_TEXTS, "yumFactor"))
    if complaints:
        raise errors.InvalidCake(complaints)
    return draft


def change_of(body: bytes) -> Change:
    """What a PUT changes. Raises as `draft_of` does."""
    given, complaints = _fields(body)
    draft = _checked(given, complaints, required=("name", "comment", "yumFactor"))
    if complaints:
        raise errors.InvalidCake(complaints)
    return Change(
        name=draft.name,
        comment=draft.comment,
        yum_factor=draft.yum_factor,
        image_url=draft.image_url if "imageUrl" in given else None,
    )


def _fields(body: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """The object's fields, and complaints about those that are unknown or come twice."""
    try:
        pairs = _pairs(body)
    except RecursionError as error:
        raise errors.BodyBroken("It is nested too deeply.") from error
    except UnicodeDecodeError as error:
        raise errors.BodyBroken("It is not UTF-8.") from error
    except (msgspec.DecodeError, ValueError) as error:
        # Not in the parser's words: they are no promise of ours, and name what nobody needs to know.
        raise errors.BodyBroken("It cannot be read as JSON (RFC 8259).") from error
    given: dict[str, Any] = {}
    complaints: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            complaints[name[:_NAME_MAX_CHARACTERS]] = "is given more than once"
        elif name not in _FIELDS and len(complaints) < _MAX_UNKNOWN:
            complaints[name[:_NAME_MAX_CHARACTERS]] = f"is not a field of a cake: {', '.join(sorted(_FIELDS))} are"
        given[name] = value
    return given, complaints


def _pairs(body: bytes) -> list[tuple[str, Any]]:
    """The object's fields as they were written. Raises `InvalidCake` where it is no object, and the parsers' errors."""
    # First by a parser that ends deep nesting with an error instead of a full stack.
    found = msgspec.json.decode(body)
    if not isinstance(found, dict):
        raise errors.InvalidCake({"": "must be a JSON object"})
    if any(isinstance(each, (dict, list)) for each in found.values()):
        # The other parser, which sees what is given twice, is slow: nothing is for it that is no cake anyhow.
        return list(found.items())
    pairs: list[tuple[str, Any]] = json.loads(body, object_pairs_hook=list)
    return pairs


def _checked(given: Mapping[str, Any], complaints: dict[str, str], *, required: tuple[str, ...]) -> cakes.CakeDraft:
    """The cake made of what is sound; complaints about the rest are added."""
    for name in required:
        if name not in given:
            complaints.setdefault(name, "is required")
    draft = cakes.CakeDraft(
        name=_text(given, "name", complaints, _PLACEHOLDER.name),
        comment=_text(given, "comment", complaints, _PLACEHOLDER.comment),
        image_url=_text(given, "imageUrl", complaints, _PLACEHOLDER.image_url),
        yum_factor=_whole_number(given, complaints),
    )
    try:
        return cakes.check_draft(draft)
    except errors.InvalidCake as error:
        for name, text in error.fields.items():
            complaints.setdefault(name, text)
        return draft


def _text(given: Mapping[str, Any], name: str, complaints: dict[str, str], placeholder: str) -> str:
    value = given.get(name, placeholder)
    if isinstance(value, str):
        return value
    complaints.setdefault(name, "must be text")
    return placeholder


def _whole_number(given: Mapping[str, Any], complaints: dict[str, str]) -> int:
    value = given.get("yumFactor", _PLACEHOLDER.yum_factor)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    complaints.setdefault("yumFactor", f"must be a whole number from {cakes.YUM_FACTOR_MIN} to {cakes.YUM_FACTOR_MAX}")
    return _PLACEHOLDER.yum_factor
