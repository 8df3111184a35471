"""The loop on a real API server, with children made ready by the test."""

import asyncio
import copy
from pathlib import Path

import pytest
import yaml
from api_client import bakery, small_definition

from cakegate_operator import inputs, kinds, metrics, names
from cakegate_operator.apiserver import ApiServer
from cakegate_operator.cluster import Refused
from cakegate_operator.probing import Probes
from cakegate_operator.reconcile import Ended, Reconciler

pytestmark = pytest.mark.apiserver

RELEASE = inputs.Release(version="1.2.3")
SAMPLES = sorted(Path(__file__, "../../../../manifests/samples").resolve().glob("*.yaml"))
PLURALS = {kind.optional: kind.plural for kind in kinds.CHILDREN if kind.optional and kind.kind == kind.optional.kind}


def reconciler(api, release=RELEASE):
    return Reconciler(ApiServer(api), release, probes=Probes(enabled=False), clock=lambda: "2026-01-01T00:00:00Z")


async def settle(admin, namespace):
    """Makes all children ready, as controllers would."""
    for kind, status in (
        (kinds.STATEFUL_SET, _stateful),
        (kinds.JOB, _job),
        (kinds.DEPLOYMENT, _deployment),
    ):
        for body in await admin.all(kind, namespace):
            if _plain(status(body)).items() - _plain(body.get("status", {})).items():
                await admin.merge(kind, namespace, body["metadata"]["name"], {"status": status(body)}, "/status")


def _plain(status):
    return {name: value for name, value in status.items() if not isinstance(value, list)}


def _stateful(body):
    generation = body["metadata"]["generation"]
    return {"observedGeneration": generation, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}


def _job(_body):
    times = {"startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:00:01Z"}
    return dict(
        succeeded=1,
        **times,
        conditions=[{"type": each, "status": "True"} for each in ("SuccessCriteriaMet", "Complete")],
    )


def _deployment(body):
    wanted = body["spec"]["replicas"]
    return {
        "observedGeneration": body["metadata"]["generation"],
        "replicas": wanted,
        "readyReplicas": wanted,
        "updatedReplicas": wanted,
        "availableReplicas": wanted,
        "conditions": [{"type": each, "status": "True"} for each in ("Available", "Progressing")],
    }


async def converge(loop, admin, namespace, *, name="demo", most=8):
    for _ in range(most):
        ended = await loop.reconcile(namespace, name)
        await settle(admin, namespace)
        if ended is Ended.DONE:
            await loop.reconcile(namespace, name)
            return
    live = await admin.get(kinds.BAKERY, namespace, name)
    raise AssertionError(live["status"]["conditions"])


async def conditions(admin, namespace, name="demo"):
    live = await admin.get(kinds.BAKERY, namespace, name)
    return {each["type"]: (each["status"], each["reason"]) for each in live["status"]["conditions"]}


async def everything(admin, namespace):
    """resourceVersions of all children."""
    return {
        (kind.kind, body["metadata"]["name"]): body["metadata"]["resourceVersion"]
        for kind in kinds.CHILDREN
        if kind.optional is None
        for body in await admin.all(kind, namespace)
    }


async def test_a_minimal_resource_becomes_ready_and_a_second_pass_writes_nothing(admin, namespace):
    await admin.create(bakery(namespace))
    loop = reconciler(admin.api)
    await converge(loop, admin, namespace)
    assert ("True", "Available") == (await conditions(admin, namespace))["Ready"]
    before, written = await everything(admin, namespace), metrics.mutating_requests()
    await loop.reconcile(namespace, "demo")
    await reconciler(admin.api).reconcile(namespace, "demo")
    assert written == metrics.mutating_requests()
    assert before == await everything(admin, namespace)


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.stem)
async def test_every_sample_is_taken_by_the_api_server_once(admin, namespace, optional_apis, file):
    spec = None
    for body in yaml.safe_load_all(file.read_text()):
        if body["kind"] == "CakeBakery":
            spec = body["spec"]
        elif body["kind"] == "Secret":
            await admin.create({**body, "metadata": {**body["metadata"], "namespace": namespace}})
    await admin.create(bakery(namespace, spec))
    await secrets_of(admin, namespace, spec)
    loop = reconciler(admin.api)
    for _ in range(5):
        await loop.reconcile(namespace, "demo")
        await settle(admin, namespace)
        await settle_optional(admin, namespace)
    live = await admin.get(kinds.BAKERY, namespace, "demo")
    said = {each["type"]: each["message"] for each in live["status"]["conditions"]}
    assert ("True", "Applied") == (await conditions(admin, namespace))["ObjectsApplied"], said
    written = metrics.mutating_requests()
    await reconciler(admin.api).reconcile(namespace, "demo")
    assert written == metrics.mutating_requests()


