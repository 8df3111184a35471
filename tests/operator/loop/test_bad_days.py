"""What must not happen on a bad day: stale words, values that are no text, labels changed by hand, two of a name."""

import base64

import pytest
from bakery_world import World
from fake_cluster import FakeCluster

from cakegate_operator import inputs, metrics, names
from cakegate_operator.reconcile import Ended


def _secret(name, **values):
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"}, "data": data}


def _external(redis):
    cluster = FakeCluster(apis=inputs.OPTIONAL)
    cluster.put(_secret("urls", redis=redis, postgres=b"postgresql://u:p@10.0.0.5:6543/c"))
    world = World(cluster)
    database = {"urlSecretRef": {"name": "urls", "key": "postgres"}}
    spec = {"upstream": {"url": "http://legacy"}, "database": database}
    return world.bakery({**spec, "redis": {"urlSecretRef": {"name": "urls", "key": "redis"}}})


@pytest.mark.parametrize("url", [b"\xff\xfe\x00", b"rediss://[broken:6380", b"redis://h:notaport", b"nothing"])
async def test_a_redis_url_that_is_none_is_named_in_a_condition(url):
    world = _external(url)
    assert Ended.HELD is await world.once()
    assert ("False", "InvalidSecret") == world.conditions()["ReferencesResolved"]
    assert "spec.redis.urlSecretRef" in world.message("ReferencesResolved")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"postgresql://u:hun%zzter2@h/x", 'psycopg.ProgrammingError: invalid percent-encoded token: "hun%zzter2"'),
        (b"postgresql://u:hunter2@[h/x", 'end of string reached: "postgresql://u:hunter2@[h/x"'),
        (b"postgresql://u:hunt/er2@h/x", "ValueError: Port could not be cast to integer value as 'hunt'"),
        (b"postgresql://u:hunt%40er2@h/x", "no such password: hunt@er2"),
    ],
)
async def test_no_secret_that_a_process_quotes_stands_in_a_condition_or_an_event(value, said):
    world = _external(b"redis://h:6379")
    world.cluster.objects.pop(("Secret", "default", "urls"))
    world.cluster.put(_secret("urls", redis=b"redis://h:6379", postgres=value))
    await world.once()
    await _failing(world, said)
    assert "migrate ended with 1" in world.message("MigrationsApplied")
    told = [
        world.cluster.shown(kind, name) for kind, _, name in world.cluster.objects if kind in {"Event", "CakeBakery"}
    ]
    assert "hun" not in str(told)


async def _failing(world, said):
    """The migration's pod ends with these words."""
    (job,) = [name for kind, _, name in world.cluster.objects if kind == "Job"]
    ended = {"state": {"terminated": {"exitCode": 1, "message": f"{said}\n"}}, "name": "migrate"}
    labels = names.selector("demo", names.MIGRATION)
    world.cluster.put(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": job, "namespace": "default", "labels": labels}}
    )
    world.cluster.status("Pod", job, {"containerStatuses": [ended]})
    world.cluster.status("Job", job, {"conditions": [{"type": "Failed", "status": "True"}]})
    await world.once()


async def test_words_that_are_no_secret_stay_words(world):
    world.bakery()
    await world.once()
    await _failing(world, "cakegate: no such host in default")
    assert world.message("MigrationsApplied").endswith("migrate ended with 1: cakegate: no such host in default")


async def test_a_secret_that_vanishes_closes_no_way_that_running_pods_use():
    world = await _external(b"rediss://10.0.0.6:6390").converge()
    before = world.cluster.shown("NetworkPolicy", "demo-gateway")["spec"]
    del world.cluster.objects["Secret", "default", "urls"]
    assert Ended.HELD is await world.once()
    assert before == world.cluster.shown("NetworkPolicy", "demo-gateway")["spec"]


async def test_running_pods_keep_their_way_until_those_of_another_server_are_ready():
    world = await _external(b"rediss://10.0.0.6:6390").converge()
    moved = _secret("urls", redis=b"rediss://10.0.0.7:6391", postgres=b"postgresql://u:p@10.0.0.5:6543/c")
    world.cluster.edit("Secret", "urls", lambda body: body.update(data=moved["data"]))
    await world.once()
    assert {"10.0.0.5/32", "10.0.0.6/32", "10.0.0.7/32"} == _ways(world)
    # No pod of theirs has become ready since.
    world.cluster.writes.clear()
    await world.once()
    await world.once()
    assert {"10.0.0.5/32", "10.0.0.6/32", "10.0.0.7/32"} == _ways(world)
    assert {"NetworkPolicy"}.isdisjoint({kind for _, kind, _ in world.cluster.writes})
    await world.converge()
    assert {"10.0.0.5/32", "10.0.0.7/32"} == _ways(world)


