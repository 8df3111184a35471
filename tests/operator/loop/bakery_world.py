"""A bakery on the fake cluster, with a kubelet that makes everything ready at once."""

import itertools

from fake_cluster import FakeCluster

from cakegate_operator import inputs
from cakegate_operator.probing import Probes
from cakegate_operator.reconcile import Ended, Reconciler

RELEASE = inputs.Release(version="1.2.3")


class World:
    """A cluster, an operator and one bakery called demo."""

    def __init__(self, cluster=None, release=RELEASE):
        self.cluster = cluster or FakeCluster()
        self.release = release
        self.seconds = itertools.count()
        self.restart()

    def restart(self, release=None):
        """A new operator, that knows nothing."""
        self.release = release or self.release
        self.reconciler = Reconciler(
            self.cluster,
            self.release,
            probes=Probes(enabled=False),
            clock=lambda: f"2026-01-01T00:00:{next(self.seconds):02d}Z",
        )

    def bakery(self, spec=None, **metadata):
        spec = spec or {"upstream": {"sample": {}}}
        self.cluster.put(
            {
                "apiVersion": "cakegate.dev/v1alpha1",
                "kind": "CakeBakery",
                "metadata": {"name": "demo", "namespace": "default", **metadata},
                "spec": {"database": {"managed": {}}, "redis": {"managed": {}}, **spec},
            }
        )
        return self

    async def once(self):
        return await self.reconciler.reconcile("default", "demo")

    async def converge(self, *, most=8):
        """Passes, with the kubelet at work between them, until one has nothing to wait for and nothing to write."""
        for _ in range(most):
            ended = await self.once()
            settled = self.settle()
            before = len(self.cluster.writes)
            if ended is Ended.DONE and not settled:
                await self.once()
                if len(self.cluster.writes) == before:
                    return self
        raise AssertionError(f"no end in sight: {self.conditions()}")

    def settle(self):
        """The kubelet and the controllers: all pods ready, all Jobs done. Whether anything changed."""
        changed = False
        for (kind, namespace, name), kept in list(self.cluster.objects.items()):
            status = _ready(kind, self.cluster.shown(kind, name, namespace))
            if status is not None and (self.cluster.shown(kind, name, namespace).get("status") != status):
                self.cluster.status(kind, name, status, namespace=namespace)
                changed = True
            assert kept
        return changed

    def live(self):
        return self.cluster.shown("CakeBakery", "demo")

    def conditions(self):
        found = (self.live().get("status") or {}).get("conditions", [])
        return {each["type"]: (each["status"], each["reason"]) for each in found}

    def message(self, kind):
        return next(each["message"] for each in self.live()["status"]["conditions"] if each["type"] == kind)


def _ready(kind, body):
    replicas = body.get("spec", {}).get("replicas", 1) if kind in {"Deployment", "StatefulSet"} else 0
    if kind == "Deployment":
        return {
            "observedGeneration": body["metadata"]["generation"],
            "replicas": replicas,
            "readyReplicas": replicas,
            "updatedReplicas": replicas,
            "availableReplicas": replicas,
            "conditions": [{"type": "Available", "status": "True"}, {"type": "Progressing", "status": "True"}],
        }
    if kind == "StatefulSet":
        return {
            "observedGeneration": body["metadata"]["generation"],
            "replicas": replicas,
            "readyReplicas": replicas,
            "updatedReplicas": replicas,
        }
    if kind == "Job":
        return {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
    if kind in {"HorizontalPodAutoscaler", "ScaledObject", "Cluster"}:
        return {"conditions": [{"type": each, "status": "True"} for each in ("Ready", "ScalingActive")]}
    return None
