"""Alerts on the legacy API."""

from cakegate_operator.monitoring.promql import held, rate
from cakegate_operator.monitoring.rules import Alert, Group

#: What is its doing. Not `late` and `abandoned`, which are ours and the client's.
FAILED = "unreachable|broken|slow|uncertain"
_OURS = "late|abandoned"


def group() -> Group:
    """Its alerts."""
    failed = rate("cakegate_upstream_calls_total", where=f'outcome=~"{FAILED}"', over="5m")
    asked = rate("cakegate_upstream_calls_total", where=f'outcome!~"{_OURS}"', over="5m")
    return Group(
        name="cakegate-upstream",
        rules=(
            Alert(
                name="CakegateUpstreamDown",
                expr=f"{failed} / {asked} > 0.5",
                lasting="2m",
                severity="critical",
                summary="the legacy API is down",
                description=(
                    "{{ $value | humanizePercentage }} of calls of the legacy API fail. Reads fail with it;"
                    " submissions are taken in and judged, and created when it is back."
                ),
            ),
            Alert(
                name="CakegateBreakerOpen",
                expr=f"{held('cakegate_upstream_breaker', state='closed')} == 0",
                lasting="5m",
                severity="warning",
                summary="no cakes are created upstream",
                description=(
                    "The circuit breaker of creates has not been closed for five minutes: creates failed in a row, and"
                    " so did each trial since. Accepted cakes wait in Postgres."
                ),
            ),
        ),
    )
