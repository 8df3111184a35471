"""Every sample and corner on the fake cluster, with all optional APIs: applied once, and never again."""

import base64
from pathlib import Path

import pytest
import yaml
from bakery_world import World
from fake_cluster import FakeCluster

from cakegate_operator import inputs, observing

ROOT = Path(__file__, "../../../..").resolve()
FILES = sorted([*ROOT.glob("manifests/samples/*.yaml"), *ROOT.glob("tests/operator/builders/corners/*.yaml")])


def specs():
    for file in FILES:
        for body in yaml.safe_load_all(file.read_text()):
            if body and body["kind"] == "CakeBakery":
                yield pytest.param(body["spec"], id=file.stem)


@pytest.mark.parametrize("spec", [*specs()])
async def test_every_sample_is_applied_once(spec):
    world = World(FakeCluster(apis=inputs.OPTIONAL))
    database, redis = spec.get("database", {"managed": {}}), spec.get("redis", {"managed": {}})
    world.bakery({**spec, "database": database, "redis": redis})
    for _, key in observing.references(observing.understood(world.live())):
        _add(world, key.name, key.key)
    if "cloudNativePG" in database:
        _add(world, "demo-postgres-app", "uri")
    for _ in range(4):
        await world.once()
        world.settle()
    paused = spec.get("paused", False)
    assert paused or "True" == world.conditions()["ObjectsApplied"][0], world.conditions()
    world.cluster.writes.clear()
    world.restart()
    await world.once()
    assert [] == world.cluster.writes


def _add(world, name, key):
    value = base64.b64encode(
        b"redis://:x@host.example:6379/0" if "redis" in f"{name}/{key}" else b"postgresql://a:b@host.example/c"
    )
    if world.cluster.shown("Secret", name) is None:
        metadata = {"name": name, "namespace": "default"}
        world.cluster.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {key: value.decode()}})
    else:
        world.cluster.edit("Secret", name, lambda body: body["data"].update({key: value.decode()}))
