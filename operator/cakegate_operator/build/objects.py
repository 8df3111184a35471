"""What all objects share: a name, labels, an owner; and how one object is named to others."""

from typing import Any

import msgspec

from cakegate_operator import bakery, names
from cakegate_operator.inputs import Inputs, Object


class Ref(msgspec.Struct, frozen=True, order=True):
    """One object in the bakery's namespace."""

    api_version: str
    kind: str
    name: str


def ref(made_object: Object) -> Ref:
    """How an object is named to others."""
    return Ref(made_object["apiVersion"], made_object["kind"], made_object["metadata"]["name"])


def owner(inputs: Inputs) -> Object:
    """The owner reference: whatever has it goes when the bakery goes."""
    return {
        "apiVersion": f"{bakery.GROUP}/{bakery.VERSION}",
        "kind": bakery.KIND,
        "name": inputs.bakery.name,
        "uid": inputs.bakery.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def made(
    inputs: Inputs,
    kind: tuple[str, str],
    *,
    component: str,
    name: str = "",
    owned: bool = True,
    kept: bool = False,
    versioned: bool = False,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **body: Any,
) -> Object:
    """An object of `kind`, an API version and a kind, called after its component unless it has a `name`.

    `owned`: it goes with the bakery. `kept`: it is made once, never written again and never pruned.
    """
    own = names.labels(inputs.bakery.name, component, version=inputs.facts.version if versioned else None)
    metadata: Object = {
        "name": name or names.child(inputs.bakery.name, component),
        "namespace": inputs.bakery.namespace,
        # Theirs never replace ours: by ours children are found.
        "labels": {**(labels or {}), **own, **({names.KEPT: "true"} if kept else {})},
    }
    if annotations:
        metadata["annotations"] = dict(annotations)
    if owned:
        metadata["ownerReferences"] = [owner(inputs)]
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, **body}


def selector(inputs: Inputs, component: str) -> Object:
    """A label selector of a component's pods."""
    return {"matchLabels": names.selector(inputs.bakery.name, component)}


def without_nones(fields: Object) -> Object:
    """Fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}
