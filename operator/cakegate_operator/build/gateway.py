"""The gateway: the public API, its Service, and how many of it there are."""

from typing import Final

from cakegate_operator import bakery, names
from cakegate_operator.build import autoscaling, pods, processes
from cakegate_operator.build import objects as making
from cakegate_operator.inputs import Inputs, Object

#: The Service's port: what answers at `http://<bakery>-gateway`.
SERVICE_PORT: Final = 80
#: Endpoints and proxies learn a moment late that a pod ends: until then it goes on listening.
_LINGER_SECONDS: Final = 5
_DEFAULT_REPLICAS: Final = 2


def objects(inputs: Inputs) -> list[Object]:
    """Deployment, Services, disruption budget and autoscaler."""
    gateway = inputs.bakery.spec.gateway
    process = processes.Process(
        component=names.GATEWAY,
        args=["gateway"],
        chosen=gateway,
        resources=pods.resources(gateway.resources, cpu="200m", memory="192Mi", limit="512Mi"),
        replicas=replicas(gateway),
        port=names.HTTP,
        lifecycle={"preStop": {"sleep": {"seconds": _LINGER_SECONDS}}},
    )
    found = [
        processes.deployment(inputs, process),
        _service(inputs),
        processes.metrics_service(inputs, names.GATEWAY),
    ]
    if budget := _budget(gateway):
        found.append(processes.budget(inputs, names.GATEWAY, budget))
    if gateway.autoscaling:
        found.append(autoscaling.by_cpu(inputs, names.GATEWAY, gateway.autoscaling))
    return found


def replicas(gateway: bakery.Gateway) -> int | None:
    """How many gateways there are to be; None where an autoscaler decides."""
    return None if gateway.autoscaling else gateway.replicas or _DEFAULT_REPLICAS


def _budget(gateway: bakery.Gateway) -> bakery.DisruptionBudget | None:
    least = gateway.autoscaling.min_replicas if gateway.autoscaling else replicas(gateway) or 1
    default = bakery.DisruptionBudget(max_unavailable=1) if least > 1 else None
    return gateway.pod_disruption_budget or default


def _service(inputs: Inputs) -> Object:
    wanted = inputs.bakery.spec.gateway.service
    return making.made(
        inputs,
        processes.SERVICE,
        component=names.GATEWAY,
        annotations=wanted.annotations,
        spec={
            "type": wanted.type,
            "selector": names.selector(inputs.bakery.name, names.GATEWAY),
            "ports": [{"name": names.HTTP, "port": SERVICE_PORT, "targetPort": names.HTTP, "protocol": "TCP"}],
        },
    )
