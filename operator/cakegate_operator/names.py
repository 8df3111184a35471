"""Names that the operator gives: labels, annotations, objects, ports. One list, so that nothing else invents one."""

from typing import Final

from cakegate import contract

#: Field manager of all that we apply.
FIELD_MANAGER: Final = "cakegate-operator"

#: Recommended labels (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/). The version is
#: never part of a selector: selectors cannot change.
APP: Final = "app.kubernetes.io/name"
INSTANCE: Final = "app.kubernetes.io/instance"
COMPONENT: Final = "app.kubernetes.io/component"
VERSION: Final = "app.kubernetes.io/version"
PART_OF: Final = "app.kubernetes.io/part-of"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
APP_NAME: Final = "cakegate"

#: Whose child an object is: the bakery's name. By this label children are listed, watched and pruned.
BAKERY: Final = "cakegate.dev/bakery"

#: On the resource. A new value asks for a reconcile, as with Flux; handled ones are echoed in the status.
REQUESTED_AT: Final = "cakegate.dev/requestedAt"
#: On the resource: a new value restarts all pods of ours, as `kubectl rollout restart` does with a Deployment's.
RESTARTED_AT: Final = "kubectl.kubernetes.io/restartedAt"
#: On an object of another owner that has the name of one of ours: "true" lets us take it over.
ADOPT: Final = "cakegate.dev/adopt"
#: On pod templates: digest of the settings, and of the Secrets' values, that the pods read.
CONFIG_HASH: Final = "cakegate.dev/config-hash"
#: On all that the operator applies: digest of what it applied, so that nothing is applied twice.
APPLIED: Final = "cakegate.dev/applied"
#: On objects that the operator creates once and never writes or prunes again (volumes' credentials).
KEPT: Final = "cakegate.dev/kept"

#: On a server's StatefulSet: the image that the operator once chose for it by default, and that has run since;
#: empty where the resource named another before any did.
PROVEN_IMAGE: Final = "cakegate.dev/proven-image"

GATEWAY: Final = "gateway"
WORKER: Final = "worker"
WRITER: Final = "writer"
SCHEDULER: Final = "scheduler"
MIGRATION: Final = "migration"
POSTGRES: Final = "postgres"
REDIS: Final = "redis"
SAMPLE: Final = "sample"
DUMPS: Final = "dumps"
#: The operator itself, as its pods are labelled (`APP`): it may ask the sample upstream whether it answers.
OPERATOR: Final = "cakegate-operator"
#: Components that run Cakegate for as long as the bakery lives, in the order in which they are rolled.
PROCESSES: Final = (GATEWAY, WORKER, WRITER, SCHEDULER)

#: Names of container ports; numbers are `contract`'s.
HTTP: Final = "http"
METRICS: Final = "metrics"
HEALTH: Final = "health"
PORTS: Final = {HTTP: contract.GATEWAY_PORT, METRICS: contract.METRICS_PORT, HEALTH: contract.HEALTH_PORT}
POSTGRES_PORT: Final = 5432
REDIS_PORT: Final = 6379


#: Longest name of a bakery: with what is put behind it (19 characters at most) it stays a label's value and a Service's
#: name (63), and that of a StatefulSet and a CronJob, which get more behind theirs (52).
MOST_NAME: Final = 40


def child(bakery: str, component: str) -> str:
    """The name of a bakery's object, e.g. `demo-gateway`."""
    return f"{bakery}-{component}"


def selector(bakery: str, component: str) -> dict[str, str]:
    """Labels that select a component's pods; they never change."""
    return {APP: APP_NAME, INSTANCE: bakery, COMPONENT: component}


def labels(bakery: str, component: str, *, version: str | None = None) -> dict[str, str]:
    """Labels of a component's objects."""
    found = selector(bakery, component) | {BAKERY: bakery, PART_OF: APP_NAME, MANAGED_BY: FIELD_MANAGER}
    return found | {VERSION: version} if version else found
