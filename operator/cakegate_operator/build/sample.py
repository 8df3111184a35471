"""The sample legacy API, to try a bakery out."""

from typing import Final

from cakegate import contract
from cakegate_operator import bakery, names
from cakegate_operator.build import pods, statefulsets
from cakegate_operator.inputs import Inputs, Object

_FOLDER: Final = "/data"


def objects(inputs: Inputs) -> list[Object]:
    """StatefulSet and Service, where the resource has a sample upstream."""
    sample = inputs.bakery.spec.upstream.sample
    if sample is None:
        return []
    container = pods.cakegate(
        inputs,
        names.SAMPLE,
        args=["sample", "--folder", _FOLDER, "--host", "0.0.0.0", "--port", str(contract.SAMPLE_PORT), "--pictures"],  # noqa: S104 - in a pod
        ports=[{"name": names.HTTP, "containerPort": contract.SAMPLE_PORT, "protocol": "TCP"}],
        startupProbe=pods.http_probe("/healthz", names.HTTP, period=1, failures=120),
        livenessProbe=pods.http_probe("/healthz", names.HTTP, period=10, failures=6),
        readinessProbe=pods.http_probe("/healthz", names.HTTP, period=3, failures=3),
        resources=pods.resources(None, cpu="25m", memory="128Mi", limit="384Mi"),
        mounts=[{"name": statefulsets.DATA, "mountPath": _FOLDER}],
    )
    pod = pods.Pod(component=names.SAMPLE, containers=[container], grace_seconds=30)
    return [
        statefulsets.single(inputs, pod, storage=bakery.Volume(size=sample.size), when_deleted="Delete"),
        statefulsets.service(inputs, names.SAMPLE, name=names.HTTP, port=contract.SAMPLE_PORT),
    ]
