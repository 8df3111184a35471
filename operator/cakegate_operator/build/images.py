"""Which image runs where: the resource's own, else what runs already, else what the operator was installed with."""

from cakegate_operator import bakery, names
from cakegate_operator.inputs import Inputs, Object


def cakegate(inputs: Inputs) -> str:
    """Cakegate's image: pinned by a digest, or by the version that is to run."""
    image = inputs.bakery.spec.image
    repository = image.repository or inputs.release.repository
    return f"{repository}@{image.digest}" if image.digest else f"{repository}:{inputs.facts.version}"


def postgres(inputs: Inputs, managed: bakery.ManagedPostgres) -> str:
    """The image of the managed Postgres, of its dumps too."""
    default = inputs.facts.proven.get(names.POSTGRES) or inputs.release.postgres_image
    return (inputs.bakery.spec.images.postgres or default).replace("{major}", str(managed.major))


def redis(inputs: Inputs) -> str:
    """The image of the managed Redis."""
    return inputs.bakery.spec.images.redis or inputs.facts.proven.get(names.REDIS) or inputs.release.redis_image


def pull_secrets(inputs: Inputs) -> list[Object]:
    """`imagePullSecrets` of all pods: the operator's defaults, and the resource's."""
    wanted = dict.fromkeys([*inputs.release.pull_secrets, *inputs.bakery.spec.image.pull_secrets])
    return [{"name": name} for name in wanted]
