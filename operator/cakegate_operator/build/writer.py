"""The writer: creates accepted cakes upstream."""

from cakegate import contract
from cakegate_operator import names
from cakegate_operator.build import pods, processes, variables
from cakegate_operator.inputs import Inputs, Object


def objects(inputs: Inputs) -> list[Object]:
    """The Deployment, and the Service of its metrics."""
    writer = inputs.bakery.spec.writer
    process = processes.Process(
        component=names.WRITER,
        args=["worker", "--queues", contract.QUEUE_CREATE],
        chosen=writer,
        resources=pods.resources(writer.resources, cpu="50m", memory="128Mi", limit="384Mi"),
        replicas=writer.replicas,
        grace_seconds=variables.WRITER_GRACE_SECONDS,
    )
    return [processes.deployment(inputs, process), processes.metrics_service(inputs, names.WRITER)]
