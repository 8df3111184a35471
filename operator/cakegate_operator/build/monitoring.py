"""How a bakery is watched: scraping, alerts, dashboards."""

import functools
import hashlib
from typing import Final

from cakegate_operator import bakery, inputs, names
from cakegate_operator.build import objects as making
from cakegate_operator.build import redis
from cakegate_operator.inputs import Inputs, Object
from cakegate_operator.monitoring import detector, objectives, overview, panels, pipeline, processes, rules, upstreams
from cakegate_operator.monitoring import work as work_rules

#: Whose pods have metrics: a process that is added to this list is scraped, and missed when it is gone.
MONITORED: Final = names.PROCESSES

DASHBOARDS: Final = (overview.OVERVIEW, pipeline.PIPELINE, detector.DETECTOR)

_TOKENS: Final = ("%NAMESPACE%", "%NAME%", "%WHOSE%")
_CONFIG_MAP: Final = ("v1", "ConfigMap")
_COMPONENT: Final = "monitoring"
#: The gateway's own default (docs/configuration.md); a bakery's `settings` may say otherwise.
_MAX_PENDING: Final = "CAKEGATE_GATEWAY_MAX_PENDING"
_DEFAULT_MAX_PENDING: Final = 100_000


def objects(inputs_: Inputs) -> list[Object]:
    """ServiceMonitors, a PrometheusRule and a ConfigMap of dashboards, each as its mode and its API allow."""
    wanted, facts = inputs_.bakery.spec.monitoring, inputs_.facts
    found = []
    if wanted.service_monitor.mode != "Disabled" and inputs.SERVICE_MONITOR in facts.apis:
        found += [_service_monitor(inputs_, component) for component in MONITORED]
    if wanted.prometheus_rule.mode != "Disabled" and inputs.PROMETHEUS_RULE in facts.apis:
        found.append(_prometheus_rule(inputs_))
    if _shows_dashboards(wanted.grafana_dashboard, facts):
        found.append(_dashboards(inputs_))
    return found


def _shows_dashboards(wanted: bakery.Monitor, facts: inputs.Facts) -> bool:
    """A ConfigMap can be made anywhere: by itself, only where the Prometheus Operator says that somebody looks at it.

    An unclear answer counts as yes: dashboards that are there stay.
    """
    if wanted.mode == "Auto":
        return inputs.SERVICE_MONITOR in facts.apis | facts.unknown_apis
    return wanted.mode == "Enabled"


def _service_monitor(inputs_: Inputs, component: str) -> Object:
    wanted = inputs_.bakery.spec.monitoring.service_monitor
    told = {"bakery": inputs_.bakery.name, "component": component}
    endpoint: Object = {
        "port": names.METRICS,
        "interval": wanted.interval,
        "relabelings": [
            *({"action": "replace", "targetLabel": label, "replacement": value} for label, value in told.items()),
            *(wanted.relabelings or ()),
        ],
    }
    return making.made(
        inputs_,
        _kind(inputs.SERVICE_MONITOR),
        component=component,
        labels={**inputs_.release.monitor_labels, **(wanted.labels or {})},
        annotations=wanted.annotations,
        spec={"selector": making.selector(inputs_, component), "endpoints": [endpoint]},
    )


def _prometheus_rule(inputs_: Inputs) -> Object:
    wanted = inputs_.bakery.spec.monitoring.prometheus_rule
    return making.made(
        inputs_,
        _kind(inputs.PROMETHEUS_RULE),
        component=_COMPONENT,
        labels={**inputs_.release.rule_labels, **(wanted.labels or {})},
        annotations=wanted.annotations,
        spec={"groups": rule_groups(inputs_)},
    )


def rule_groups(inputs_: Inputs) -> list[Object]:
    """The bakery's rules, as in a rules file of Prometheus."""
    of = inputs_.bakery
    told = {"namespace": of.namespace, "bakery": of.name}
    subject = rules.Subject(
        selects=told, labels=told, title=f"{of.namespace}/{of.name}", runbook_url=inputs_.release.runbook_url
    )
    groups = (
        *objectives.groups(),
        work_rules.group(max_pending=_max_pending(of.spec)),
        upstreams.group(),
        processes.group(MONITORED, _volumes(of)),
    )
    return rules.rendered(groups, subject)


def _max_pending(spec: bakery.Spec) -> int:
    """What is no number the gateway itself refuses, and says so."""
    said = (spec.settings or {}).get(_MAX_PENDING, "")
    return int(said) if said.isascii() and said.isdigit() else _DEFAULT_MAX_PENDING


def _volumes(of: bakery.Bakery) -> processes.Volumes | None:
    postgres = names.child(of.name, names.POSTGRES)
    if of.spec.database.managed:
        asked = redis.in_bytes(of.spec.database.managed.storage.size)
        return processes.Volumes(namespace=of.namespace, claims=f"data-{postgres}-0", size_bytes=asked)
    if of.spec.database.cloud_native_pg:
        return processes.Volumes(namespace=of.namespace, claims=f"{postgres}-[0-9]+(-wal)?")
    return None


def _dashboards(inputs_: Inputs) -> Object:
    wanted = inputs_.bakery.spec.monitoring.grafana_dashboard
    of = inputs_.bakery
    return making.made(
        inputs_,
        _CONFIG_MAP,
        component="dashboards",
        labels={**inputs_.release.dashboard_labels, **(wanted.labels or {})},
        annotations=wanted.annotations,
        # Grafana's sidecar puts the files of all namespaces into one folder.
        data={f"{of.namespace}-{of.name}-{each.slug}.json": _shown(each, of.namespace, of.name) for each in DASHBOARDS},
    )


def _shown(dashboard: panels.Dashboard, namespace: str, name: str) -> str:
    """One bakery's dashboard. Grafana knows dashboards by `uid`, at most 40 characters: no two may share one."""
    whose = hashlib.sha256(f"{namespace}/{name}".encode()).hexdigest()[:12]
    shown = _template(dashboard)
    for token, value in zip(_TOKENS, (namespace, name, whose), strict=True):
        shown = shown.replace(token, value)
    return shown


@functools.cache
def _template(dashboard: panels.Dashboard) -> str:
    """A dashboard of any bakery: the same for hundreds of them, but for three words."""
    namespace, name, whose = _TOKENS
    return panels.rendered(
        dashboard,
        uid=f"cakegate-{dashboard.slug}-{whose}",
        title=f"{dashboard.title}: {namespace}/{name}",
        selects={"namespace": "$namespace", "bakery": "$bakery"},
        variables=[
            panels.Variable(name="namespace", query="label_values(cakegate_build_info, namespace)", value=namespace),
            panels.Variable(
                name="bakery", query='label_values(cakegate_build_info{namespace="$namespace"}, bakery)', value=name
            ),
        ],
    )


def _kind(api: inputs.Api) -> tuple[str, str]:
    return api.api_version, api.kind
