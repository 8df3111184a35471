"""What clients are promised, as figures over 30 days, and alerts that tell when the promise is being used up too fast.

An objective leaves a budget: of 99.9 % one request in a thousand. The burn rate says how many times faster than allowed
it is spent. Pairs of windows, after the workbook on site reliability (https://sre.google/workbook/alerting-on-slos/,
table 5-8): the long one says that it matters, the short one that it still goes on.

Errors and totals are recorded as rates of five minutes; longer windows are averages of those, which costs Prometheus
two series a window, however many pods and routes there are.
"""

from typing import Final

import msgspec

from cakegate_operator.monitoring import promql
from cakegate_operator.monitoring.rules import Alert, Group, Record, Severity


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """A share of requests that must be good. `bad` and `total` are rates of five minutes."""

    slug: str
    alert: str
    goal: float
    promise: str
    total: str
    bad: str


class Burn(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a budget may not be spent, seen in a long and a short window."""

    rate: float
    long: str
    short: str
    lasting: str
    severity: Severity


_SUBMITTING: Final = 'method="POST", route="/api/cakes"'
_READING: Final = 'method=~"GET|HEAD", route=~"/api/.*"'


def _requests(where: str, statuses: str) -> str:
    return promql.rate("cakegate_http_requests_total", where=f"{where}, {statuses}", over="5m")


def _slower(where: str, seconds: str) -> tuple[str, str]:
    """Rates of requests that took longer than a bucket of the histogram, and of all."""
    total = promql.rate("cakegate_http_request_duration_seconds_count", where=where, over="5m")
    bucket = f'{where}, le="{seconds}"'
    return f"{total} - {promql.rate('cakegate_http_request_duration_seconds_bucket', where=bucket, over='5m')}", total


def _or_none(bad: str, total: str) -> str:
    """Without any failure there is no series to sum: that is 0, as long as there are requests at all."""
    return f"{bad} or {total} * 0"


# What was refused for its number (429) is neither good nor bad: a flood must not hide what happens to the others.
_SUBMITTED: Final = _requests(_SUBMITTING, 'status!="429"')
# 502 says that a submission came to a bad end (its picture, the upstream's refusal), not that it was not taken in.
_NOT_TAKEN_IN: Final = _requests(_SUBMITTING, 'status=~"5..", status!="502"')
_READ: Final = _requests(_READING, 'status!="429"')
_NOT_READ: Final = _requests(_READING, 'status=~"5.."')
_SUBMITTED_LATE, _SUBMITTED_TIMED = _slower(_SUBMITTING, "10.0")
_READ_LATE, _READ_TIMED = _slower(_READING, "1.0")

OBJECTIVES: Final = (
    Objective(
        slug="submit-errors",
        alert="CakegateSubmitErrors",
        goal=0.999,
        promise="99.9 % of submissions are taken in",
        total=_SUBMITTED,
        bad=_or_none(_NOT_TAKEN_IN, _SUBMITTED),
    ),
    Objective(
        slug="submit-slow",
        alert="CakegateSubmitSlow",
        goal=0.95,
        promise="95 % of submissions are answered within 10 s",
        total=_SUBMITTED_TIMED,
        bad=_SUBMITTED_LATE,
    ),
    Objective(
        slug="read-errors",
        alert="CakegateReadErrors",
        goal=0.99,
        promise="99 % of reads get no 5xx",
        total=_READ,
        bad=_or_none(_NOT_READ, _READ),
    ),
    Objective(
        slug="read-slow",
        alert="CakegateReadSlow",
        goal=0.95,
        promise="95 % of reads are answered within 1 s",
        total=_READ_TIMED,
        bad=_READ_LATE,
    ),
)

BURNS: Final = (
    Burn(rate=14.4, long="1h", short="5m", lasting="2m", severity="critical"),
    Burn(rate=6, long="6h", short="30m", lasting="5m", severity="critical"),
    Burn(rate=3, long="1d", short="2h", lasting="15m", severity="warning"),
    Burn(rate=1, long="3d", short="6h", lasting="1h", severity="warning"),
)

#: With little traffic one failure is a large share: below so many in the long window nobody is woken.
LEAST_FAILURES: Final = 5
#: How often rates are recorded: so many seconds each of them stands for, when failures are counted.
EVERY_SECONDS: Final = 60

RECORDED: Final = "5m"
BAD: Final = f"cakegate:slo_bad:rate{RECORDED}"
TOTAL: Final = f"cakegate:slo_total:rate{RECORDED}"


def ratio(window: str) -> str:
    """The name of the recorded share of bad requests over a window."""
    return f"cakegate:slo_bad:ratio_rate{window}"


def groups() -> tuple[Group, ...]:
    """One group for each objective: what is recorded first, as the alerts stand on it."""
    return tuple(
        Group(
            name=f"cakegate-{each.slug}",
            every_seconds=EVERY_SECONDS,
            rules=(*_records(each), *(_alert(each, burn) for burn in BURNS)),
        )
        for each in OBJECTIVES
    )


def _records(objective: Objective) -> tuple[Record, ...]:
    labels = {"slo": objective.slug}
    windows = sorted({window for burn in BURNS for window in (burn.long, burn.short)})
    return (
        Record(name=BAD, expr=objective.bad, labels=labels),
        Record(name=TOTAL, expr=objective.total, labels=labels),
        *(
            Record(
                name=ratio(window),
                expr=f"{_over(window, BAD, objective)} / {_over(window, TOTAL, objective)}",
                labels=labels,
            )
            for window in windows
        ),
    )


def _over(window: str, series: str, objective: Objective) -> str:
    """A recorded rate over a window; it is one of five minutes already."""
    recorded = f'{series}{{SCOPE, slo="{objective.slug}"}}'
    return recorded if window == RECORDED else f"avg_over_time({recorded}[{window}])"


def _alert(objective: Objective, burn: Burn) -> Alert:
    selector = f'{{SCOPE, slo="{objective.slug}"}}'
    limit = f"{burn.rate * (1 - objective.goal):.6g}"
    return Alert(
        name=objective.alert,
        expr=(
            f"{ratio(burn.long)}{selector} > {limit}"
            f" and {ratio(burn.short)}{selector} > {limit}"
            f" and sum_over_time({BAD}{selector}[{burn.long}]) * {EVERY_SECONDS} > {LEAST_FAILURES}"
        ),
        lasting=burn.lasting,
        severity=burn.severity,
        labels={"slo": objective.slug, "window": burn.long},
        summary=f"the promise that {objective.promise} is in danger",
        description=(
            f"{{{{ $value | humanizePercentage }}}} of requests in {burn.long} broke the promise that"
            f" {objective.promise}: its budget for 30 days is used up {burn.rate:g} times too fast, or faster."
        ),
    )