async def secrets_of(admin, namespace, spec):
    """Makes the Secrets that a spec names and that are not there."""
    wanted = {}

    def look(part):
        if isinstance(part, dict):
            if set(part) == {"name", "key"}:
                wanted.setdefault(part["name"], set()).add(part["key"])
            for inner in part.values():
                look(inner)

    look(spec)
    if "cloudNativePG" in spec.get("database", {}):
        wanted["demo-postgres-app"] = {"uri"}
    for name, keys in wanted.items():
        if await admin.get(kinds.SECRET, namespace, name) is None:
            redis, postgres = "redis://:secret@redis.example:6379/0", "postgresql://u:p@db.example/c"
            values = {key: redis if "redis" in f"{name}/{key}" else postgres for key in keys}
            metadata = {"name": name, "namespace": namespace}
            await admin.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values})


async def settle_optional(admin, namespace):
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True", "message": "", "reason": "Test"}]}}
    for kind in (kinds.CLUSTER, kinds.SCALED_OBJECT):
        for body in await admin.all(kind, namespace):
            await admin.merge(kind, namespace, body["metadata"]["name"], ready, "/status")


@pytest.fixture
async def optional_apis(admin):
    """All optional APIs, for one test."""
    definitions = [
        small_definition(inputs.Api(kind.api_version, kind.kind), kind.plural)
        for kind in kinds.CHILDREN
        if kind.optional
    ]
    await asyncio.gather(*(admin.define(each) for each in definitions))
    yield
    await asyncio.gather(*(admin.undefine(each) for each in definitions))


