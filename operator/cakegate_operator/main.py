"""The table of contents: everything that wakes the operator. No handler does more than say which bakery to look at.

Each names its API group: one without would make kopf ask all groups at start, and wait for those that do not answer.
Handlers of `on.event` alone leave neither a finalizer nor an annotation on anything.
"""

from typing import Any

import kopf

from cakegate_operator import bakery, logins, names
from cakegate_operator.loop import Loop

REGISTRY = kopf.OperatorRegistry()
_OURS = {names.BAKERY: kopf.PRESENT}


@kopf.on.login(registry=REGISTRY, errors=kopf.ErrorsMode.PERMANENT)
async def on_login(memo: kopf.Memo, **_: Any) -> kopf.ConnectionInfo:
    """At start, and whenever what was given has expired."""
    return logins.connection(memo.configuration)


@kopf.on.event(bakery.GROUP, bakery.VERSION, bakery.PLURAL, registry=REGISTRY)
async def on_bakery(namespace: str | None, name: str | None, memo: kopf.Memo, **_: Any) -> None:
    """The resource itself."""
    _loop(memo).wake(str(namespace), str(name))


@kopf.on.event("apps", "v1", "deployments", labels=_OURS, registry=REGISTRY)
@kopf.on.event("apps", "v1", "statefulsets", labels=_OURS, registry=REGISTRY)
@kopf.on.event("batch", "v1", "jobs", labels=_OURS, registry=REGISTRY)
@kopf.on.event("", "v1", "services", labels=_OURS, registry=REGISTRY)
@kopf.on.event("autoscaling", "v2", "horizontalpodautoscalers", labels=_OURS, registry=REGISTRY)
@kopf.on.event("policy", "v1", "poddisruptionbudgets", labels=_OURS, registry=REGISTRY)
@kopf.on.event("networking.k8s.io", "v1", "networkpolicies", labels=_OURS, registry=REGISTRY)
@kopf.on.event("networking.k8s.io", "v1", "ingresses", labels=_OURS, registry=REGISTRY)
async def on_child(namespace: str | None, labels: kopf.Labels, memo: kopf.Memo, **_: Any) -> None:
    """Its children of the kinds that every cluster has; those of optional APIs are seen at the resync."""
    _loop(memo).wake(str(namespace), labels[names.BAKERY])


def _loop(memo: kopf.Memo) -> Loop:
    loop: Loop = memo.loop
    return loop
