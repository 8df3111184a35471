"""How the operator itself does."""

from typing import Final

from cakegate_operator.monitoring.panels import Dashboard, Panel, Query, Row, increases, quantiles, rates

#: Verbs of requests that only read.
_READ: Final = "get|list|watch"
_REQUESTS: Final = "cakegate_operator_api_requests_total"

_BAKERIES: Final = Row(
    "Bakeries",
    (
        Panel(
            title="Looked after",
            queries=(Query("max(cakegate_operator_bakeries{SCOPE})"),),
            kind="stat",
            width=4,
        ),
        Panel(
            title="Not ready",
            queries=(Query('count(cakegate_operator_condition{SCOPE, type="Ready"} < 1) or vector(0)'),),
            kind="stat",
            width=4,
            above=1,
        ),
        Panel(
            title="Conditions",
            about="1 is True, 0 is False, -1 is Unknown.",
            queries=(
                Query(
                    "max by (namespace, bakery, type) (cakegate_operator_condition{SCOPE})",
                    "{{namespace}}/{{bakery}} {{type}}",
                ),
            ),
            kind="state-timeline",
            width=16,
            height=12,
        ),
    ),
)

_PASSES: Final = Row(
    "Passes",
    (
        Panel(
            title="Passes by outcome",
            queries=(rates("cakegate_operator_reconcile_total", "outcome"),),
            unit="reqps",
            stacked=True,
        ),
        Panel(title="Errors", queries=(increases("cakegate_operator_reconcile_errors_total", "error"),)),
        Panel(
            title="Time of a pass",
            queries=quantiles("cakegate_operator_reconcile_duration_seconds", 0.5, 0.95),
            unit="s",
        ),
        Panel(
            title="Requests that may change something",
            about="None while no bakery changes: what is as it should be is not written again.",
            queries=(rates(_REQUESTS, "verb", "kind", where=f'verb!~"{_READ}", kind!="Lease"'),),
            unit="reqps",
        ),
        Panel(
            title="Requests that read",
            queries=(rates(_REQUESTS, "verb", "kind", where=f'verb=~"{_READ}"'),),
            unit="reqps",
        ),
        Panel(
            title="Children",
            queries=(Query("sum by (kind) (cakegate_operator_managed_resources{SCOPE})", "{{kind}}"),),
            stacked=True,
        ),
        Panel(
            title="Leader",
            queries=(Query("cakegate_operator_is_leader{SCOPE}", "{{pod}}"),),
            kind="state-timeline",
            width=12,
        ),
        Panel(
            title="Versions",
            queries=(Query("count by (version) (cakegate_operator_build_info{SCOPE})", "{{version}}"),),
            width=12,
        ),
    ),
)

OPERATOR: Final = Dashboard(slug="operator", title="Cakegate operator", rows=(_BAKERIES, _PASSES))
