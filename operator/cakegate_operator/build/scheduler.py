"""The scheduler: periodic work. Of several pods one leads, by a lock in Postgres."""

from cakegate_operator import names
from cakegate_operator.build import pods, processes
from cakegate_operator.inputs import Inputs, Object


def objects(inputs: Inputs) -> list[Object]:
    """The Deployment, and the Service of its metrics."""
    scheduler = inputs.bakery.spec.scheduler
    process = processes.Process(
        component=names.SCHEDULER,
        args=["scheduler"],
        chosen=scheduler,
        resources=pods.resources(scheduler.resources, cpu="50m", memory="128Mi", limit="384Mi"),
        replicas=scheduler.replicas,
    )
    return [processes.deployment(inputs, process), processes.metrics_service(inputs, names.SCHEDULER)]
