"""Alerts on the operator itself, and on bakeries that it cannot bring where they are to be.

It needs no certificates: there is no webhook, so none can run out.
"""

from typing import Final

from cakegate_operator.monitoring.rules import Alert, Group

#: Of the series of one installation; its ServiceMonitor puts it there.
LABEL: Final = "operator"


def groups() -> tuple[Group, ...]:
    """All of them."""
    return (Group(name="cakegate-operator", rules=(*_operator(), *_bakeries())),)


def _operator() -> tuple[Alert, ...]:
    errors = "sum by (error) (increase(cakegate_operator_reconcile_errors_total{SCOPE}[15m]))"
    return (
        Alert(
            name="CakegateOperatorWithoutLeader",
            expr="(sum(cakegate_operator_is_leader{SCOPE}) or vector(0)) == 0",
            lasting="5m",
            severity="critical",
            summary="no operator leads",
            description=(
                "Bakeries go on as they are, but no change of theirs is carried out and nothing that breaks is mended."
            ),
        ),
        Alert(
            name="CakegateOperatorReconcileErrors",
            expr=f"{errors} > 3",
            lasting="15m",
            severity="warning",
            summary="passes over bakeries fail",
            description=(
                "{{ $value | humanize }} passes in 15 minutes failed with {{ $labels.error }}. What they were to change"
                " is not changed."
            ),
        ),
        Alert(
            name="CakegateOperatorSlow",
            expr=(
                "histogram_quantile(0.95, sum by (le)"
                " (rate(cakegate_operator_reconcile_duration_seconds_bucket{SCOPE}[15m]))) > 20"
            ),
            lasting="15m",
            severity="warning",
            summary="passes over bakeries take long",
            description="One in twenty takes longer than {{ $value | humanizeDuration }}: changes are late.",
        ),
    )


def _bakeries() -> tuple[Alert, ...]:
    return (
        Alert(
            name="CakegateBakeryNotReady",
            expr='max by (namespace, bakery) (cakegate_operator_condition{SCOPE, type="Ready"}) < 1',
            lasting="15m",
            severity="critical",
            summary="a bakery is not ready",
            description="{{ $labels.namespace }}/{{ $labels.bakery }}: its condition Ready says why.",
        ),
        Alert(
            name="CakegateBakeryStalled",
            expr='max by (namespace, bakery) (cakegate_operator_condition{SCOPE, type="Stalled"}) == 1',
            lasting="5m",
            severity="warning",
            summary="a change of a bakery does not get on",
            description=(
                "{{ $labels.namespace }}/{{ $labels.bakery }}: its condition Stalled says what a person must do. What"
                " ran before goes on running."
            ),
        ),
    )
