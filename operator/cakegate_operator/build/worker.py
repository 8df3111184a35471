"""The worker: fetches pictures, judges them, makes renditions; as many as there is work."""

from typing import Final, NamedTuple

from cakegate import contract
from cakegate_operator import bakery, names
from cakegate_operator.build import autoscaling, pods, processes, variables
from cakegate_operator.inputs import Inputs, Object

#: Volumes of model packs.
_PACK: Final = "pack"
_SHADOW: Final = "shadow-pack"
_CHILD_MEMORY: Final = "CAKEGATE_PICTURES_CHILD_MEMORY_BYTES"
#: The default of that setting; a test holds it against the process's own.
CHILD_MEMORY_BYTES: Final = 1024 * 2**20
#: Requested: above what was measured of the process (142 MiB) and of each thread's decoding child at common pictures
#: (48 MiB).
_OWN_MIB, _CHILD_MIB = 192, 64
#: Allowed: a 40-megapixel WebP made a child 627 MiB large, and no picture makes one larger than its address space.
#: Below that, hostile pictures could have the kernel kill the whole pod.
_OWN_MOST_MIB: Final = 384
#: Of a second model: one whose file has 6 MB was measured at 16 MiB, and a pack may be larger than the image's own.
_SHADOW_MIB: Final = 64


def objects(inputs: Inputs) -> list[Object]:
    """Deployment, the Service of its metrics, disruption budget and autoscaler."""
    worker = inputs.bakery.spec.worker
    packs = _packs(inputs)
    process = processes.Process(
        component=names.WORKER,
        args=["worker", "--queues", f"{contract.QUEUE_JUDGE},{contract.QUEUE_BULK}"],
        chosen=worker,
        resources=_resources(inputs),
        replicas=replicas(inputs),
        grace_seconds=worker.termination_grace_period_seconds,
        init=packs.init,
        volumes=packs.volumes,
        mounts=packs.mounts,
    )
    found = [processes.deployment(inputs, process), processes.metrics_service(inputs, names.WORKER)]
    if worker.pod_disruption_budget:
        found.append(processes.budget(inputs, names.WORKER, worker.pod_disruption_budget))
    return [*found, *autoscaling.objects(inputs)]


def replicas(inputs: Inputs) -> int | None:
    """How many workers there are to be; None where something else decides, or may."""
    return inputs.bakery.spec.worker.replicas if autoscaling.scaler(inputs) is autoscaling.Scaler.FIXED else None


def _resources(inputs: Inputs) -> Object:
    worker = inputs.bakery.spec.worker
    said = (inputs.bakery.spec.settings or {}).get(_CHILD_MEMORY, "")
    child_mib = (int(said) if said.isascii() and said.isdecimal() else CHILD_MEMORY_BYTES) // 2**20
    shadow_mib = _SHADOW_MIB if inputs.bakery.spec.detector.shadow else 0
    return pods.resources(
        worker.resources,
        cpu="250m",
        memory=f"{_OWN_MIB + shadow_mib + _CHILD_MIB * worker.threads}Mi",
        limit=f"{_OWN_MOST_MIB + shadow_mib + child_mib * worker.threads}Mi",
    )


class _Packs(NamedTuple):
    """What model packs that are not the image's own add to a pod: init containers, volumes, mounts."""

    init: list[Object]
    volumes: list[Object]
    mounts: list[Object]


def _packs(inputs: Inputs) -> _Packs:
    """Of the model that decides, and of its shadow."""
    detector = inputs.bakery.spec.detector
    wanted = ((_PACK, variables.PACK_FOLDER, detector.pack), (_SHADOW, variables.SHADOW_FOLDER, detector.shadow))
    found = _Packs([], [], [])
    for name, folder, pack in wanted:
        if pack is not None:
            _add(found, inputs, pack, name=name, folder=folder)
    return found


def _add(found: _Packs, inputs: Inputs, pack: bakery.Pack | bakery.Shadow, *, name: str, folder: str) -> None:
    mount: Object = {"name": name, "mountPath": folder, "readOnly": True}
    found.mounts.append(mount)
    if pack.volume:
        if pack.volume.path:
            mount["subPath"] = pack.volume.path
        claim = {"claimName": pack.volume.claim_name, "readOnly": True}
        found.volumes.append({"name": name, "persistentVolumeClaim": claim})
        return
    assert pack.download is not None
    found.init.append(_fetching(inputs, pack.download, name=name, folder=folder))
    found.volumes.append({"name": name, "emptyDir": {"sizeLimit": "256Mi"}})


def _fetching(inputs: Inputs, download: bakery.PackDownload, *, name: str, folder: str) -> Object:
    return pods.cakegate(
        inputs,
        f"fetch-{name}",
        args=[
            "model", "fetch", download.url,
            "--sha256", download.sha256,
            "--into", folder,
        ],
        resources=pods.resources(None, cpu="50m", memory="128Mi", limit="256Mi"),
        mounts=[{"name": name, "mountPath": folder}],
    )  # fmt: skip