async def test_drift_is_repaired_and_what_others_added_stays(admin, namespace):
    await admin.create(bakery(namespace, {"upstream": {"sample": {}}, "writer": {"replicas": 2}}))
    loop = reconciler(admin.api)
    await converge(loop, admin, namespace)
    await admin.merge(kinds.DEPLOYMENT, namespace, "demo-writer", {"spec": {"replicas": 5}})
    await admin.merge(kinds.DEPLOYMENT, namespace, "demo-worker", {"metadata": {"labels": {"team": "cakes"}}})
    image = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 11}}}}
    await admin.merge(kinds.DEPLOYMENT, namespace, "demo-gateway", image)
    removed = await admin.get(kinds.SERVICE, namespace, "demo-gateway")
    await admin.remove({"apiVersion": "v1", "kind": "Service", **removed})
    await loop.reconcile(namespace, "demo")
    writer, worker, gateway = [
        await admin.get(kinds.DEPLOYMENT, namespace, f"demo-{each}") for each in ("writer", "worker", "gateway")
    ]
    assert 2 == writer["spec"]["replicas"]
    assert "cakes" == worker["metadata"]["labels"]["team"]
    assert 11 != gateway["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert await admin.get(kinds.SERVICE, namespace, "demo-gateway")


async def test_a_component_that_was_removed_is_counted_anew(admin, namespace):
    await admin.create(bakery(namespace))
    loop = reconciler(admin.api)
    await converge(loop, admin, namespace)
    writer = await admin.get(kinds.DEPLOYMENT, namespace, "demo-writer")
    await admin.remove({"apiVersion": "apps/v1", "kind": "Deployment", **writer})
    await admin.merge(kinds.BAKERY, namespace, "demo", {"spec": {"paused": True}})
    await loop.reconcile(namespace, "demo")
    live = await admin.get(kinds.BAKERY, namespace, "demo")
    assert 0 == live["status"]["writer"]["readyReplicas"]
    await admin.merge(kinds.BAKERY, namespace, "demo", {"spec": {"paused": False}})
    await loop.reconcile(namespace, "demo")
    live = await admin.get(kinds.BAKERY, namespace, "demo")
    assert 0 == live["status"]["writer"]["readyReplicas"]


async def test_replicas_stay_what_they_are_when_an_autoscaler_takes_over(admin, namespace):
    await admin.create(bakery(namespace, {"upstream": {"sample": {}}, "worker": {"replicas": 4}}))
    loop = reconciler(admin.api)
    await converge(loop, admin, namespace)
    await admin.merge(kinds.BAKERY, namespace, "demo", {"spec": {"worker": {"replicas": None}}})
    await loop.reconcile(namespace, "demo")
    worker = await admin.get(kinds.DEPLOYMENT, namespace, "demo-worker")
    assert 4 == worker["spec"]["replicas"]
    assert await admin.get(kinds.AUTOSCALER, namespace, "demo-worker")
    await admin.merge(kinds.DEPLOYMENT, namespace, "demo-worker", {"spec": {"replicas": 6}})
    await loop.reconcile(namespace, "demo")
    worker = await admin.get(kinds.DEPLOYMENT, namespace, "demo-worker")
    assert 6 == worker["spec"]["replicas"]
    await admin.merge(kinds.BAKERY, namespace, "demo", {"spec": {"worker": {"replicas": 3}}})
    await loop.reconcile(namespace, "demo")
    worker = await admin.get(kinds.DEPLOYMENT, namespace, "demo-worker")
    assert 3 == worker["spec"]["replicas"]
    assert await admin.get(kinds.AUTOSCALER, namespace, "demo-worker") is None


async def test_an_optional_api_is_picked_up_when_it_appears(admin, namespace):
    await admin.create(bakery(namespace))
    await converge(reconciler(admin.api), admin, namespace)
    assert "CRDNotInstalled" == (await conditions(admin, namespace))["AutoscalingActive"][1]
    definitions = [
        small_definition(inputs.Api(kind.api_version, kind.kind), kind.plural)
        for kind in kinds.CHILDREN
        if kind.optional == inputs.KEDA
    ]
    for each in definitions:
        await admin.define(each)
    try:
        await reconciler(admin.api).reconcile(namespace, "demo")
        assert await admin.get(kinds.SCALED_OBJECT, namespace, "demo-worker")
        assert await admin.get(kinds.AUTOSCALER, namespace, "demo-worker") is None
    finally:
        for each in definitions:
            await admin.undefine(each)
    await reconciler(admin.api).reconcile(namespace, "demo")
    assert await admin.get(kinds.AUTOSCALER, namespace, "demo-worker")


async def test_a_refused_object_is_named_and_pods_go_on(admin, namespace):
    await admin.create(bakery(namespace))
    loop = reconciler(admin.api)
    await converge(loop, admin, namespace)
    before = await admin.get(kinds.DEPLOYMENT, namespace, "demo-gateway")
    # Quantities both, which the definition can say; that one is more than the other it cannot.
    wrong = {"spec": {"gateway": {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}}}
    await admin.merge(kinds.BAKERY, namespace, "demo", wrong)
    assert Ended.HELD is await loop.reconcile(namespace, "demo")
    live = await admin.get(kinds.BAKERY, namespace, "demo")
    ready = next(each for each in live["status"]["conditions"] if each["type"] == "Ready")
    assert "Deployment/demo-gateway" in ready["message"]
    after = await admin.get(kinds.DEPLOYMENT, namespace, "demo-gateway")
    assert before["spec"] == after["spec"]
    assert ("True", "Available") == (await conditions(admin, namespace))["GatewayAvailable"]


async def test_another_default_image_leaves_the_servers_that_run_alone(admin, namespace):
    await admin.create(bakery(namespace))
    await converge(reconciler(admin.api), admin, namespace)
    before = {each["metadata"]["name"]: each for each in await admin.all(kinds.STATEFUL_SET, namespace)}
    changed = inputs.Release(version="1.2.3", postgres_image="gone/postgres:{major}", redis_image="gone/valkey")
    await converge(reconciler(admin.api, changed), admin, namespace)
    after = {each["metadata"]["name"]: each for each in await admin.all(kinds.STATEFUL_SET, namespace)}
    assert before == after


async def test_a_protection_that_somebody_took_away_comes_back(admin, namespace):
    await admin.create(bakery(namespace))
    await converge(reconciler(admin.api), admin, namespace)

    def pod(body):
        return body["spec"]["template"]["spec"]

    live = await admin.get(kinds.DEPLOYMENT, namespace, "demo-worker")
    before = copy.deepcopy(live["spec"])
    del pod(live)["automountServiceAccountToken"]
    del pod(live)["containers"][0]["securityContext"]["allowPrivilegeEscalation"]
    await admin.put(live)
    await reconciler(admin.api).reconcile(namespace, "demo")
    assert before == (await admin.get(kinds.DEPLOYMENT, namespace, "demo-worker"))["spec"]


@pytest.mark.parametrize("name", ["../../elsewhere/secrets/crown", "..", "crown?watch=1", "crown/status"])
async def test_no_name_leads_out_of_its_namespace(admin, namespace, name):
    await admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"of-{namespace}"}})
    for where in (namespace, f"of-{namespace}"):
        metadata = {"name": "crown", "namespace": where}
        await admin.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
    try:
        found = await ApiServer(admin.api).get(kinds.SECRET, namespace, name.replace("elsewhere", f"of-{namespace}"))
    except Refused:
        found = None
    assert found is None


async def test_the_status_is_a_resource_of_its_own(admin, namespace):
    made = await admin.create(bakery(namespace))
    await reconciler(admin.api).reconcile(namespace, "demo")
    live = await admin.get(kinds.BAKERY, namespace, "demo")
    assert made["metadata"]["generation"] == live["metadata"]["generation"] == live["status"]["observedGeneration"]
    assert copy.deepcopy(made["spec"]) == live["spec"]
    assert "finalizers" not in live["metadata"]
    assert "annotations" not in live["metadata"]


async def test_children_belong_to_the_bakery_and_kept_secrets_do_not(admin, namespace):
    """Who collects them is the controller manager, which is not here: that they name their owner can be seen."""
    made = await admin.create(bakery(namespace))
    await converge(reconciler(admin.api), admin, namespace)
    for kind in kinds.CHILDREN:
        for body in await admin.all(kind, namespace) if kind.optional is None else []:
            if names.BAKERY in body["metadata"].get("labels", {}):
                (owner,) = body["metadata"]["ownerReferences"]
                assert made["metadata"]["uid"] == owner["uid"]
    assert "ownerReferences" not in (await admin.get(kinds.SECRET, namespace, "demo-postgres"))["metadata"]
