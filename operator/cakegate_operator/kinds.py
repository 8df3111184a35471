"""The kinds of objects that the operator works with: where the API server has them, and which are children.

A table instead of discovery: an aggregated API that does not answer then holds nothing up, and few rights suffice.
"""

from typing import Any, Final

import msgspec

from cakegate_operator import bakery, inputs

Object = dict[str, Any]


class Kind(msgspec.Struct, frozen=True):
    """A kind, and the plural by which it stands in URLs. `optional`: the API that may be absent."""

    api_version: str
    kind: str
    plural: str
    optional: inputs.Api | None = None

    @property
    def prefix(self) -> str:
        """The path of its API."""
        return f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"


BAKERY: Final = Kind(f"{bakery.GROUP}/{bakery.VERSION}", bakery.KIND, bakery.PLURAL)
SECRET: Final = Kind("v1", "Secret", "secrets")
POD: Final = Kind("v1", "Pod", "pods")
EVENT: Final = Kind("v1", "Event", "events")
VOLUME_CLAIM: Final = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
LEASE: Final = Kind("coordination.k8s.io/v1", "Lease", "leases")
DEPLOYMENT: Final = Kind("apps/v1", "Deployment", "deployments")
STATEFUL_SET: Final = Kind("apps/v1", "StatefulSet", "statefulsets")
JOB: Final = Kind("batch/v1", "Job", "jobs")
SERVICE: Final = Kind("v1", "Service", "services")
AUTOSCALER: Final = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
SCALED_OBJECT: Final = Kind("keda.sh/v1alpha1", "ScaledObject", "scaledobjects", inputs.KEDA)
CLUSTER: Final = Kind("postgresql.cnpg.io/v1", "Cluster", "clusters", inputs.CLOUD_NATIVE_PG)
DISRUPTION_BUDGET: Final = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
NETWORK_POLICY: Final = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
INGRESS: Final = Kind("networking.k8s.io/v1", "Ingress", "ingresses")
HTTP_ROUTE: Final = Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes", inputs.HTTP_ROUTE)

#: Kinds whose objects are listed by label and pruned when no longer wanted. Secrets and volume claims are not among
#: them: nobody lists all Secrets, and neither is ever pruned.
CHILDREN: Final = (
    SERVICE,
    Kind("v1", "ConfigMap", "configmaps"),
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    DEPLOYMENT,
    STATEFUL_SET,
    JOB,
    Kind("batch/v1", "CronJob", "cronjobs"),
    DISRUPTION_BUDGET,
    AUTOSCALER,
    NETWORK_POLICY,
    INGRESS,
    SCALED_OBJECT,
    Kind("keda.sh/v1alpha1", "TriggerAuthentication", "triggerauthentications", inputs.KEDA),
    Kind("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors", inputs.SERVICE_MONITOR),
    Kind("monitoring.coreos.com/v1", "PrometheusRule", "prometheusrules", inputs.PROMETHEUS_RULE),
    CLUSTER,
    HTTP_ROUTE,
)
#: Only made, never listed as children.
OTHERS: Final = (
    BAKERY,
    SECRET,
    POD,
    EVENT,
    LEASE,
    VOLUME_CLAIM,
)
_BY_NAME: Final = {(kind.api_version, kind.kind): kind for kind in (*CHILDREN, *OTHERS)}

#: Who decides on a number of pods: never two at once.
SCALERS: Final = (AUTOSCALER, SCALED_OBJECT)


def kind_of(body: Object) -> Kind:
    """The kind of an object; a KeyError is a builder's mistake: a kind that the operator has no rights for."""
    return _BY_NAME[body["apiVersion"], body["kind"]]


class Key(msgspec.Struct, frozen=True, order=True):
    """Which object, within a namespace."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def key_of(body: Object) -> Key:
    """Which object this is."""
    return Key(body["kind"], body["metadata"]["name"])
