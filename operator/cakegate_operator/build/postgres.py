"""The managed Postgres: one server in a StatefulSet, by the conventions of the official image.

Its data lies under /data, a path that no major's image declares as a volume: the runtime would put an empty one there,
and the data into it.
"""

from typing import Final

from cakegate_operator import bakery, names
from cakegate_operator.build import credentials, images, pods, statefulsets
from cakegate_operator.inputs import Inputs, Object

_FOLDER: Final = "/data"
#: Its fast shutdown writes all that is dirty in memory.
_GRACE_SECONDS: Final = 120
#: A crash is recovered from before the server answers: half an hour of log, at two seconds a look.
_START_FAILURES: Final = 900
_READY: Final = [
    "pg_isready",
    "-q",
    "-h",
    "127.0.0.1",
    "-U",
    credentials.DATABASE_USER,
    "-d",
    credentials.DATABASE_NAME,
]
_MEMORY: Final = "shm"
_SOCKETS: Final = "run"


def objects(inputs: Inputs) -> list[Object]:
    """StatefulSet and Service, where the resource has a managed Postgres."""
    managed = inputs.bakery.spec.database.managed
    if managed is None:
        return []
    pod = pods.Pod(
        component=names.POSTGRES,
        containers=[_container(inputs, managed)],
        volumes=[
            {"name": _SOCKETS, "emptyDir": {}},
            # A container's own /dev/shm is too small for parallel queries.
            {"name": _MEMORY, "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}},
        ],
        user=pods.SERVER_USER,
        grace_seconds=_GRACE_SECONDS,
        wanted=managed.template,
        # The password in the Secret is what the volume was made with: a restart would change nothing.
        rolls=False,
    )
    return [
        statefulsets.single(inputs, pod, storage=managed.storage, when_deleted=managed.retention),
        statefulsets.service(inputs, names.POSTGRES, name=names.POSTGRES, port=names.POSTGRES_PORT),
    ]


def _container(inputs: Inputs, managed: bakery.ManagedPostgres) -> Object:
    return pods.container(
        names.POSTGRES,
        images.postgres(inputs, managed),
        imagePullPolicy="IfNotPresent",
        args=["postgres", "-c", f"max_connections={managed.max_connections}"],
        env=[
            {"name": "POSTGRES_USER", "value": credentials.DATABASE_USER},
            {"name": "POSTGRES_DB", "value": credentials.DATABASE_NAME},
            password(inputs, "POSTGRES_PASSWORD"),
            {"name": "PGDATA", "value": f"{_FOLDER}/pgdata"},
            {
                "name": "POSTGRES_INITDB_ARGS",
                "value": "--auth-local=scram-sha-256 --auth-host=scram-sha-256 --encoding=UTF8 --locale=C"
                " --data-checksums",
            },
        ],
        ports=[{"name": names.POSTGRES, "containerPort": names.POSTGRES_PORT, "protocol": "TCP"}],
        # By TCP: while it makes its data the image runs a server that only listens on a socket.
        startupProbe=pods.exec_probe(_READY, period=2, failures=_START_FAILURES),
        livenessProbe=pods.exec_probe(_READY, period=10, failures=6),
        readinessProbe=pods.exec_probe(_READY, period=3, failures=3),
        resources=pods.resources(managed.resources, cpu="100m", memory="256Mi", limit="1Gi"),
        mounts=[
            {"name": statefulsets.DATA, "mountPath": _FOLDER},
            {"name": _SOCKETS, "mountPath": "/var/run/postgresql"},
            {"name": _MEMORY, "mountPath": "/dev/shm"},  # noqa: S108 - a volume of the pod's own
        ],
    )


def password(inputs: Inputs, variable: str) -> Object:
    """An entry with the password of the managed Postgres."""
    name = names.child(inputs.bakery.name, names.POSTGRES)
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": credentials.PASSWORD}}}
