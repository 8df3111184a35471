"""Reading what clients send: JSON bodies, preferences, parameters. Everything wrong is said at once, and by name."""

import json
import re
from typing import Any, Final

import msgspec

from cakegate.domain import cakes, errors

#: An Idempotency-Key: printable ASCII; the draft's quotes around it are taken off.
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
#: What a client may send and we do not read: the data model names it as required, and the bakery gives its own.
_IGNORED: Final = "id"
_TYPES: Final = {"name": str, "comment": str, "imageUrl": str}
_KINDS: Final = {str: "a text", bool: "true or false", type(None): "null", list: "a list", dict: "an object"}


def cake(content: bytes, *, content_type: str, picture: bool = True) -> tuple[cakes.CakeDraft, str | None]:
    """A checked draft from a body, and the picture's address as it was given; without `picture` it may be left out.

    Raises:
        InvalidRequest: no JSON object, a field twice, another media type.
        InvalidCake: all that is wrong with its fields.
    """
    _check_media_type(content_type)
    fields = _object(content)
    fields.pop(_IGNORED, None)
    complaints = _shape(fields, picture=picture)
    yum = _whole(fields.get("yumFactor"))
    # Stand-ins for what is missing or of another type, so that the other fields are judged all the same.
    stand_in = cakes.CakeDraft(
        name=_text(fields, "name", "-----"),
        comment=_text(fields, "comment", "-----"),
        image_url=_text(fields, "imageUrl", "http://picture.invalid/"),
        yum_factor=cakes.YUM_FACTOR_MIN if yum is None else yum,
    )
    try:
        draft = cakes.check_draft(stand_in)
    except errors.InvalidCake as error:
        raise errors.InvalidCake({**error.fields, **complaints}) from None
    if complaints:
        raise errors.InvalidCake(complaints)
    return draft, fields.get("imageUrl")


def _check_media_type(content_type: str) -> None:
    kind, _, parameters = content_type.lower().partition(";")
    kind = kind.strip()
    charset = re.search(r"charset\s*=\s*\"?([^\";\s]+)", parameters)
    json_kind = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    if not json_kind or (charset and charset[1] not in {"utf-8", "utf8", "us-ascii"}):
        raise errors.InvalidRequest("unsupported-media-type", 415, "The body must be application/json in UTF-8.")


def _object(content: bytes) -> dict[str, Any]:
    try:
        # msgspec first: it bounds nesting and is strict; the standard library then tells what stands there twice.
        found = msgspec.json.decode(content)
        if not isinstance(found, dict):
            raise errors.InvalidRequest("broken-json", 400, "The body must be a JSON object.")
        twice = _twice(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise errors.InvalidRequest("broken-json", 400, f"The body is not JSON: {error}") from error
    if twice:
        fields = {name: "is given twice" for name in twice}
        raise errors.InvalidRequest("invalid-request", 422, "A field is given twice.", fields=fields)
    return found


def _twice(content: bytes) -> set[str]:
    found: set[str] = set()

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: set[str] = set()
        for name, _ in pairs:
            (found if name in seen else seen).add(name)
        return dict(pairs)

    json.loads(content, object_pairs_hook=note)
    return found


def _shape(fields: dict[str, Any], *, picture: bool) -> dict[str, str]:
    """Complaints about fields that are missing, unknown or of another type."""
    known = {*_TYPES, "yumFactor"}
    complaints = {name: "is not a field of a cake" for name in fields if name not in known}
    for name in known:
        if name not in fields:
            if picture or name != "imageUrl":
                complaints[name] = "is missing"
        elif name == "yumFactor":
            if _whole(fields[name]) is None:
                complaints[name] = f"must be a whole number from {cakes.YUM_FACTOR_MIN} to {cakes.YUM_FACTOR_MAX}"
        elif not isinstance(fields[name], str):
            complaints[name] = f"must be a text, not {_KINDS.get(type(fields[name]), 'a number')}"
    return complaints


def _text(fields: dict[str, Any], name: str, otherwise: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else otherwise


def _whole(value: Any) -> int | None:
    """3 and 3.0 are 3; 3.5, "3" and true are none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) else None


def idempotency_key(header: str | None) -> str | None:
    """The key, without the quotes that the IETF draft puts around it. Raises `InvalidRequest`."""
    if header is None:
        return None
    key = header.strip()
    if len(key) > 1 and key.startswith('"') and key.endswith('"'):
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise errors.InvalidRequest(
            "invalid-request", 400, "Idempotency-Key must be 1 to 255 printable ASCII characters without spaces."
        )
    return key


def wait_seconds(headers: list[str], *, default: float, most: float) -> tuple[float, str | None]:
    """How long to wait, and what to say of it in `Preference-Applied` (RFC 7240)."""
    for preference in ",".join(headers).split(","):
        name, _, value = preference.split(";")[0].partition("=")
        name, value = name.strip().lower(), value.strip().strip('"')
        if name == "respond-async":
            return 0.0, "respond-async"
        if name == "wait" and value.isascii() and value.isdigit() and len(value) < 10:  # noqa: PLR2004
            chosen = min(float(value), most)
            return chosen, f"wait={chosen:g}"
    return default, None


def number(text: str | None, name: str, *, default: int, least: int, most: int) -> int:
    """A whole number from the query. Raises `InvalidRequest` naming it."""
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,12}", text) or not least <= int(text) <= most:
        fields = {name: f"must be a whole number from {least} to {most}"}
        raise errors.InvalidRequest("invalid-request", 422, f"{name} cannot be used.", fields=fields)
    return int(text)
