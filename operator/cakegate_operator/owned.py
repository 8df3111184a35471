"""What of an object is ours: by its owner reference, and field by field by its managed fields.

An apply is skipped where nothing would come of it. Values are not compared: the API server writes quantities, numbers
and empty lists in its own way. Instead each object carries a digest of what was applied, and whoever changes a field
of ours takes it from us in `managedFields`, which says so. So an object stands as wanted where the digest is that of
what is wanted now, and every field of it that is there is still ours.
"""

import hashlib
import json
from typing import Any, Final

from cakegate_operator import names
from cakegate_operator.kinds import Object

#: On all that we apply: digest of what was applied.
APPLIED: Final = names.APPLIED
#: Takes over a field that we stop deciding on, so that its value stays (server-side apply removes what nobody owns).
HANDOVER_MANAGER: Final = f"{names.FIELD_MANAGER}-handover"


def stamped(body: Object) -> Object:
    """The object with the digest of itself in an annotation."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
    metadata = body["metadata"]
    return {**body, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), APPLIED: digest}}}


def stands(wanted: Object, live: Object) -> bool:
    """Whether applying this (stamped) object would change nothing."""
    if annotation(live, APPLIED) != annotation(wanted, APPLIED):
        return False
    body = {key: value for key, value in wanted.items() if key not in {"apiVersion", "kind"}}
    body["metadata"] = {key: value for key, value in body["metadata"].items() if key not in {"name", "namespace"}}
    return _holds(body, live, fields_of(live, names.FIELD_MANAGER))


def fields_of(live: Object, manager: str) -> dict[str, Any]:
    """The fields of an object that a manager owns by apply, as the API server writes them (`fieldsV1`)."""
    for entry in live["metadata"].get("managedFields", []):
        if entry["manager"] == manager and entry["operation"] == "Apply" and not entry.get("subresource"):
            owned: dict[str, Any] = entry.get("fieldsV1", {})
            return owned
    return {}


def own_label(live: Object, name: str) -> str | None:
    """A label's value as we wrote it; None where somebody else did since."""
    labels = fields_of(live, names.FIELD_MANAGER).get("f:metadata", {}).get("f:labels", {})
    found: str | None = (live["metadata"].get("labels") or {}).get(name) if f"f:{name}" in labels else None
    return found


def _holds(wanted: Any, live: Any, fields: dict[str, Any]) -> bool:
    """Whether all that is wanted and there is ours. What the server left out was empty, or its default."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(
            _empty(value) if key not in live else f"f:{key}" in fields and _inside(value, live[key], fields[f"f:{key}"])
            for key, value in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(live, list):
        return _items_hold(wanted, live, fields)
    return True


def _inside(wanted: Any, live: Any, fields: dict[str, Any]) -> bool:
    # No fields below: one whole (a scalar, an atomic list or map), and it is ours.
    return not fields or _holds(wanted, live, fields)


def _items_hold(wanted: list[Any], live: list[Any], fields: dict[str, Any]) -> bool:
    """Items of a list with keys: each entry of ours stands for one, by its keys."""
    if not all(isinstance(item, dict) for item in (*wanted, *live)):
        return sum(1 for name in fields if name.startswith("v:")) >= len({json.dumps(item) for item in wanted})
    entries = [(json.loads(name[2:]), inner) for name, inner in fields.items() if name.startswith("k:")]
    for item in wanted:
        inner = next((inner for keys, inner in entries if _matches(keys, item)), None)
        there = next(
            (each for each in live for keys, _ in entries if _matches(keys, item) and _matches(keys, each)), None
        )
        if inner is None or there is None or not _inside(item, there, inner):
            return False
    return True


def _matches(keys: dict[str, Any], item: dict[str, Any]) -> bool:
    # A key that was left out has a default, as `protocol` of a port has.
    return all(item.get(name, value) == value for name, value in keys.items())


def _empty(value: Any) -> bool:
    # A False or a zero is no such thing: `allowPrivilegeEscalation: false` that somebody took away is missed.
    return value is None or (isinstance(value, str | list | dict) and not value)


def annotation(body: Object, name: str) -> str | None:
    """An annotation's value."""
    found: str | None = (body["metadata"].get("annotations") or {}).get(name)
    return found


def controller(body: Object) -> Object | None:
    """The owner reference of what controls it."""
    references: list[Object] = body["metadata"].get("ownerReferences") or []
    return next((each for each in references if each.get("controller")), None)


def owner_uid(body: Object) -> str | None:
    """The uid of what controls it."""
    found = controller(body)
    return str(found["uid"]) if found else None