async def test_a_range_that_is_closed_is_closed_at_once_also_for_pods_that_are_to_be_replaced():
    world = await _external(b"rediss://10.0.0.6:6390").converge()
    closed = {"networkPolicy": {"clusterCIDRs": ["0.0.0.0/0", "::/0"]}, "worker": {"threads": 2}}
    world.cluster.edit("CakeBakery", "demo", lambda body: body["spec"].update(closed))
    await world.once()
    assert {"10.0.0.5/32", "10.0.0.6/32"} == _ways(world, "worker")


def _ways(world, component="gateway"):
    policy = world.cluster.shown("NetworkPolicy", f"demo-{component}")
    peers = [peer for rule in policy["spec"]["egress"] for peer in rule.get("to", [])]
    return {peer["ipBlock"]["cidr"] for peer in peers if "ipBlock" in peer}


async def test_a_denied_list_is_said_of_the_resource_as_it_is_now_and_measured(world):
    await world.bakery().converge()
    world.cluster.edit("CakeBakery", "demo", lambda body: body["spec"].update({"writer": {"replicas": 2}}))
    world.cluster.denied.add("Service")
    assert Ended.HELD is await world.once()
    live = world.live()
    assert live["metadata"]["generation"] == live["status"]["observedGeneration"]
    assert 0 == metrics.REGISTRY.get_sample_value(
        "cakegate_operator_condition", {"namespace": "default", "bakery": "demo", "type": "Ready"}
    )
    world.reconciler.forget("default", "demo")


async def test_a_label_changed_by_hand_changes_no_version(world):
    await world.bakery().converge()
    wrong = {names.VERSION: "6.6.6"}
    world.cluster.edit("Deployment", "demo-gateway", lambda body: body["metadata"]["labels"].update(wrong))
    await world.converge()
    gateway = world.cluster.shown("Deployment", "demo-gateway")
    assert "1.2.3" == gateway["metadata"]["labels"][names.VERSION]
    assert "1.2.3" == world.live()["status"]["targetVersion"]


async def test_what_a_backup_brings_back_keeps_its_version(world):
    await world.bakery().converge()
    brought = {key: kept for key, kept in world.cluster.objects.items() if key[0] != "Event"}
    for kept in brought.values():
        kept.owned.clear()
        kept.paths = {path: value for path, value in kept.paths.items() if path[0] != "f:status"}
    world.restart(inputs.Release(version="9.9.9"))
    await world.converge()
    gateway = world.cluster.shown("Deployment", "demo-gateway")
    assert "1.2.3" == gateway["metadata"]["labels"][names.VERSION]


async def test_a_request_to_restart_that_is_taken_back_restarts_nothing(world):
    world.bakery()
    asked = {"annotations": {names.RESTARTED_AT: "today"}}
    world.cluster.edit("CakeBakery", "demo", lambda body: body["metadata"].update(asked))
    await world.converge()
    before = world.cluster.shown("Deployment", "demo-gateway")["spec"]
    world.cluster.edit("CakeBakery", "demo", lambda body: body["metadata"].pop("annotations"))
    await world.converge()
    assert before == world.cluster.shown("Deployment", "demo-gateway")["spec"]


async def test_a_bakery_made_anew_waits_for_what_the_garbage_collector_has_not_taken_yet(world):
    await world.bakery().converge()
    password = world.cluster.shown("Secret", "demo-redis")["data"]
    del world.cluster.objects["CakeBakery", "default", "demo"]
    world.bakery()
    for _ in range(3):
        assert Ended.HELD is await world.once()
    assert "Stalled" not in world.conditions()
    assert "is being deleted" in world.message("ObjectsApplied")
    uid = world.live()["metadata"]["uid"]
    for key, kept in list(world.cluster.objects.items()):
        owners = world.cluster.shown(key[0], key[2])["metadata"].get("ownerReferences", [])
        if kept and owners and owners[0]["uid"] != uid:
            del world.cluster.objects[key]
    await world.converge()
    assert password != world.cluster.shown("Secret", "demo-redis")["data"]


async def test_a_stateful_set_of_an_earlier_operator_is_not_asked_to_change_what_cannot_change(world):
    await world.bakery().converge()
    ordered = {"podManagementPolicy": "OrderedReady"}
    for name in ("demo-postgres", "demo-redis"):
        world.cluster.edit("StatefulSet", name, lambda body: body["spec"].update(ordered))
    await world.converge()
    for name in ("demo-postgres", "demo-redis"):
        assert "OrderedReady" == world.cluster.shown("StatefulSet", name)["spec"]["podManagementPolicy"]
    assert "Parallel" == world.cluster.shown("StatefulSet", "demo-sample")["spec"]["podManagementPolicy"]


async def test_a_protection_taken_away_by_hand_comes_back(world):
    field = "automountServiceAccountToken"
    await world.bakery().converge()
    world.cluster.edit("Deployment", "demo-worker", lambda body: body["spec"]["template"]["spec"].pop(field))
    await world.converge()
    assert world.cluster.shown("Deployment", "demo-worker")["spec"]["template"]["spec"][field] is False
