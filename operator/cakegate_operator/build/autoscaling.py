"""How many workers there are: by KEDA, by an external metric, or by processor time. Only ever one of them.

Where the API server gave no clear answer whether KEDA is there, nothing is made and `kept` says what must stay; before
an autoscaler is applied, those that `rivals` names must be gone: two would pull a Deployment to and fro.
"""

import enum
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from cakegate import contract
from cakegate_operator import bakery, names
from cakegate_operator import inputs as given
from cakegate_operator.build import credentials, pods
from cakegate_operator.build import objects as making
from cakegate_operator.build.objects import Ref
from cakegate_operator.inputs import Endpoint, Inputs, Object

HPA: Final = ("autoscaling/v2", "HorizontalPodAutoscaler")
SCALED_OBJECT: Final = (given.KEDA.api_version, given.KEDA.kind)
TRIGGER_AUTHENTICATION: Final = (given.KEDA.api_version, "TriggerAuthentication")

#: What KEDA is told of a Redis of the user's: it cannot read a URL.
REDIS_PARTS: Final = "redis-keda"
#: Looks in a row without an answer after which KEDA falls back.
_FALLBACK_AFTER: Final = 3
#: Most that Kubernetes takes as `stabilizationWindowSeconds`.
_LONGEST_WINDOW_SECONDS: Final = 3600


class Scaler(enum.Enum):
    """What decides how many workers there are."""

    FIXED = "fixed"
    KEDA = "KEDA"
    EXTERNAL_METRIC = "ExternalMetric"
    CPU = "CPU"
    UNKNOWN = "unknown"
    """Whether KEDA is there could not be learnt, and so whether it decides now: all stays as it is."""


def wanted(inputs: Inputs) -> bakery.WorkAutoscaling | None:
    """What the resource says of the workers' number; None where it is fixed."""
    worker = inputs.bakery.spec.worker
    return None if worker.replicas is not None else worker.autoscaling or bakery.WorkAutoscaling()


def scaler(inputs: Inputs) -> Scaler:
    """What decides on the workers' number. CPU where KEDA is wanted and absent: a condition says so."""
    if given.KEDA in inputs.facts.unknown_apis:
        return Scaler.UNKNOWN
    scaling = wanted(inputs)
    if scaling is None:
        return Scaler.FIXED
    if scaling.provider != "KEDA":
        return Scaler(scaling.provider)
    return Scaler.KEDA if given.KEDA in inputs.facts.apis else Scaler.CPU


def objects(inputs: Inputs) -> list[Object]:
    """The workers' autoscaler."""
    scaling, chosen = wanted(inputs), scaler(inputs)
    if scaling is None or chosen is Scaler.UNKNOWN:
        return []
    if chosen is Scaler.KEDA:
        return [_trigger_authentication(inputs), _scaled_object(inputs, scaling)]
    behavior = _behavior(scaling)
    if chosen is Scaler.CPU:
        limits = bakery.CpuAutoscaling(min_replicas=scaling.min_replicas, max_replicas=scaling.max_replicas)
        return [by_cpu(inputs, names.WORKER, limits, behavior=behavior)]
    metric = scaling.external_metric or bakery.ExternalMetric()
    external = {
        "metric": {"name": metric.name, "selector": {"matchLabels": metric.match_labels}},
        "target": {"type": "AverageValue", "averageValue": str(scaling.target_messages_per_replica)},
    }
    found = _hpa(
        inputs,
        names.WORKER,
        least=scaling.min_replicas,
        most=scaling.max_replicas,
        metric={"type": "External", "external": external},
        behavior=behavior,
    )
    return [found]


def by_cpu(inputs: Inputs, component: str, scaling: bakery.CpuAutoscaling, *, behavior: Object | None = None) -> Object:
    """A HorizontalPodAutoscaler by processor time."""
    target = {"type": "Utilization", "averageUtilization": scaling.target_cpu_utilization_percentage}
    return _hpa(
        inputs,
        component,
        least=scaling.min_replicas,
        most=scaling.max_replicas,
        metric={"type": "Resource", "resource": {"name": "cpu", "target": target}},
        behavior=behavior,
    )


def _hpa(inputs: Inputs, component: str, *, least: int, most: int, metric: Object, behavior: Object | None) -> Object:
    spec: Object = {
        "scaleTargetRef": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": names.child(inputs.bakery.name, component),
        },
        "minReplicas": least,
        "maxReplicas": most,
        "metrics": [metric],
    }
    return making.made(inputs, HPA, component=component, spec=spec | ({"behavior": behavior} if behavior else {}))


def _behavior(scaling: bakery.WorkAutoscaling) -> Object:
    """How the HorizontalPodAutoscaler, ours or KEDA's, goes down: after the quiet time."""
    window = min(scaling.cooldown_seconds, _LONGEST_WINDOW_SECONDS)
    return scaling.behavior or {"scaleDown": {"stabilizationWindowSeconds": window}}


