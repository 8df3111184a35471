"""What our four processes share: probes, the port of their metrics, the Deployment that keeps them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from cakegate_operator import bakery, names
from cakegate_operator.build import objects, pods, variables
from cakegate_operator.inputs import Inputs, Object

DEPLOYMENT: Final = ("apps/v1", "Deployment")
SERVICE: Final = ("v1", "Service")
BUDGET: Final = ("policy/v1", "PodDisruptionBudget")


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One of our processes. `replicas` is None where an autoscaler owns their number."""

    component: str
    args: list[str]
    chosen: bakery.Component
    resources: Object
    replicas: int | None
    #: The named port of its probes, besides that of its metrics.
    port: str = names.HEALTH
    grace_seconds: int = 60
    lifecycle: Object | None = None
    init: Sequence[Object] = ()
    volumes: Sequence[Object] = ()
    mounts: Sequence[Object] = ()


def deployment(inputs: Inputs, process: Process) -> Object:
    """The Deployment of a process. What runs goes only when its successor is ready."""
    spec: Object = {
        "selector": objects.selector(inputs, process.component),
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
        "progressDeadlineSeconds": inputs.bakery.spec.rollout.progress_deadline_seconds,
        "revisionHistoryLimit": 3,
        "template": pods.template(inputs, _pod(inputs, process)),
    }
    if process.replicas is not None:
        spec["replicas"] = process.replicas
    return objects.made(inputs, DEPLOYMENT, component=process.component, versioned=True, spec=spec)


def _pod(inputs: Inputs, process: Process) -> pods.Pod:
    wanted = variables.files(inputs, process.component)
    files = [
        pods.secret_file(folder, key, under=variables.FILES, name=variables.CA_FILE) for folder, key in wanted.items()
    ]
    container = pods.cakegate(
        inputs,
        process.component,
        args=process.args,
        env=variables.of(inputs, process.component),
        ports=[_port(process.port), _port(names.METRICS)],
        resources=process.resources,
        lifecycle=process.lifecycle,
        mounts=[*(mount for _, mount in files), *process.mounts],
        **_probes(process.port),
    )
    return pods.Pod(
        component=process.component,
        containers=[container],
        init=process.init,
        volumes=[*(volume for volume, _ in files), *process.volumes],
        grace_seconds=process.grace_seconds,
        wanted=process.chosen.template,
        process=True,
    )


def _port(name: str) -> Object:
    return {"name": name, "containerPort": names.PORTS[name], "protocol": "TCP"}


def _probes(port: str) -> dict[str, Any]:
    """Start: up to two minutes. Liveness: whether its event loop turns, nothing that a dependency could break."""
    return {
        "startupProbe": pods.http_probe("/healthz", port, period=1, failures=120),
        "livenessProbe": pods.http_probe("/healthz", port, period=10, failures=6),
        "readinessProbe": pods.http_probe("/readyz", port, period=3, failures=3),
    }


def metrics_service(inputs: Inputs, component: str) -> Object:
    """Where a component's pods are scraped: apart from what is public, so that no load balancer shows metrics."""
    port = {"name": names.METRICS, "port": names.PORTS[names.METRICS], "targetPort": names.METRICS, "protocol": "TCP"}
    return objects.made(
        inputs,
        SERVICE,
        component=component,
        name=f"{names.child(inputs.bakery.name, component)}-{names.METRICS}",
        spec={
            "type": "ClusterIP",
            "clusterIP": "None",
            "selector": names.selector(inputs.bakery.name, component),
            # Pods that are not ready have the most to tell.
            "publishNotReadyAddresses": True,
            "ports": [port],
        },
    )


def budget(inputs: Inputs, component: str, wanted: bakery.DisruptionBudget) -> Object:
    """How many of a component's pods a drain may take at once."""
    chosen = objects.without_nones({"minAvailable": wanted.min_available, "maxUnavailable": wanted.max_unavailable})
    return objects.made(
        inputs,
        BUDGET,
        component=component,
        # A pod that does not work must not keep its node from being drained.
        spec={
            "selector": objects.selector(inputs, component),
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            **chosen,
        },
    )
