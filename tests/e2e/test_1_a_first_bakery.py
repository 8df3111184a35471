"""From nothing to a bakery that serves."""

import json
import time
from datetime import datetime
from pathlib import Path

import pytest
from bakeries import PROCESSES, Bakery, seeds
from kube import Refused, condition, ran, until
from release import RELEASE

MINIMAL = Path(__file__).parents[2] / "manifests" / "samples" / "minimal.yaml"
READY_SECONDS = 30
#: What the demo submits: a picture of the sample's or an address, and what its client gets.
EXHIBITS = [
    ("draw_cake-{cake}.jpg", 201, None),
    ("draw_other-{other}.jpg", 422, "not-a-cake"),
    ("page.html", 201, None),
    ("broken.jpg", 422, "image-unusable"),
    ("poem.jpg", 422, "image-unusable"),
    ("missing.jpg", 422, "image-unusable"),
    ("http://169.254.169.254/latest/meta-data/", 422, "image-unusable"),
    ("file:///etc/passwd", 422, "invalid-cake"),
]


def test_two_operators_run_and_one_leads(operator, step):
    with step("helm test"):
        ran("helm", "test", RELEASE, "--namespace", operator.namespace.name, "--timeout", "60s", seconds=90)
    assert 2 == len(operator.pods())
    assert operator.leader()


def test_the_minimal_resource_is_ready_within_half_a_minute(namespaces, step, note):
    namespace = namespaces("e2e-minimal")
    bakery = Bakery(namespace, "demo")
    began = time.time()
    with step("Ready=True"):
        namespace.kubectl("apply", "-f", str(MINIMAL))
        bakery.ready(within=2 * READY_SECONDS)
    took = time.time() - began
    for what, moment in timeline(bakery):
        note(what, moment - began)
    # Only the first scenarios have the cluster to themselves: gone before the others begin.
    bakery.namespace.delete("cakebakery", "demo")
    assert took <= READY_SECONDS


def timeline(bakery: Bakery) -> list[tuple[str, float]]:
    """When each pod became ready, and each condition true; whole seconds, as Kubernetes has them."""
    found = [
        (f"pod {pod['metadata']['name']} ready", condition(pod, "Ready"))
        for component in ("postgres", "redis", "sample", *PROCESSES)
        for pod in bakery.pods(component)
    ]
    found += [(f"condition {each['type']}", each) for each in bakery.seen()["status"]["conditions"]]
    moments = [
        (what, datetime.fromisoformat(each["lastTransitionTime"]).timestamp())
        for what, each in found
        if each.get("status") == "True"
    ]
    return sorted(moments, key=lambda each: each[1])


def test_the_demos_submissions_get_their_answers_through_the_service(calm, step):
    chosen = {kind: seeds(kind)[0] for kind in ("cake", "other")}
    with calm.api() as api:
        answers = [api.submit(picture.format(**chosen)) for picture, _, _ in EXHIBITS]
        listed = api.client.get("/api/cakes", params={"limit": 100}).json()
    got = [(each.status_code, each.json().get("type", "").rpartition("/")[2] or None) for each in answers]
    assert [(status, kind) for _, status, kind in EXHIBITS] == got
    assert {answers[0].json()["id"], answers[2].json()["id"]} <= {cake["id"] for cake in listed}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"wroker": {}}, 'wroker"'),
        ({"upstream": {"url": "http://legacy.example", "sample": {}}}, "exactly one of url, sample"),
        ({"gateway": {"replicas": 2, "autoscaling": {}}}, "replicas and autoscaling exclude each other"),
        ({"worker": {"threads": 0}}, "spec.worker.threads"),
        ({"settings": {"CAKEGATE_DATABASE_URL": "x"}}, "settings: addresses"),
    ],
)
def test_a_wrong_field_is_refused_by_name(calm, spec, words):
    with pytest.raises(Refused) as refusal:
        calm.apply(**spec)
    assert words in str(refusal.value)


def test_a_wrong_setting_ends_in_a_condition_and_the_old_pods_serve_on(calm):
    before = calm.started("gateway")
    calm.change(settings={"CAKEGATE_GATEWAY_NO_SUCH_THING": "1"}, rollout={"progressDeadlineSeconds": 15})
    try:
        said = calm.says("Stalled", status="True", reason="RolloutStuck", within=90)
        assert "CAKEGATE_GATEWAY_NO_SUCH_THING" in json.dumps(said) or "gateway" in said["message"]
        assert before.items() <= calm.started("gateway").items()
        with calm.api() as api:
            assert 200 == api.client.get("/api/cakes").status_code
    finally:
        calm.change(settings={"CAKEGATE_GATEWAY_NO_SUCH_THING": None}, rollout=None)
    calm.ready()
    until("the pods that could not start are gone", lambda: set(before) == set(calm.started("gateway")), seconds=60)
