"""What is said of autoscaling, of monitoring, and of how many connections all pods together may ask for."""

from typing import Final

from cakegate_operator import inputs as given
from cakegate_operator import names, reasons
from cakegate_operator.bakery import Spec
from cakegate_operator.build import autoscaling
from cakegate_operator.exposed import absent
from cakegate_operator.inputs import Inputs, Object
from cakegate_operator.kinds import SCALERS, Key
from cakegate_operator.seen import Outcome, Seen, condition_of, dig
from cakegate_operator.verdicts import Verdict, no, unknown, yes

_ACTIVE: Final = "AutoscalingActive"
_MONITORING: Final = "MonitoringConfigured"
#: Connections that Postgres keeps for its administrator, and those of the operator of a database.
_RESERVED: Final = 3
#: `max_connections` of Postgres where nobody says otherwise, as CloudNativePG leaves it.
_CNPG_CONNECTIONS: Final = 100


def verdict(seen: Seen, inputs: Inputs, outcome: Outcome) -> Verdict:
    """Whether the autoscalers that the resource asks for can work."""
    chosen = autoscaling.scaler(inputs)
    keys = [key for key in outcome.desired if key.kind in {kind.kind for kind in SCALERS}]
    wanted = autoscaling.wanted(inputs)
    if wanted and wanted.provider == "KEDA" and chosen is not autoscaling.Scaler.KEDA:
        keda = absent(_ACTIVE, inputs, given.KEDA, "KEDA")
        if keda.reason == reasons.CRD_NOT_INSTALLED:
            return no(_ACTIVE, keda.reason, f"{keda.message}: workers scale on processor time instead")
        return keda
    failing = next((said for key in keys if (said := _failing(key, seen.children.get(key))) is not None), None)
    if failing:
        return failing
    if not keys:
        return no(_ACTIVE, reasons.FIXED, "numbers of pods are fixed")
    return yes(_ACTIVE, reasons.ACTIVE, ", ".join(sorted(map(str, keys))))


def _failing(key: Key, found: Object | None) -> Verdict | None:
    """What an autoscaler complains of."""
    if found is None:
        return unknown(_ACTIVE, reasons.NOT_CREATED, f"{key} is not there yet")
    # KEDA's says Ready; an HPA says ScalingActive, and ScalingActive is false where a metric cannot be had.
    said = condition_of(found, "Ready" if key.kind == "ScaledObject" else "ScalingActive")
    if said is None:
        return unknown(_ACTIVE, reasons.INACTIVE, f"{key} says nothing yet")
    if said["status"] == "True" or said.get("reason") == "ScalingDisabled":
        return None
    return no(_ACTIVE, reasons.INACTIVE, f"{key}: {said.get('message') or said.get('reason')}")


def autoscaler_name(seen: Seen, component: str) -> str | None:
    """What decides on a component's number of pods."""
    name = names.child(seen.name, component)
    return next((str(key) for kind in SCALERS if (key := Key(kind.kind, name)) in seen.children), None)


def monitoring(inputs: Inputs) -> Verdict:
    """Whether the monitoring objects that were asked for can be made."""
    wanted = inputs.bakery.spec.monitoring
    modes = {
        given.SERVICE_MONITOR: wanted.service_monitor.mode,
        given.PROMETHEUS_RULE: wanted.prometheus_rule.mode,
    }
    if {*modes.values(), wanted.grafana_dashboard.mode} == {"Disabled"}:
        return no(_MONITORING, reasons.DISABLED, "spec.monitoring switches all of it off")
    for api, mode in modes.items():
        if mode != "Disabled" and api not in inputs.facts.apis:
            return absent(_MONITORING, inputs, api, "the Prometheus Operator")
    return yes(_MONITORING, reasons.CONFIGURED, "what was asked for is made")


def connections(inputs: Inputs, outcome: Outcome) -> Verdict | None:
    """Whether all pools fit into the server's `max_connections`; None where the server is not ours to know."""
    most = _max_connections(inputs.bakery.spec, outcome)
    if most is None:
        return None
    pods = _pods(inputs.bakery.spec)
    pool = inputs.bakery.spec.database.pool_max
    asked, given_out = pods * pool, most - _RESERVED
    words = f"{pods} pods at most with {pool} connections each ask for {asked} of {given_out}"
    if asked > given_out:
        return no("ConnectionsSuffice", reasons.TOO_MANY_CONNECTIONS, words)
    return yes("ConnectionsSuffice", reasons.ENOUGH, words)


def _max_connections(spec: Spec, outcome: Outcome) -> int | None:
    if spec.database.managed:
        return spec.database.managed.max_connections
    cluster = next((body for key, body in outcome.desired.items() if key.kind == "Cluster"), None)
    if cluster is None:
        return None
    return int(dig(cluster, "spec", "postgresql", "parameters", "max_connections", default=_CNPG_CONNECTIONS))


def _pods(spec: Spec) -> int:
    """Pods that may have a pool at once, when every autoscaler is at its maximum."""
    gateways = spec.gateway.autoscaling.max_replicas if spec.gateway.autoscaling else spec.gateway.replicas or 2
    scaling = spec.worker.autoscaling
    workers = spec.worker.replicas or (scaling.max_replicas if scaling else 10)
    return gateways + workers + spec.writer.replicas + spec.scheduler.replicas
