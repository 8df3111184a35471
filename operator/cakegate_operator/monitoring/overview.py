"""How a bakery does: what clients get, and how submissions end."""

from typing import Final

from cakegate_operator.monitoring import promql
from cakegate_operator.monitoring.objectives import BAD, OBJECTIVES, TOTAL, Objective
from cakegate_operator.monitoring.panels import Dashboard, Panel, Query, Row, quantiles, rates

_API: Final = 'route=~"/api/.*"'
#: As the domain's states that are no ends; a test compares them.
OPEN: Final = ("pending", "judging", "review", "accepted", "creating", "uncertain")


def _left(objective: Objective) -> str:
    """The share of the budget of 30 days that is left."""
    selector = f'{{SCOPE, slo="{objective.slug}"}}[30d]'
    return f"1 - avg_over_time({BAD}{selector}) / avg_over_time({TOTAL}{selector}) / {1 - objective.goal:.6g}"


_PROMISES: Final = Row(
    "Promises",
    tuple(
        Panel(
            title=each.promise,
            about="How much of its budget of 30 days is left; below 0 the promise is broken.",
            queries=(Query(_left(each)),),
            kind="stat",
            unit="percentunit",
            width=6,
            height=4,
            below=0,
        )
        for each in OBJECTIVES
    ),
)

_FAILED: Final = promql.rate("cakegate_http_requests_total", "method", "route", where=f'{_API}, status=~"5.."')
_ALL: Final = promql.rate("cakegate_http_requests_total", "method", "route", where=_API)
_SECONDS: Final = "cakegate_http_request_duration_seconds"

_REQUESTS: Final = Row(
    "Requests",
    (
        Panel(
            title="Requests by route",
            queries=(Query(_ALL, "{{method}} {{route}}"),),
            unit="reqps",
            stacked=True,
        ),
        Panel(
            title="Answers by status",
            queries=(rates("cakegate_http_requests_total", "status", where=_API),),
            unit="reqps",
            stacked=True,
        ),
        Panel(
            title="Share of 5xx",
            queries=(Query(f"{_FAILED} / {_ALL}", "{{method}} {{route}}"),),
            unit="percentunit",
        ),
        Panel(
            title="Time to answer a read",
            queries=quantiles(_SECONDS, 0.5, 0.95, 0.99, where=f'{_API}, method=~"GET|HEAD"'),
            unit="s",
        ),
        Panel(
            title="Time to answer a submission",
            about="It waits for its end, ten seconds unless the client says otherwise.",
            queries=quantiles(_SECONDS, 0.5, 0.95, 0.99, where='method="POST", route="/api/cakes"'),
            unit="s",
        ),
        Panel(
            title="Being answered, and waiting for an end",
            queries=(
                Query("sum(cakegate_http_requests_in_flight{SCOPE})", "being answered"),
                Query("sum(cakegate_waiters{SCOPE})", "of these waiting for their submission"),
            ),
        ),
        Panel(
            title="Rate limits",
            queries=(rates("cakegate_rate_limit_checks_total", "policy", "outcome"),),
            unit="reqps",
        ),
    ),
)

_SUBMISSIONS: Final = Row(
    "Submissions",
    (
        Panel(title="Taken in", queries=(rates("cakegate_submissions_accepted_total", "source"),), unit="reqps"),
        Panel(
            title="Steps",
            about="Each is counted by the process that took it.",
            queries=(rates("cakegate_submission_transitions_total", "target", "reason"),),
            unit="reqps",
            stacked=True,
        ),
        Panel(
            title="Open",
            queries=tuple(Query(promql.held("cakegate_submissions", state=each), each) for each in OPEN),
            stacked=True,
        ),
        Panel(
            title="Age of the oldest",
            queries=tuple(
                Query(promql.held("cakegate_submissions_oldest_age_seconds", state=each), each) for each in OPEN
            ),
            unit="s",
        ),
    ),
)

_PODS: Final = Row(
    "Pods",
    (
        Panel(title="Ready", queries=(Query("sum by (component) (cakegate_ready{SCOPE})", "{{component}}"),)),
        Panel(
            title="Versions",
            queries=(Query("count by (process, version) (cakegate_build_info{SCOPE})", "{{process}} {{version}}"),),
        ),
        Panel(
            title="Starts in an hour",
            queries=(Query("sum by (component) (changes(process_start_time_seconds{SCOPE}[1h]))", "{{component}}"),),
        ),
        Panel(
            title="Memory", queries=(Query("process_resident_memory_bytes{SCOPE}", "{{pod}}"),), unit="bytes", width=12
        ),
        Panel(title="Processors", queries=(rates("process_cpu_seconds_total", "pod"),), width=12),
    ),
)

OVERVIEW: Final = Dashboard(slug="overview", title="Cakegate", rows=(_PROMISES, _REQUESTS, _SUBMISSIONS, _PODS))
