"""What the servers with a volume share: one pod in a StatefulSet, and the Service that finds it."""

from typing import Any, Final, Literal

from cakegate_operator import bakery, names
from cakegate_operator.build import objects, pods
from cakegate_operator.inputs import Inputs, Object

STATEFUL_SET: Final = ("apps/v1", "StatefulSet")
SERVICE: Final = ("v1", "Service")
DATA: Final = "data"
#: What a StatefulSet that does not say it has.
ORDERED: Final = "OrderedReady"


def single(
    inputs: Inputs,
    pod: pods.Pod,
    *,
    storage: bakery.Volume,
    when_deleted: Literal["Retain", "Delete"],
    **fields: Any,
) -> Object:
    """A StatefulSet of one pod whose volume `data` outlives it.

    Parallel, though there is one pod alone: with OrderedReady a pod that a wrong template broke is waited for, and
    never replaced by the right one (https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback).
    """
    spec: Object = {
        "replicas": 1,
        "serviceName": names.child(inputs.bakery.name, pod.component),
        "selector": objects.selector(inputs, pod.component),
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": when_deleted, "whenScaled": "Retain"},
        "template": pods.template(inputs, pod),
        "volumeClaimTemplates": [_claim_template(storage)],
    }
    if pod.component not in inputs.facts.ordered:
        spec["podManagementPolicy"] = "Parallel"
    proven = inputs.facts.proven.get(pod.component)
    return objects.made(
        inputs,
        STATEFUL_SET,
        component=pod.component,
        # On the set, not on its pod: that it was written down restarts nothing.
        annotations={names.PROVEN_IMAGE: proven} if proven is not None else None,
        spec=spec | fields,
    )


def _claim_template(storage: bakery.Volume) -> Object:
    # With its kind, as the API server writes it: what is applied again must equal what is there.
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": DATA},
        "spec": claim_spec(storage),
    }


def claim_spec(storage: bakery.Volume) -> Object:
    """`spec` of a PersistentVolumeClaim for one node."""
    spec: Object = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage.size}}}
    return spec | ({"storageClassName": storage.class_name} if storage.class_name else {})


def service(inputs: Inputs, component: str, *, name: str, port: int) -> Object:
    """The Service of a server's port.

    Not headless: its address stays when the pod is made anew, and clients that hold a name's old answer find it.
    """
    return objects.made(
        inputs,
        SERVICE,
        component=component,
        spec={
            "type": "ClusterIP",
            "selector": names.selector(inputs.bakery.name, component),
            "ports": [{"name": name, "port": port, "targetPort": name, "protocol": "TCP"}],
        },
    )
