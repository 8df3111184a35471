"""What all pods share: how little they may do, where they run, and what restarts them."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from cakegate_operator import bakery, names
from cakegate_operator.build import images, objects
from cakegate_operator.inputs import Inputs, Object

#: The user of Cakegate's image.
CAKEGATE_USER: Final = 10001
#: The user of the official images of Postgres, Redis and Valkey (Debian's).
SERVER_USER: Final = 999

#: Pod Security Standards, `restricted` (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
_RESTRICTED: Final[Object] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
_TMP: Final = "tmp"


class Pod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod's template before it is one."""

    component: str
    containers: Sequence[Object]
    init: Sequence[Object] = ()
    volumes: Sequence[Object] = ()
    user: int = CAKEGATE_USER
    grace_seconds: int = 60
    wanted: bakery.Template | None = None
    #: Whether it runs Cakegate for as long as the bakery lives: such pods are restarted on request.
    process: bool = False
    #: Whether changed Secrets restart it.
    rolls: bool = True


def container(
    name: str,
    image: str,
    *,
    resources: Object,
    mounts: Sequence[Object] = (),
    **fields: Any,
) -> Object:
    """A container that may do nothing but its work; it can write to /tmp and to what is mounted."""
    return {
        "name": name,
        "image": image,
        **{key: value for key, value in fields.items() if value},
        "resources": resources,
        # What a process said last is what a condition says of it.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": msgspec.to_builtins(_RESTRICTED),
        "volumeMounts": [{"name": _TMP, "mountPath": "/tmp"}, *mounts],  # noqa: S108 - a volume of the pod's own
    }


def cakegate(inputs: Inputs, name: str, *, args: list[str], resources: Object, **fields: Any) -> Object:
    """A container of Cakegate's image."""
    pull_policy = inputs.bakery.spec.image.pull_policy
    return container(
        name, images.cakegate(inputs), imagePullPolicy=pull_policy, args=args, resources=resources, **fields
    )


def template(inputs: Inputs, pod: Pod) -> Object:
    """A pod template."""
    spec = _spec(inputs, pod)
    theirs = (pod.wanted and pod.wanted.metadata) or bakery.Metadata()
    annotations = {**(theirs.annotations or {}), **_annotations(inputs, pod, spec)}
    digest = inputs.bakery.spec.image.digest
    version = inputs.facts.version if pod.user == CAKEGATE_USER and not digest else None
    metadata: Object = {
        "labels": {
            **(theirs.labels or {}),
            **names.labels(inputs.bakery.name, pod.component, version=version),
        }
    }
    return {"metadata": metadata | ({"annotations": annotations} if annotations else {}), "spec": spec}


def _spec(inputs: Inputs, pod: Pod) -> Object:
    spec: Object = {
        "automountServiceAccountToken": False,
        # Kubernetes would inject CAKEGATE_GATEWAY_PORT=tcp://... for a Service of that name, which is no port.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": pod.grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": pod.user,
            "runAsGroup": pod.user,
            "fsGroup": pod.user,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": list(pod.containers),
        "volumes": [{"name": _TMP, "emptyDir": {}}, *pod.volumes],
        **_placement(inputs, pod),
    }
    if pod.init:
        spec["initContainers"] = list(pod.init)
    if secrets := images.pull_secrets(inputs):
        spec["imagePullSecrets"] = secrets
    return spec


def _placement(inputs: Inputs, pod: Pod) -> Object:
    """Where it may run: as the resource says, and by default spread over hosts as far as possible."""
    theirs = (pod.wanted and pod.wanted.spec) or bakery.PodSpecTemplate()
    spread: Object = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": objects.selector(inputs, pod.component),
    }
    return {"topologySpreadConstraints": [spread], **msgspec.to_builtins(theirs)}


def _annotations(inputs: Inputs, pod: Pod, spec: Object) -> dict[str, str]:
    found = {}
    if pod.rolls and follows_secrets(inputs):
        digests = [f"{key}={inputs.facts.secrets[key]}" for key in references(spec) if key in inputs.facts.secrets]
        if digests:
            found[names.CONFIG_HASH] = digest(digests)
    restarted = inputs.bakery.annotations.get(names.RESTARTED_AT)
    if pod.process and restarted:
        found[names.RESTARTED_AT] = restarted
    return found


def follows_secrets(inputs: Inputs) -> bool:
    """Whether a changed Secret is to restart the pods that read it."""
    return inputs.bakery.spec.rollout.secret_change_policy == "Restart"  # noqa: S105 - a policy, no password


def digest(value: Any) -> str:
    """A short hash of data, the same on all machines."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()[:16]


def references(found: Any) -> list[tuple[str, str]]:
    """The keys of Secrets, as (Secret, key), that objects refer to: in environments and as files. Sorted."""
    return sorted(set(_references(found)))


def _references(found: Any) -> Iterator[tuple[str, str]]:
    if isinstance(found, dict):
        if isinstance(key := found.get("secretKeyRef"), dict):
            yield key["name"], key["key"]
        if isinstance(volume := found.get("secret"), dict) and "secretName" in volume:
            yield from ((volume["secretName"], item["key"]) for item in volume.get("items", ()))
        for value in found.values():
            yield from _references(value)
    elif isinstance(found, list):
        for value in found:
            yield from _references(value)


def secret_file(folder: str, key: bakery.SecretKey, *, under: str, name: str) -> tuple[Object, Object]:
    """A volume with one key of a Secret as the file `under/folder/name`, and its mount."""
    volume = {"name": folder, "secret": {"secretName": key.name, "items": [{"key": key.key, "path": name}]}}
    return volume, {"name": folder, "mountPath": f"{under}/{folder}", "readOnly": True}


def http_probe(path: str, port: str, *, period: int, failures: int, timeout: int = 5) -> Object:
    """A probe by HTTP; times in seconds."""
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }


def exec_probe(command: list[str], *, period: int, failures: int, timeout: int = 5) -> Object:
    """A probe by a command; times in seconds."""
    return {
        "exec": {"command": command},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }


def resources(chosen: Object | None, *, cpu: str, memory: str, limit: str) -> Object:
    """What a container requests and may use, unless the resource says so itself.

    No limit of processor time: it would slow pods down while processors idle.
    """
    return chosen or {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": limit}}
