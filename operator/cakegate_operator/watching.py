"""Wakes by children: whatever changes among objects with our label, and no other object of the cluster.

kopf has no selectors: it would read, parse and queue every Deployment and Job of the cluster, which a large one answers
with hundreds of MiB. Here the API server selects, and sends what is needed alone: the metadata.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any, Final

import structlog

from cakegate_operator import kinds, names
from cakegate_operator.apiserver import ApiServer
from cakegate_operator.cluster import ClusterError, Unreachable
from cakegate_operator.inputs import Object
from cakegate_operator.kinds import Kind
from cakegate_operator.seen import dig

_log = structlog.get_logger("cakegate.operator")

#: Kinds that every cluster has; changes of those of optional APIs are seen at the resync.
WATCHED: Final = (
    kinds.DEPLOYMENT,
    kinds.STATEFUL_SET,
    kinds.JOB,
    kinds.SERVICE,
    kinds.AUTOSCALER,
    kinds.DISRUPTION_BUDGET,
    kinds.NETWORK_POLICY,
    kinds.INGRESS,
)
_SHORTEST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0

Wake = Callable[[str, str], None]


async def children(cluster: ApiServer, namespaces: tuple[str, ...], wake: Wake) -> None:
    """Watch for ever, on a connection for each kind and namespace (none: all namespaces)."""
    async with asyncio.TaskGroup() as group:
        for kind in WATCHED:
            for namespace in namespaces or ("",):
                group.create_task(_follow(cluster, kind, namespace, wake), name=f"watch {kind.plural} {namespace}")


async def _follow(cluster: ApiServer, kind: Kind, namespace: str, wake: Wake) -> None:
    """One watch after another. What was missed between two is told anew, unless the last one ended in good order."""
    since, pause = None, _SHORTEST_PAUSE_SECONDS
    while True:
        try:
            async with contextlib.aclosing(cluster.watch(kind, namespace, names.BAKERY, since=since)) as events:
                async for event in events:
                    since, pause = _told(event, wake), _SHORTEST_PAUSE_SECONDS
        except ClusterError as error:
            _log.warning("watch.broken", kind=kind.kind, namespace=namespace, error=str(error))
            since, pause = None, min(pause * 2, _LONGEST_PAUSE_SECONDS)
        await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - no secret


def _told(event: Object, wake: Wake) -> str:
    """Wake whom an event concerns; up to where one has heard then."""
    metadata: dict[str, Any] = dig(event, "object", "metadata", default={})
    if event.get("type") == "ERROR" or "resourceVersion" not in metadata:
        # Most often 410: what changed since then is no longer known.
        raise Unreachable(str(dig(event, "object", "message", default="an event of no object")))
    # A bookmark has no label; nor may an object that has just lost it.
    if bakery := metadata.get("labels", {}).get(names.BAKERY):
        wake(metadata["namespace"], bakery)
    return str(metadata["resourceVersion"])
