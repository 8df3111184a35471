"""As many pods as there is work, and no work lost when there is less of it again."""

import concurrent.futures
import threading

import pytest
from bakeries import Bakery, seeds
from kube import condition, has, until

#: How slow the pictures' host is, so that work piles up: seconds a picture.
SLOW_SECONDS = 4
SUBMISSIONS = 60


def replicas(bakery: Bakery, component: str) -> int:
    found = bakery.namespace.get("deployment", f"{bakery.name}-{component}")
    assert found is not None
    return found["spec"]["replicas"]


def test_workers_scale_out_on_queue_depth_and_in_again_without_losing_work(calm, step):
    if not has("keda.sh/v1alpha1"):
        pytest.skip("KEDA is not installed")
    calm.change(
        worker={
            "threads": 2,
            "replicas": None,
            "autoscaling": {
                "minReplicas": 1, "maxReplicas": 3, "targetMessagesPerReplica": 4,
                "pollingIntervalSeconds": 2, "cooldownSeconds": 10,
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 5}},
            },
        }
    )  # fmt: skip
    calm.ready()
    calm.says("AutoscalingActive", status="True")
    with calm.trouble(picture_latency_seconds=SLOW_SECONDS), calm.api() as api:
        places = api.accept(f"draw_cake-{seeds('cake')[0]}.jpg", SUBMISSIONS)
        with step("three workers"):
            until("three workers", lambda: replicas(calm, "worker") == 3, seconds=60)
            until("all ready", lambda: len(ready(calm, "worker")) == 3, seconds=60)
        with step("all submissions ended"):
            states = api.ends(places, within=300)
        with step("one worker again"):
            until("one worker", lambda: len(calm.pods("worker")) == 1, seconds=120)
        calm.annotate(**{"cakegate.dev/requestedAt": "scaled"})
        until("a pass", lambda: calm.seen()["status"].get("lastHandledReconcileAt") == "scaled", seconds=60)
    assert ["created"] * SUBMISSIONS == states
    # The operator, which looked in the meantime, left the number to the autoscaler.
    assert 1 == replicas(calm, "worker")


def test_scale_in_while_workers_are_busy_gives_their_work_back(calm, step):
    """Three busy workers become one at once: what they had in hand is finished or judged by another."""
    calm.change(worker={"autoscaling": None, "replicas": 3, "threads": 2})
    calm.ready()
    with calm.trouble(picture_latency_seconds=SLOW_SECONDS), calm.api() as api:
        places = api.accept(f"draw_cake-{seeds('cake')[0]}.jpg", 30)
        calm.change(worker={"replicas": 1})
        with step("all ended"):
            assert ["created"] * 30 == api.ends(places, within=300)
    calm.ready()


def ready(bakery: Bakery, component: str) -> list[str]:
    return [
        pod["metadata"]["name"] for pod in bakery.pods(component) if condition(pod, "Ready").get("status") == "True"
    ]


def test_gateways_scale_on_processor_time(calm, step):
    if not has("metrics.k8s.io/v1beta1"):
        pytest.skip("the metrics API is not installed")
    calm.change(
        gateway={
            "replicas": None,
            "autoscaling": {"minReplicas": 1, "maxReplicas": 3, "targetCPUUtilizationPercentage": 20},
            "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        }
    )
    calm.ready()
    # An HPA looks back five minutes before it takes pods away, unless its cluster is told otherwise.
    until("one gateway", lambda: replicas(calm, "gateway") == 1, seconds=420)
    over = threading.Event()

    def load() -> None:
        with calm.api() as api:
            while not over.is_set():
                api.client.get("/api/cakes", params={"limit": 50})

    with concurrent.futures.ThreadPoolExecutor(2) as clients:
        running = [clients.submit(load) for _ in range(2)]
        try:
            with step("a second gateway under load"):
                until("more gateways", lambda: replicas(calm, "gateway") > 1, seconds=120)
                until("they are ready", lambda: len(ready(calm, "gateway")) > 1, seconds=60)
        finally:
            over.set()
        for each in running:
            each.result()
    with step("one again"):
        until("one gateway", lambda: replicas(calm, "gateway") == 1, seconds=420)
    calm.change(gateway=None)
    calm.ready()
