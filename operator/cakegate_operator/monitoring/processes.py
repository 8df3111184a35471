"""Alerts on a bakery's own parts: its pods, the scheduler, the database, the rate limits."""

from typing import Final

import msgspec

from cakegate_operator.monitoring.promql import held
from cakegate_operator.monitoring.rules import Alert, Group, Severity

#: Without these two clients get errors, or nothing but 202.
_NEEDED_NOW: Final = frozenset({"gateway", "worker"})
#: How full a volume may be, and for how long; a full one stops Postgres.
_FULL: Final[tuple[tuple[float, str, Severity], ...]] = ((0.8, "15m", "warning"), (0.95, "5m", "critical"))


class Volumes(msgspec.Struct, frozen=True, kw_only=True):
    """The database's volumes, where they are ours: a pattern of their claims' names, in RE2.

    `size_bytes` is what the resource asks for, where there is one volume.
    """

    namespace: str
    claims: str
    size_bytes: int | None = None


def group(components: tuple[str, ...], volumes: Volumes | None) -> Group:
    """Of the processes that have metrics, and of the database."""
    return Group(
        name="cakegate-processes",
        rules=(
            *(_down(each) for each in components),
            *_pods(),
            *_scheduler(),
            *_dependencies(),
            *(_volumes(volumes) if volumes else ()),
        ),
    )


def _down(component: str) -> Alert:
    needed = component in _NEEDED_NOW
    return Alert(
        name="CakegateComponentDown",
        expr=f'absent(cakegate_ready{{SCOPE, component="{component}"}} == 1)',
        lasting="5m" if needed else "10m",
        severity="critical" if needed else "warning",
        labels={"component": component},
        summary=f"no {component} is ready",
        description=f"Prometheus sees no pod of the component {component} that says it is ready.",
    )


def _pods() -> tuple[Alert, ...]:
    return (
        Alert(
            name="CakegatePodNotReady",
            expr="cakegate_ready{SCOPE} == 0 or up{SCOPE} == 0",
            lasting="15m",
            severity="warning",
            summary="a pod is not ready, or its metrics cannot be read",
            description="Pod {{ $labels.pod }} of the component {{ $labels.component }}, for 15 minutes.",
        ),
        Alert(
            name="CakegatePodRestarting",
            expr="changes(process_start_time_seconds{SCOPE}[30m]) > 3",
            lasting="0m",
            severity="warning",
            summary="a pod restarts again and again",
            description=(
                "Pod {{ $labels.pod }} of the component {{ $labels.component }} started {{ $value }} times in half an"
                " hour."
            ),
        ),
    )


def _scheduler() -> tuple[Alert, ...]:
    return (
        Alert(
            name="CakegateSchedulerWithoutLeader",
            expr="(sum(cakegate_scheduler_leader{SCOPE}) or vector(0)) == 0",
            lasting="5m",
            severity="critical",
            summary="no scheduler leads",
            description=(
                "Nobody brings back what was dropped: submissions of dead workers stay where they are, and no lost"
                " create is settled. The figures of queues and backlogs are missing too, and with them their alerts."
            ),
        ),
        Alert(
            name="CakegateSweeperStalled",
            expr=(
                "rate(cakegate_sweep_duration_seconds_count{SCOPE}[5m]) == 0"
                " and on (pod) cakegate_scheduler_leader{SCOPE} == 1"
            ),
            lasting="5m",
            severity="critical",
            summary="the scheduler leads but does nothing",
            description=(
                "Pod {{ $labels.pod }} has ended no round for ten minutes. The figures of queues and backlogs are old"
                " ones; what was dropped is not brought back."
            ),
        ),
    )


def _dependencies() -> tuple[Alert, ...]:
    return (
        Alert(
            name="CakegateDatabasePoolExhausted",
            expr=(
                "cakegate_database_pool_requests_waiting{SCOPE} > 0"
                " and cakegate_database_pool_connections_idle{SCOPE} == 0"
            ),
            lasting="5m",
            severity="warning",
            summary="work waits for connections to Postgres",
            description=(
                "{{ $value }} tasks of pod {{ $labels.pod }} wait for a connection, and none has been free for five"
                " minutes: Postgres is slow or away, or the pool is too small."
            ),
        ),
        Alert(
            name="CakegateRateLimitUnchecked",
            expr='sum(rate(cakegate_rate_limit_checks_total{SCOPE, outcome="unchecked"}[5m])) > 0',
            lasting="10m",
            severity="warning",
            summary="requests are let in without a look at their client's rate",
            description=(
                "{{ $value | humanize }} requests a second are not held against any limit, as Redis does not answer in"
                " time."
            ),
        ),
    )


def _volumes(volumes: Volumes) -> tuple[Alert, ...]:
    """By the kubelet's figures; some kinds of volumes have none, and then by what Postgres says of its database."""
    selector = f'{{namespace="{volumes.namespace}", persistentvolumeclaim=~"{volumes.claims}"}}'
    used = f"kubelet_volume_stats_used_bytes{selector} / kubelet_volume_stats_capacity_bytes{selector}"
    share = f"max by (persistentvolumeclaim) ({used})"
    if volumes.size_bytes:
        share = f"({share} or on () {held('cakegate_database_size_bytes')} / {volumes.size_bytes})"
    return tuple(
        Alert(
            name="CakegateDatabaseNearlyFull",
            expr=f"{share} > {full}",
            lasting=lasting,
            severity=severity,
            summary="the database's volume is nearly full",
            description=(
                "{{ $value | humanizePercentage }} of it is used"
                "{{ with $labels.persistentvolumeclaim }} (claim {{ . }}){{ end }}."
                " A full one stops Postgres, and with it the bakery."
            ),
        )
        for full, lasting, severity in _FULL
    )