def _scaled_object(inputs: Inputs, scaling: bakery.WorkAutoscaling) -> Object:
    name = names.child(inputs.bakery.name, names.WORKER)
    spec: Object = {
        "scaleTargetRef": {"name": name},
        "pollingInterval": scaling.polling_interval_seconds,
        "cooldownPeriod": scaling.cooldown_seconds,
        "minReplicaCount": scaling.min_replicas,
        "maxReplicaCount": scaling.max_replicas,
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behavior(scaling)}},
        "triggers": [_trigger(inputs, scaling)],
    }
    if scaling.fallback_replicas is not None:
        spec["fallback"] = {
            "failureThreshold": _FALLBACK_AFTER,
            "replicas": scaling.fallback_replicas,
            "behavior": "currentReplicasIfHigher",
        }
    # KEDA gives its autoscaler our labels: without these it would look like a child of the bakery's.
    annotations = {"scaledobject.keda.sh/hpa-excluded-labels": f"{names.BAKERY},{names.MANAGED_BY}"}
    return making.made(inputs, SCALED_OBJECT, component=names.WORKER, annotations=annotations, spec=spec)


def _trigger(inputs: Inputs, scaling: bakery.WorkAutoscaling) -> Object:
    """The hash of all messages, waiting and running: KEDA asks a hash for its HLEN. The list has the waiting alone."""
    metadata = {
        "listName": f"{contract.QUEUE_NAMESPACE}:{contract.QUEUE_JUDGE}.msgs",
        "listLength": str(scaling.target_messages_per_replica),
        "databaseIndex": str(contract.REDIS_QUEUE_DATABASE),
    }
    if inputs.bakery.spec.redis.managed:
        metadata["address"] = f"{credentials.host(inputs, names.REDIS)}:{names.REDIS_PORT}"
    return {
        "type": "redis",
        "metadata": metadata,
        "authenticationRef": {"name": names.child(inputs.bakery.name, names.REDIS)},
    }


def _trigger_authentication(inputs: Inputs) -> Object:
    redis = inputs.bakery.spec.redis
    if redis.managed:
        name = names.child(inputs.bakery.name, names.REDIS)
        targets = [_target(credentials.PASSWORD, name, credentials.PASSWORD)]
    else:
        name = _parts_name(inputs)
        targets = [_target(each, name, each) for each in ("address", credentials.USERNAME, credentials.PASSWORD, "tls")]
        if redis.ca_secret_ref:
            targets.append(_target("ca", redis.ca_secret_ref.name, redis.ca_secret_ref.key))
    return making.made(
        inputs,
        TRIGGER_AUTHENTICATION,
        component=names.WORKER,
        name=names.child(inputs.bakery.name, names.REDIS),
        spec={"secretTargetRef": targets},
    )


def _target(parameter: str, name: str, key: str) -> dict[str, str]:
    return {"parameter": parameter, "name": name, "key": key}


def redis_source(inputs: Inputs) -> bakery.SecretKey | None:
    """Where the URL is that KEDA has to be told in parts (`redis_parts`): a Redis of the user's."""
    return inputs.bakery.spec.redis.url_secret_ref if scaler(inputs) is Scaler.KEDA else None


def redis_parts(inputs: Inputs, url: str) -> Object:
    """The Secret that tells KEDA of a Redis of the user's, made of its URL: made once, gone with the bakery."""
    parts = urlsplit(url)
    found = credentials.endpoint(url) or Endpoint(host="", port=0)
    values = {
        "address": f"[{found.host}]:{found.port}" if ":" in found.host else f"{found.host}:{found.port}",
        credentials.USERNAME: unquote(parts.username or ""),
        credentials.PASSWORD: unquote(parts.password or ""),
        "tls": "enable" if parts.scheme == "rediss" else "disable",
    }
    body: dict[str, Any] = {"type": "Opaque", "data": credentials.encoded(values)}
    return making.made(inputs, credentials.SECRET, component=names.WORKER, name=_parts_name(inputs), **body)


def _parts_name(inputs: Inputs) -> str:
    """Called by its content, so that it is made once and never written: another URL makes another Secret."""
    name, source = names.child(inputs.bakery.name, REDIS_PARTS), inputs.bakery.spec.redis.url_secret_ref
    found = inputs.facts.secrets.get((source.name, source.key)) if source else None
    return f"{name}-{pods.digest(found)[:8]}" if found else name


def _refs(inputs: Inputs) -> dict[str, Ref]:
    worker, redis = (names.child(inputs.bakery.name, each) for each in (names.WORKER, names.REDIS))
    return {
        "hpa": Ref(*HPA, worker),
        "scaled": Ref(*SCALED_OBJECT, worker),
        "authentication": Ref(*TRIGGER_AUTHENTICATION, redis),
    }


def kept(inputs: Inputs) -> frozenset[Ref]:
    """What must stay though it is not desired: all autoscalers while it is unknown whether KEDA is there."""
    return frozenset(_refs(inputs).values() if scaler(inputs) is Scaler.UNKNOWN else ())


def rivals(inputs: Inputs) -> frozenset[Ref]:
    """What must be gone before the workers' autoscaler is applied."""
    refs = _refs(inputs)
    match scaler(inputs):
        case Scaler.UNKNOWN:
            return frozenset()
        case Scaler.KEDA:
            return frozenset({refs["hpa"]})
        case Scaler.FIXED:
            return frozenset({refs["hpa"], refs["scaled"]})
        case _:
            return frozenset({refs["scaled"]})
