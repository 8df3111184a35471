"""The operator's own metrics: what it does, how long that takes, how bakeries stand, and who leads."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

#: A registry of its own, so that no other module's metrics are found here.
REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

RECONCILES: Final = Counter(
    "cakegate_operator_reconcile_total",
    "Passes over a bakery, by how they ended: done, waiting, held, paused, gone, error.",
    ["outcome"],
    registry=REGISTRY,
)
ERRORS: Final = Counter(
    "cakegate_operator_reconcile_errors_total", "Passes that failed, by the error's kind.", ["error"], registry=REGISTRY
)
SECONDS: Final = Histogram(
    "cakegate_operator_reconcile_duration_seconds", "Time of a pass.", buckets=_SECONDS, registry=REGISTRY
)
API_REQUESTS: Final = Counter(
    "cakegate_operator_api_requests_total",
    "Requests to the API server: get and list read, all other verbs write.",
    ["verb", "kind"],
    registry=REGISTRY,
)
MANAGED: Final = Gauge(
    "cakegate_operator_managed_resources", "Children of a bakery.", ["namespace", "bakery", "kind"], registry=REGISTRY
)
CONDITION: Final = Gauge(
    "cakegate_operator_condition",
    "Conditions of bakeries: 1 True, 0 False, -1 Unknown.",
    ["namespace", "bakery", "type"],
    registry=REGISTRY,
)
BAKERIES: Final = Gauge("cakegate_operator_bakeries", "Bakeries that are looked after.", registry=REGISTRY)
LEADER: Final = Gauge("cakegate_operator_is_leader", "Whether this process leads.", registry=REGISTRY)
BUILD_INFO: Final = Gauge("cakegate_operator_build_info", "Which version runs.", ["version"], registry=REGISTRY)

#: Verbs that change something.
MUTATING: Final = ("apply", "apply_status", "create", "delete", "replace")


def mutating_requests() -> float:
    """Requests so far that may have changed something, the leader's Lease apart."""
    return sum(
        sample.value
        for sample in next(iter(API_REQUESTS.collect())).samples
        if sample.name.endswith("_total") and sample.labels["verb"] in MUTATING and sample.labels["kind"] != "Lease"
    )
