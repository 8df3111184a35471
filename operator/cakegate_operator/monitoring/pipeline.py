"""How the work gets on: queues, stages, leases, the legacy API, the database."""

from typing import Final

from cakegate_operator.monitoring import promql
from cakegate_operator.monitoring.panels import Dashboard, Panel, Query, Row, increases, quantiles, rates

#: As the contract's queues; a test compares them.
QUEUES: Final = ("judge", "create", "bulk")


def _queues(metric: str) -> tuple[Query, ...]:
    return tuple(Query(promql.held(metric, queue=each), each) for each in QUEUES)


def _stages(share: float) -> tuple[Query, ...]:
    return (Query(promql.quantile(share, "cakegate_stage_duration_seconds", "stage"), "{{stage}}"),)


_WORK: Final = Row(
    "Queues",
    (
        Panel(
            title="Waiting and running",
            about="By this workers are scaled.",
            queries=_queues("cakegate_queue_messages"),
        ),
        Panel(title="Waiting", queries=_queues("cakegate_queue_waiting_messages")),
        Panel(title="Wait of the first", queries=_queues("cakegate_queue_oldest_age_seconds"), unit="s"),
        Panel(
            title="Enqueues that failed, and what the sweeper put back",
            queries=(
                rates("cakegate_enqueue_failures_total", "queue", legend="{{queue}} failed"),
                rates("cakegate_requeued_total", "queue", legend="{{queue}} put back"),
            ),
            unit="reqps",
        ),
        Panel(
            title="Leases lost",
            queries=(
                increases("cakegate_leases_expired_total", "state", legend="{{state}} ran out"),
                increases("cakegate_leases_lost_total", "stage", legend="{{stage}} thrown away"),
            ),
        ),
        Panel(title="Runs that failed", queries=(increases("cakegate_flows_failed_total", "queue"),)),
    ),
)

_TIMES: Final = Row(
    "Stages",
    (
        Panel(title="Half take less than", queries=_stages(0.5), unit="s"),
        Panel(title="95% take less than", queries=_stages(0.95), unit="s"),
        Panel(title="Stages ended", queries=(rates("cakegate_stage_duration_seconds_count", "stage"),), unit="reqps"),
    ),
)

_UPSTREAM: Final = Row(
    "Legacy API",
    (
        Panel(
            title="Calls by outcome",
            queries=(rates("cakegate_upstream_calls_total", "operation", "outcome"),),
            unit="reqps",
            stacked=True,
        ),
        Panel(
            title="95% of calls take less than",
            queries=(
                Query(promql.quantile(0.95, "cakegate_upstream_call_duration_seconds", "operation"), "{{operation}}"),
            ),
            unit="s",
        ),
        Panel(
            title="Breaker of creates",
            about="1 for the state that it is in.",
            queries=tuple(
                Query(promql.held("cakegate_upstream_breaker", state=each), each)
                for each in ("closed", "half-open", "open")
            ),
            kind="state-timeline",
        ),
        Panel(
            title="Scans for lost creates",
            queries=(increases("cakegate_upstream_scans_total", "outcome"),),
            width=12,
        ),
        Panel(
            title="Doubles in a day",
            about="One submission, two cakes: must never happen.",
            queries=(increases("cakegate_upstream_doubles_total", over="1d", legend="doubles"),),
            kind="stat",
            above=0.5,
            width=12,
        ),
    ),
)

_DATABASE: Final = Row(
    "Postgres and scheduler",
    (
        Panel(
            title="Connections",
            queries=(
                Query("sum by (component) (cakegate_database_pool_connections{SCOPE})", "{{component}}"),
                Query("sum by (component) (cakegate_database_pool_connections_idle{SCOPE})", "{{component}} free"),
            ),
        ),
        Panel(
            title="Tasks that wait for a connection",
            queries=(Query("sum by (component) (cakegate_database_pool_requests_waiting{SCOPE})", "{{component}}"),),
        ),
        Panel(
            title="Size of the database",
            queries=(Query(promql.held("cakegate_database_size_bytes"), "without its log"),),
            unit="bytes",
        ),
        Panel(title="Round of the sweeper", queries=quantiles("cakegate_sweep_duration_seconds", 0.5, 0.95), unit="s"),
        Panel(
            title="Leader",
            queries=(Query("cakegate_scheduler_leader{SCOPE}", "{{pod}}"),),
            kind="state-timeline",
        ),
        Panel(
            title="News of ends, told to a gateway that waits or not",
            queries=(rates("cakegate_news_total", "told"),),
            unit="reqps",
        ),
    ),
)

PIPELINE: Final = Dashboard(slug="pipeline", title="Cakegate pipeline", rows=(_WORK, _TIMES, _UPSTREAM, _DATABASE))
