"""The operator's own default images change; servers that run go on with theirs."""

import msgspec
import pytest
from bakery_world import RELEASE, World

from cakegate_operator import names

CHANGED = msgspec.structs.replace(RELEASE, postgres_image="new/postgres:{major}", redis_image="new/valkey:10")
OLD = {"postgres": "docker.io/library/postgres:17", "redis": "docker.io/valkey/valkey:9"}
NEW = {"postgres": "new/postgres:17", "redis": "new/valkey:10"}


def images(world):
    sets = {each: world.cluster.shown("StatefulSet", f"demo-{each}") for each in OLD}
    return {each: found["spec"]["template"]["spec"]["containers"][0]["image"] for each, found in sets.items()}


def edit(world, **change):
    world.cluster.edit("CakeBakery", "demo", lambda body: body["spec"].update(change))


async def test_a_server_that_runs_keeps_its_image_when_the_default_changes(world):
    await world.bakery().converge()
    before = {each: world.cluster.shown("StatefulSet", f"demo-{each}") for each in OLD}
    world.restart(CHANGED)
    await world.converge()
    assert OLD == images(world)
    assert before == {each: world.cluster.shown("StatefulSet", f"demo-{each}") for each in OLD}


async def test_it_keeps_it_while_it_is_down_too(world):
    await world.bakery().converge()
    world.cluster.status("StatefulSet", "demo-postgres", {"replicas": 1})
    world.restart(CHANGED)
    await world.once()
    assert OLD == images(world)


async def test_a_server_of_an_operator_that_wrote_nothing_down_keeps_its_image(world):
    await world.bakery().converge()
    for each in OLD:
        world.cluster.edit(
            "StatefulSet", f"demo-{each}", lambda body: body["metadata"]["annotations"].pop(names.PROVEN_IMAGE)
        )
    world.restart(CHANGED)
    await world.converge()
    assert OLD == images(world)


async def test_dumps_are_made_by_the_servers_own_image(world):
    world.bakery({"upstream": {"sample": {}}, "database": {"managed": {"dumps": {}}}})
    await world.converge()
    world.restart(CHANGED)
    await world.converge()
    job = world.cluster.shown("CronJob", "demo-dumps")["spec"]["jobTemplate"]["spec"]["template"]
    assert OLD["postgres"] == job["spec"]["containers"][0]["image"]


async def test_another_version_of_cakegate_takes_the_new_default(world):
    await world.bakery().converge()
    world.restart(CHANGED)
    edit(world, version="2.0.0")
    await world.converge()
    assert NEW == images(world)
    world.restart(RELEASE)
    await world.converge()
    assert NEW == images(world)


async def test_an_image_of_the_resource_counts_and_taking_it_back_goes_back_to_what_ran(world):
    await world.bakery().converge()
    world.restart(CHANGED)
    edit(world, images={"redis": "mine:1"})
    await world.once()
    assert {**OLD, "redis": "mine:1"} == images(world)
    edit(world, images={})
    await world.once()
    assert OLD == images(world)


async def test_an_image_of_the_resource_that_is_taken_back_gives_way_to_the_default(world):
    world.bakery({"upstream": {"sample": {}}, "images": {"redis": "mine:1"}})
    await world.converge()
    edit(world, images={})
    await world.converge()
    assert OLD == images(world)
    world.restart(CHANGED)
    await world.converge()
    assert OLD == images(world)


@pytest.mark.parametrize("component", OLD)
async def test_a_default_that_never_ran_is_mended_by_another(component):
    wrong = msgspec.structs.replace(RELEASE, **{f"{component}_image": "gone:1"})
    world = World(release=wrong).bakery()
    await world.once()
    assert "gone:1" == images(world)[component]
    world.restart(RELEASE)
    await world.converge()
    assert OLD == images(world)
