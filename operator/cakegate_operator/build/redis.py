"""The managed Redis or Valkey: one server in a StatefulSet that refuses to forget (`noeviction`, append-only file)."""

import re
from typing import Final

from cakegate_operator import bakery, names
from cakegate_operator.build import credentials, images, pods, statefulsets
from cakegate_operator.inputs import Inputs, Object

_FOLDER: Final = "/data"
#: The variable from which both servers' command lines take the password: none of it is ever an argument.
_PASSWORD: Final = "REDISCLI_AUTH"  # noqa: S105 - a name
START: Final = f"""\
umask 077
cat > /tmp/redis.conf <<END
requirepass ${_PASSWORD}
dir {_FOLDER}
port {names.REDIS_PORT}
bind * -::*
maxmemory $MAX_MEMORY
maxmemory-policy noeviction
appendonly yes
appendfsync everysec
save ""
END
server=$(command -v valkey-server || command -v redis-server)
unset {_PASSWORD}
exec "$server" /tmp/redis.conf
"""
#: While it loads its file it answers, but not with PONG.
_READY: Final = [
    "sh", "-c",
    'client=$(command -v valkey-cli || command -v redis-cli) && [ "$("$client" -h 127.0.0.1 ping)" = PONG ]',
]  # fmt: skip
_ALIVE: Final[Object] = {
    "tcpSocket": {"port": names.REDIS},
    "periodSeconds": 10,
    "timeoutSeconds": 5,
    "failureThreshold": 6,
}
#: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_UNITS: Final = {
    "m": 0.001, "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip


def objects(inputs: Inputs) -> list[Object]:
    """StatefulSet and Service, where the resource has a managed Redis."""
    managed = inputs.bakery.spec.redis.managed
    if managed is None:
        return []
    pod = pods.Pod(
        component=names.REDIS,
        containers=[_container(inputs, managed)],
        user=pods.SERVER_USER,
        grace_seconds=30,
        wanted=managed.template,
    )
    return [
        statefulsets.single(inputs, pod, storage=managed.storage, when_deleted="Delete"),
        statefulsets.service(inputs, names.REDIS, name=names.REDIS, port=names.REDIS_PORT),
    ]


def _container(inputs: Inputs, managed: bakery.ManagedRedis) -> Object:
    memory = in_bytes(managed.max_memory)
    name = names.child(inputs.bakery.name, names.REDIS)
    return pods.container(
        names.REDIS,
        images.redis(inputs),
        imagePullPolicy="IfNotPresent",
        command=["sh", "-c", START],
        env=[
            {"name": _PASSWORD, "valueFrom": {"secretKeyRef": {"name": name, "key": credentials.PASSWORD}}},
            {"name": "MAX_MEMORY", "value": str(memory)},
        ],
        ports=[{"name": names.REDIS, "containerPort": names.REDIS_PORT, "protocol": "TCP"}],
        startupProbe=pods.exec_probe(_READY, period=1, failures=300),
        livenessProbe=dict(_ALIVE),
        readinessProbe=pods.exec_probe(_READY, period=3, failures=3),
        # Twice its data: while it rewrites its file, a fork may copy all that changes.
        resources=pods.resources(managed.resources, cpu="50m", memory="64Mi", limit=str(2 * memory + 64 * 2**20)),
        mounts=[{"name": statefulsets.DATA, "mountPath": _FOLDER}],
    )


def in_bytes(quantity: str) -> int:
    """A Kubernetes quantity as a number of bytes, at least one."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(.*)", quantity)
    assert match is not None
    return max(1, int(float(match[1]) * _UNITS[match[2]]))
