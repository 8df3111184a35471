"""The migration Job: the schema that the version to run needs. It is new whenever what it would do is."""

from typing import Final

from cakegate_operator import names
from cakegate_operator.build import credentials, pods, variables
from cakegate_operator.build import objects as making
from cakegate_operator.inputs import Inputs, Object

JOB: Final = ("batch/v1", "Job")
_DEADLINE_SECONDS: Final = 3600
#: The longest that a migration waits for a server that is about to come up.
_WAIT_SECONDS: Final = 300


def objects(inputs: Inputs) -> list[Object]:
    """The Job, unless migrations are run by hand."""
    return [job(inputs)] if inputs.bakery.spec.database.migration_policy == "Automatic" else []


def job(inputs: Inputs) -> Object:
    """The Job, called by a hash of its pods and of the database's URL: a Job cannot be changed, only followed by one.

    Of the URL, where its Secret may change under running pods (`Ignore`), the reference alone.
    """
    files = [
        pods.secret_file(folder, key, under=variables.FILES, name=variables.CA_FILE)
        for folder, key in variables.files(inputs, names.MIGRATION).items()
    ]
    container = pods.cakegate(
        inputs,
        names.MIGRATION,
        args=["migrate", "--wait", str(_WAIT_SECONDS)],
        env=variables.of(inputs, names.MIGRATION),
        resources=pods.resources(None, cpu="50m", memory="96Mi", limit="384Mi"),
        mounts=[mount for _, mount in files],
    )
    pod = pods.Pod(
        component=names.MIGRATION,
        containers=[container],
        volumes=[volume for volume, _ in files],
        grace_seconds=30,
    )
    template = pods.template(inputs, pod)
    template["spec"]["restartPolicy"] = "Never"
    return making.made(
        inputs,
        JOB,
        component=names.MIGRATION,
        name=f"{names.child(inputs.bakery.name, 'migrate')}-{_digest(inputs, template)}",
        versioned=True,
        spec={"backoffLimit": 2, "activeDeadlineSeconds": _DEADLINE_SECONDS, "template": template},
    )


def _digest(inputs: Inputs, template: Object) -> str:
    reference = credentials.database(inputs)
    url = inputs.facts.secrets.get((reference.name, reference.key)) if pods.follows_secrets(inputs) else None
    return pods.digest([template["spec"], url])[:10]
