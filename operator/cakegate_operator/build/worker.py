"""The worker: fetches pictures, judges them, makes renditions; as many as there is work."""

from typing import Final

from cakegate import contract
from cakegate_operator import bakery, names
from cakegate_operator.build import autoscaling, pods, processes, variables
from cakegate_operator.inputs import Inputs, Object

_PACK: Final = "pack"
_CHILD_MEMORY: Final = "CAKEGATE_PICTURES_CHILD_MEMORY_BYTES"
#: The default of that setting; a test holds it against the process's own.
CHILD_MEMORY_BYTES: Final = 1024 * 2**20
#: Requested: above what was measured of the process (142 MiB) and of each thread's decoding child at common pictures
#: (48 MiB).
_OWN_MIB, _CHILD_MIB = 192, 64
#: Allowed: a 40-megapixel WebP made a child 627 MiB large, and no picture makes one larger than its address space.
#: Below that, hostile pictures could have the kernel kill the whole pod.
_OWN_MOST_MIB: Final = 384


def objects(inputs: Inputs) -> list[Object]:
    """Deployment, the Service of its metrics, disruption budget and autoscaler."""
    worker = inputs.bakery.spec.worker
    init, volumes, mounts = _pack(inputs)
    process = processes.Process(
        component=names.WORKER,
        args=["worker", "--queues", f"{contract.QUEUE_JUDGE},{contract.QUEUE_BULK}"],
        chosen=worker,
        resources=_resources(inputs),
        replicas=replicas(inputs),
        grace_seconds=worker.termination_grace_period_seconds,
        init=init,
        volumes=volumes,
        mounts=mounts,
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
    return pods.resources(
        worker.resources,
        cpu="250m",
        memory=f"{_OWN_MIB + _CHILD_MIB * worker.threads}Mi",
        limit=f"{_OWN_MOST_MIB + child_mib * worker.threads}Mi",
    )


def _pack(inputs: Inputs) -> tuple[list[Object], list[Object], list[Object]]:
    """Init containers, volumes and mounts of a model pack that is not the image's own."""
    pack = inputs.bakery.spec.detector.pack
    if pack is None:
        return [], [], []
    mount: Object = {"name": _PACK, "mountPath": variables.PACK_FOLDER, "readOnly": True}
    if pack.volume:
        if pack.volume.path:
            mount["subPath"] = pack.volume.path
        claim = {"claimName": pack.volume.claim_name, "readOnly": True}
        return [], [{"name": _PACK, "persistentVolumeClaim": claim}], [mount]
    assert pack.download is not None
    return [_fetching(inputs, pack.download)], [{"name": _PACK, "emptyDir": {"sizeLimit": "256Mi"}}], [mount]


def _fetching(inputs: Inputs, download: bakery.PackDownload) -> Object:
    return pods.cakegate(
        inputs,
        "fetch-pack",
        args=[
            "model", "fetch", download.url,
            "--sha256", download.sha256,
            "--into", variables.PACK_FOLDER,
        ],
        resources=pods.resources(None, cpu="50m", memory="128Mi", limit="256Mi"),
        mounts=[{"name": _PACK, "mountPath": variables.PACK_FOLDER}],
    )  # fmt: skip
