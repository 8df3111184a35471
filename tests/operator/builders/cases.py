"""Bakeries that the builders' tests are made with: the samples, corners, and any valid one."""

import base64
from pathlib import Path
from typing import Any

import msgspec
import yaml

from cakegate_operator import bakery, build, inputs, names
from cakegate_operator.inputs import Inputs, Object

REPOSITORY = Path(__file__).parents[3]
SAMPLES = REPOSITORY / "manifests" / "samples"
CORNERS = Path(__file__).parent / "corners"
ALL_APIS = frozenset(inputs.OPTIONAL)
NOTHING = frozenset[inputs.Api]()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A resource, and which optional APIs are there."""

    name: str
    file: Path
    apis: frozenset[inputs.Api] = ALL_APIS
    unknown_apis: frozenset[inputs.Api] = NOTHING
    endpoints: dict[tuple[str, str], inputs.Endpoint] = {}
    proven: dict[str, str] = {}


CASES = (
    Case(name="minimal", file=SAMPLES / "minimal.yaml"),
    Case(name="minimal-on-a-bare-cluster", file=SAMPLES / "minimal.yaml", apis=NOTHING),
    Case(name="production", file=SAMPLES / "production.yaml"),
    Case(
        name="external",
        file=SAMPLES / "external.yaml",
        endpoints={
            ("databases", "postgres"): inputs.Endpoint(host="postgres.example.com", port=5432),
            ("databases", "redis"): inputs.Endpoint(host="10.1.2.3", port=6380),
        },
    ),
    Case(name="fixed", file=CORNERS / "fixed.yaml"),
    Case(
        name="packs",
        file=CORNERS / "packs.yaml",
        # Servers that an operator with other defaults has made.
        proven={"postgres": "registry.example.com/postgres:17.2", "redis": "registry.example.com/valkey:8"},
    ),
    Case(name="volume", file=CORNERS / "volume.yaml", apis=NOTHING),
    Case(name="shadow", file=CORNERS / "shadow.yaml", apis=NOTHING),
)


def read(file: Path, **changes: Any) -> bakery.Bakery:
    """A resource as the operator works with it."""
    found = yaml.safe_load(file.read_text(encoding="utf-8"))
    return resource(
        found["spec"], name=found["metadata"]["name"], **found["metadata"].get("annotations", {}), **changes
    )


def resource(spec: dict[str, Any], *, name: str = "demo", **annotations: str) -> bakery.Bakery:
    """A resource with this spec, in the namespace `shop`."""
    return bakery.Bakery(
        name=name,
        namespace="shop",
        uid="11111111-2222-3333-4444-555555555555",
        generation=1,
        spec=msgspec.convert(spec, bakery.Spec),
        annotations=annotations,
    )


def given(
    made: bakery.Bakery,
    *,
    apis: frozenset[inputs.Api] = ALL_APIS,
    unknown_apis: frozenset[inputs.Api] = NOTHING,
    version: str = "1.0.0",
    operator_version: str = "1.0.0",
    **facts: Any,
) -> Inputs:
    """What builders get: every Secret that is referred to has a digest, unless `facts` say otherwise."""
    release = inputs.Release(version=operator_version)
    found = inputs.Facts(version=version, apis=apis, unknown_apis=unknown_apis, **facts)
    first = Inputs(bakery=made, release=release, facts=found)
    if "secrets" in facts:
        return first
    digests = {(key.name, key.key): f"digest of {key.name}/{key.key}" for key in build.references(first)}
    return msgspec.structs.replace(first, facts=msgspec.structs.replace(found, secrets=digests))


def case_inputs(case: Case, **more: Any) -> Inputs:
    """What the builders get in a case."""
    facts = {"endpoints": case.endpoints, "proven": case.proven, **more}
    return given(read(case.file), apis=case.apis, unknown_apis=case.unknown_apis, **facts)


def objects(made: Inputs) -> list[Object]:
    """All that is desired, in the order of its stages."""
    return [each for stage in build.desired(made).values() for each in stage]


def one(found: list[Object], kind: str, name: str) -> Object:
    """The object of a kind and name."""
    (only,) = (each for each in found if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return only


def pod_specs(found: list[Object]) -> dict[str, Object]:
    """The pods that objects make, by kind and name."""
    specs = {}
    for each in found:
        spec = each.get("spec", {})
        if each["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if "template" in spec:
            specs[f"{each['kind']}/{each['metadata']['name']}"] = spec["template"]
    return specs


def environment(template: Object) -> dict[str, str]:
    """The environment of a pod's first container; of what comes from a Secret, where it comes from."""
    return {
        entry["name"]: entry["value"]
        if "value" in entry
        else "{name}/{key}".format(**entry["valueFrom"]["secretKeyRef"])
        for entry in template["spec"]["containers"][0]["env"]
    }


LEGACY: dict[str, Any] = {"url": "https://legacy.example.com"}
SAMPLE: dict[str, Any] = {"sample": {}}
ALL_SECRETS: dict[str, Any] = {
    "upstream": {
        **LEGACY,
        "credentialsSecretRef": {"name": "legacy", "key": "token"},
        "headersSecretRef": {"name": "legacy", "key": "headers"},
        "caSecretRef": {"name": "legacy", "key": "ca"},
    },
    "database": {"urlSecretRef": {"name": "db", "key": "url"}, "caSecretRef": {"name": "db", "key": "ca"}},
    "redis": {"urlSecretRef": {"name": "redis", "key": "url"}, "caSecretRef": {"name": "redis", "key": "ca"}},
    "storage": {"urlSecretRef": {"name": "pictures", "key": "url"}},
}


def built(spec: dict[str, Any], **facts: Any) -> list[Object]:
    return objects(given(resource(spec), **facts))


def template(found: list[Object], component: str, kind: str = "Deployment") -> Object:
    made: Object = one(found, kind, f"demo-{component}")["spec"]["template"]
    return made


def templates(found: list[Object]) -> dict[str, Object]:
    return {each: template(found, each) for each in names.PROCESSES}


def changed(one: list[Object], other: list[Object]) -> set[str]:
    """Pods that go from one to the other by a restart."""
    before, after = pod_specs(one), pod_specs(other)
    return {name.rpartition("demo-")[2] for name in before.keys() & after.keys() if before[name] != after[name]}


def decoded(secret: Object) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
