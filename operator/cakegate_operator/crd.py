"""The definition of `CakeBakery`, made from the types in `bakery`: their descriptions, defaults and rules.

`python -m cakegate_operator.crd` prints it as YAML. What msgspec knows of a type is what the API server will check.
"""

import sys
import types
import typing
from typing import Annotated, Any, Final, Literal

import msgspec
import yaml

from cakegate_operator import bakery, names, statuses

Schema = dict[str, Any]

_PLAIN: Final[dict[Any, Schema]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
}
_LIMITS: Final = {
    "ge": "minimum",
    "le": "maximum",
    "pattern": "pattern",
    "description": "description",
}
#: Of a string and of a list, in this order.
_LENGTHS: Final = {"string": ("minLength", "maxLength"), "array": ("minItems", "maxItems")}
#: Lists and maps without a limit make CEL's cost estimate, which the API server enforces, go through the roof.
_MOST: Final = 64


def definition() -> Schema:
    """The CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{bakery.PLURAL}.{bakery.GROUP}"},
        "spec": {
            "group": bakery.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": bakery.KIND,
                "listKind": f"{bakery.KIND}List",
                "plural": bakery.PLURAL,
                "singular": bakery.KIND.lower(),
                "shortNames": ["bakery"],
                "categories": ["all"],
            },
            "versions": [
                {
                    "name": bakery.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(*column) for column in _COLUMNS],
                    "schema": {"openAPIV3Schema": _root()},
                }
            ],
        },
    }


_COLUMNS: Final = (
    ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status", 0),
    ("Gateway", "integer", ".status.gateway.readyReplicas", 0),
    ("Worker", "integer", ".status.worker.readyReplicas", 0),
    ("Version", "string", ".status.lastSuccessfulVersion", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Target", "string", ".status.targetVersion", 1),
    ("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason", 1),
    ("Message", "string", ".status.conditions[?(@.type=='Ready')].message", 1),
    ("Paused", "boolean", ".spec.paused", 1),
    ("URL", "string", ".status.url", 1),
)


def _column(name: str, kind: str, path: str, priority: int) -> Schema:
    column: Schema = {"name": name, "type": kind, "jsonPath": path}
    return {**column, "priority": priority} if priority else column


#: Children are called after their bakery, and some of them are Services, whose names begin with a letter.
_NAME_RULE: Final = f"self.metadata.name.matches('^[a-z]([-a-z0-9]{{0,{names.MOST_NAME - 2}}}[a-z0-9])?$')"
_NAME_MESSAGE: Final = (
    f"metadata.name: must be lower-case letters, digits and hyphens, begin with a letter and have at most"
    f" {names.MOST_NAME} characters"
)


def _root() -> Schema:
    return {
        "description": "A bakery: Cakegate in front of a legacy Cake API, and all that it needs.",
        "type": "object",
        "required": ["spec"],
        "x-kubernetes-validations": [{"rule": _NAME_RULE, "message": _NAME_MESSAGE}],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": schema_of(bakery.Spec),
            "status": schema_of(statuses.Status),
        },
    }


def schema_of(annotation: Any) -> Schema:
    """The structural schema of a type: references resolved, `None` left out, for absent fields are simply absent."""
    kind, limits = _unwrapped(annotation)
    if kind in _PLAIN:
        found = dict(_PLAIN[kind])
    elif kind is Any:
        found = {"x-kubernetes-preserve-unknown-fields": True}
    elif typing.get_origin(kind) is Literal:
        found = {**_PLAIN[type(typing.get_args(kind)[0])], "enum": list(typing.get_args(kind))}
    elif typing.get_origin(kind) is list:
        found = {"type": "array", "maxItems": _MOST, "items": schema_of(typing.get_args(kind)[0])}
    elif typing.get_origin(kind) is dict:
        found = _map(typing.get_args(kind)[1])
    else:
        found = _struct(kind)
    for meta in limits:
        found |= _limits(meta, found)
    return found


def _unwrapped(annotation: Any) -> tuple[Any, list[msgspec.Meta]]:
    """A type without `Annotated` and `| None`, and the limits found on the way, the innermost first."""
    if typing.get_origin(annotation) is Annotated:
        inner, *metas = typing.get_args(annotation)
        kind, limits = _unwrapped(inner)
        return kind, [*limits, *metas]
    if typing.get_origin(annotation) in {types.UnionType, typing.Union}:
        (inner,) = (each for each in typing.get_args(annotation) if each is not type(None))
        return _unwrapped(inner)
    return annotation, []


def _map(value: Any) -> Schema:
    if value is Any:
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {"type": "object", "maxProperties": _MOST, "additionalProperties": {**schema_of(value), "maxLength": 4096}}


def _limits(meta: msgspec.Meta, found: Schema) -> Schema:
    limits = {name: getattr(meta, key) for key, name in _LIMITS.items() if getattr(meta, key) is not None}
    limits |= meta.extra_json_schema or {}
    least, most = _LENGTHS.get(found.get("type", ""), ("", ""))
    if least and meta.min_length is not None:
        limits[least] = meta.min_length
    if most and meta.max_length is not None:
        limits[most] = meta.max_length
    return limits


def _struct(kind: Any) -> Schema:
    properties, required = {}, []
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        described = schema_of(hints[field.name])
        if field.required:
            required.append(field.encode_name)
        elif (default := _default(field)) is not None:
            described["default"] = default
        properties[field.encode_name] = described
    found: Schema = {"type": "object", "properties": properties}
    if kind.__doc__:
        found["description"] = " ".join(kind.__doc__.split())
    if required:
        found["required"] = required
    if rules := getattr(kind, "rules", ()):
        found["x-kubernetes-validations"] = [{"rule": each.rule, "message": each.message} for each in rules]
    # A map by type: two managers of conditions would each own theirs.
    if kind is statuses.Status:
        properties["conditions"] |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return found


def _default(field: msgspec.structs.FieldInfo) -> Any:
    """What the API server fills in, whole: it holds a default against the rules before it fills in what is in it."""
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return None if value is None else _whole(value)


def _whole(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        fields = ((field.encode_name, getattr(value, field.name)) for field in msgspec.structs.fields(value))
        return {name: _whole(inner) for name, inner in fields if inner is not None}
    return msgspec.to_builtins(value)


class _Plain(yaml.SafeDumper):
    """YAML without anchors: what is said twice stands there twice."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def main() -> None:
    """Print it."""
    yaml.dump(definition(), sys.stdout, Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)


if __name__ == "__main__":
    main()
