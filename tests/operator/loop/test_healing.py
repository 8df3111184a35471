"""From whatever state, through whatever failure: the same end, and nothing touched that must not be."""

import asyncio
import copy

from bakery_world import World
from fake_cluster import FakeCluster
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cakegate_operator import inputs, kinds, names
from cakegate_operator.cluster import ClusterError

_QUICK = settings(
    max_examples=20,
    deadline=None,
    # Without shrinking: a failure says in few words what differs.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
_SPEC = {"upstream": {"sample": {}}, "worker": {"replicas": 3}}


def made(spec=None, apis=()):
    """A bakery that came to its end, and what it is made of."""
    world = World(FakeCluster(apis=apis)).bakery(copy.deepcopy(spec or _SPEC))
    asyncio.run(world.converge())
    return world


def again(cluster):
    """The same cluster, apart, with a new operator."""
    other = FakeCluster(apis=cluster.apis)
    other.objects = cluster.snapshot()
    other._numbers = copy.copy(cluster._numbers)
    return World(other)


def essence(cluster):
    """What there is, without what says when and by whom."""
    return {
        key: {path: value for path, value in kept.paths.items() if _lasting(path)}
        for key, kept in cluster.objects.items()
        if key[0] not in {"Event", "CakeBakery", "Secret"}
    }


def differences(wanted, found):
    """Few words about what differs: whole objects would take pytest minutes to compare."""
    return sorted(
        f"{key} {path}"
        for key in wanted.keys() | found.keys()
        for path in {*wanted.get(key, {"absent": 1}), *found.get(key, {"absent": 1})}
        if wanted.get(key, {}).get(path) != found.get(key, {}).get(path)
    )


def _lasting(path):
    return path[0] != "f:status" and path[-1] not in {"f:uid", "f:generation", "f:creationTimestamp"}


_FINISHED = made().cluster
_WRITTEN = sorted(key for key in _FINISHED.objects if key[0] in {kind.kind for kind in kinds.CHILDREN})
#: Jobs are made once and never written again.
_EDITABLE = [key for key in _WRITTEN if key[0] != "Job"]


@_QUICK
@given(
    gone=st.sets(st.sampled_from(_WRITTEN)),
    edited=st.sets(st.sampled_from(_EDITABLE)),
    unlabelled=st.sets(st.sampled_from(_EDITABLE)),
)
def test_any_partial_state_converges_to_the_same(gone, edited, unlabelled):
    world = again(_FINISHED)
    for key in gone:
        del world.cluster.objects[key]
    for kind, _, name in edited - gone:
        world.cluster.edit(kind, name, lambda body: body["metadata"]["labels"].update({names.PART_OF: "else"}))
    for kind, _, name in unlabelled - gone:
        world.cluster.edit(kind, name, lambda body: body["metadata"]["labels"].pop(names.BAKERY))
    asyncio.run(world.converge(most=12))
    assert [] == differences(essence(_FINISHED), essence(world.cluster))
    world.cluster.writes.clear()
    asyncio.run(world.once())
    assert [] == world.cluster.writes


@_QUICK
@given(step=st.integers(min_value=1, max_value=60), after=st.booleans())
def test_a_write_that_fails_anywhere_is_healed(step, after):
    world = World().bakery(copy.deepcopy(_SPEC))
    world.cluster.failing, world.cluster.fails_after = step, after

    async def run():
        for _ in range(20):
            try:
                await world.converge()
            except ClusterError:
                # A new leader: it knows nothing of what was done.
                world.restart()
            else:
                return

    asyncio.run(run())
    assert [] == differences(_portable(_FINISHED), _portable(world.cluster))


def _portable(cluster):
    """Uids, random passwords, and digests of what holds them differ between two clusters: the Job's name is one."""
    return {
        ("Job", "default", "demo-migrate") if key[0] == "Job" else key: {
            path: value
            for path, value in paths.items()
            if "f:ownerReferences" not in path
            and path[-1] not in {f"f:{names.APPLIED}", f"f:{names.CONFIG_HASH}"}
            and not (key[0] == "Job" and path == ("f:metadata", "f:name"))
        }
        for key, paths in essence(cluster).items()
    }


_NAMES = st.from_regex(r"demo-[a-z]{1,8}", fullmatch=True)


@_QUICK
@given(
    name=_NAMES,
    kind=st.sampled_from(["ConfigMap", "Deployment", "Service", "StatefulSet", "Secret", "PersistentVolumeClaim"]),
    component=st.sampled_from([names.POSTGRES, names.REDIS, names.SAMPLE, "other"]),
    owner=st.sampled_from(["ours", "another", "nobody"]),
    kept=st.booleans(),
)
def test_pruning_takes_what_is_ours_and_never_what_is_protected(name, kind, component, owner, kept):
    world = again(_FINISHED)
    if (kind, "default", name) in world.cluster.objects:
        return
    uid = {"ours": world.live()["metadata"]["uid"], "another": "uid-of-another"}.get(owner)
    version = {"Deployment": "apps/v1", "StatefulSet": "apps/v1"}.get(kind, "v1")
    labels = names.labels("demo", component) | ({names.KEPT: "true"} if kept else {})
    metadata = {"name": name, "namespace": "default", "labels": labels}
    if uid:
        metadata["ownerReferences"] = [{"uid": uid, "kind": "CakeBakery", "name": "demo", "controller": True}]
    world.cluster.put({"apiVersion": version, "kind": kind, "metadata": metadata})
    asyncio.run(world.once())
    protected = (
        owner != "ours"
        or kept
        or kind in {"Secret", "PersistentVolumeClaim"}
        or (kind == "StatefulSet" and component in {names.POSTGRES, names.REDIS})
    )
    assert protected == (world.cluster.shown(kind, name) is not None)


def _before_and_after(before, after, apis=()):
    """A world that was, and what became of it."""
    world = made({**_SPEC, **before}, apis=apis)
    old = world.cluster.snapshot()
    world.cluster.edit("CakeBakery", "demo", lambda body: body["spec"].update(after))
    asyncio.run(world.converge())
    return old, world.cluster


_OLD, _CHANGED = _before_and_after({"worker": {}}, {"worker": {"replicas": 3}}, apis=[inputs.KEDA])


@_QUICK
@given(gone=st.sets(st.sampled_from(_WRITTEN), max_size=4))
def test_old_lists_destroy_nothing(gone):
    """Lists show the world before, when KEDA scaled the workers."""
    world = again(_CHANGED)
    for key in gone & world.cluster.objects.keys():
        del world.cluster.objects[key]
    before = world.cluster.names()
    world.cluster.stale = _OLD
    asyncio.run(world.once())
    assert before <= world.cluster.names()


def test_an_api_that_does_not_answer_takes_nothing_away():
    world = made({**_SPEC, "worker": {}}, apis=inputs.OPTIONAL)
    before = world.cluster.names()
    assert "ScaledObject/demo-worker" in before
    world.restart()
    world.cluster.unclear = set(inputs.OPTIONAL)
    asyncio.run(world.once())
    assert before == world.cluster.names()


def test_an_api_that_goes_away_is_replaced_and_comes_back():
    world = made({**_SPEC, "worker": {}}, apis=[inputs.KEDA])
    world.cluster.apis.clear()
    world.cluster.objects = {key: kept for key, kept in world.cluster.objects.items() if key[0] != "ScaledObject"}
    world.restart()
    asyncio.run(world.converge())
    assert "HorizontalPodAutoscaler/demo-worker" in world.cluster.names()
    assert "CRDNotInstalled" == world.conditions()["AutoscalingActive"][1]
    world.cluster.apis.add(inputs.KEDA)
    world.restart()
    asyncio.run(world.converge())
    assert "HorizontalPodAutoscaler/demo-worker" not in world.cluster.names()
    assert "ScaledObject/demo-worker" in world.cluster.names()
