"""For each alert what sets it off, and what comes close and does not.

Series are in promtool's notation, with `SCOPE` as in rules: `a+bxn` is a value that grows by b, n times; `axn` one that
stays. There is a sample each minute.
"""

import msgspec

Series = dict[str, str]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """At `at` the alert fires on `breaks` and not on `holds`: once with `labels`, or as often as `expected` says."""

    alert: str
    breaks: Series
    holds: Series
    at: str
    severity: str = "warning"
    labels: dict[str, str] = {}
    expected: list[dict[str, str]] = []


#: What all gauges of the scheduler stand on.
LEADS = {'cakegate_scheduler_leader{SCOPE, pod="s-0"}': "1x200"}
FORMER = {'cakegate_scheduler_leader{SCOPE, pod="s-0"}': "0x200"}


def gauge(metric: str, value: str, **labels: str) -> Series:
    """One of the leading scheduler's, for as long as anybody looks."""
    chosen = "".join(f', {name}="{text}"' for name, text in labels.items())
    return {**LEADS, f'{metric}{{SCOPE, pod="s-0"{chosen}}}': f"{value}x200"}


def _requests(method: str, route: str, **rates: int) -> Series:
    """So many answers a minute of each status."""
    common = f'SCOPE, pod="g-0", method="{method}", route="{route}"'
    return {
        f'cakegate_http_requests_total{{{common}, status="{status[1:]}"}}': f"0+{rate}x200"
        for status, rate in rates.items()
    }


def _timed(method: str, route: str, *, le: str, within: int, all_: int) -> Series:
    common = f'SCOPE, pod="g-0", method="{method}", route="{route}"'
    name = "cakegate_http_request_duration_seconds"
    return {
        f'{name}_bucket{{{common}, le="{le}"}}': f"0+{within}x200",
        f"{name}_count{{{common}}}": f"0+{all_}x200",
    }


def _burns(alert: str, slug: str, breaks: Series, holds: Series) -> Case:
    """Where there is no history every window sees the same; `LONG` tells them apart."""
    expected = [
        {"slo": slug, "window": window, "severity": severity}
        for window, severity in (("1h", "critical"), ("6h", "critical"), ("1d", "warning"), ("3d", "warning"))
    ]
    return Case(alert=alert, breaks=breaks, holds=holds, at="90m", expected=expected)


OBJECTIVES = (
    # 2 % of submissions are not taken in: 20 times too many; that many bad ends are no concern of this promise.
    _burns(
        "CakegateSubmitErrors",
        "submit-errors",
        _requests("POST", "/api/cakes", s201=980, s503=20),
        _requests("POST", "/api/cakes", s201=980, s502=20),
    ),
    _burns(
        "CakegateReadErrors",
        "read-errors",
        _requests("GET", "/api/cakes", s200=80, s504=20),
        {**_requests("GET", "/api/cakes", s200=80, s404=20), **_requests("GET", "/healthz", s503=100)},
    ),
    _burns(
        "CakegateSubmitSlow",
        "submit-slow",
        _timed("POST", "/api/cakes", le="10.0", within=20, all_=100),
        _timed("POST", "/api/cakes", le="10.0", within=97, all_=100),
    ),
    _burns(
        "CakegateReadSlow",
        "read-slow",
        _timed("GET", "/api/cakes", le="1.0", within=20, all_=100),
        _timed("GET", "/api/cakes", le="1.0", within=97, all_=100),
    ),
)

WORK = (
    Case(
        alert="CakegateJudgeQueueOld",
        breaks=gauge("cakegate_queue_oldest_age_seconds", "45", queue="judge"),
        # what one scheduler saw before another became leader
        holds={**gauge("cakegate_queue_oldest_age_seconds", "45", queue="judge"), **FORMER},
        at="15m",
    ),
    Case(
        alert="CakegateCreateQueueOld",
        breaks=gauge("cakegate_queue_oldest_age_seconds", "300", queue="create"),
        holds=gauge("cakegate_queue_oldest_age_seconds", "90", queue="create"),
        at="15m",
    ),
    Case(
        alert="CakegateEnqueuesFailing",
        breaks={'cakegate_enqueue_failures_total{SCOPE, pod="g-0", queue="judge"}': "0+3x60"},
        holds={'cakegate_enqueue_failures_total{SCOPE, pod="g-0", queue="judge"}': "7x60"},
        at="20m",
    ),
    Case(
        alert="CakegateCreateBacklog",
        breaks=gauge("cakegate_submissions_oldest_age_seconds", "2400", state="accepted"),
        holds=gauge("cakegate_submissions_oldest_age_seconds", "2400", state="review"),
        at="10m",
    ),
    Case(
        alert="CakegateBacklogNearlyFull",
        breaks={
            **gauge("cakegate_submissions", "60000", state="pending"),
            **gauge("cakegate_submissions", "30000", state="accepted"),
        },
        holds={
            **gauge("cakegate_submissions", "60000", state="pending"),
            **gauge("cakegate_submissions", "10000", state="accepted"),
        },
        at="10m",
        severity="critical",
    ),
    Case(
        alert="CakegateUncertainBacklog",
        breaks=gauge("cakegate_submissions_oldest_age_seconds", "2400", state="uncertain"),
        holds=gauge("cakegate_submissions_oldest_age_seconds", "170", state="uncertain"),
        at="15m",
    ),
    Case(
        alert="CakegateReviewBacklog",
        breaks=gauge("cakegate_submissions_oldest_age_seconds", "90000", state="review"),
        holds=gauge("cakegate_submissions_oldest_age_seconds", "80000", state="review"),
        at="45m",
    ),
    Case(
        alert="CakegateDoubles",
        breaks={'cakegate_upstream_doubles_total{SCOPE, pod="s-0"}': "0x10 1x50"},
        holds={'cakegate_upstream_doubles_total{SCOPE, pod="s-0"}': "1x60"},
        at="20m",
        severity="critical",
    ),
    Case(
        alert="CakegateLeasesExpiring",
        breaks={'cakegate_leases_expired_total{SCOPE, pod="s-0", state="judging"}': "0+1x60"},
        holds={'cakegate_leases_expired_total{SCOPE, pod="s-0", state="judging"}': "0x30 3x30"},
        at="40m",
        labels={"state": "judging"},
    ),
    Case(
        alert="CakegateFlowsFailing",
        breaks={'cakegate_flows_failed_total{SCOPE, pod="w-0", queue="judge"}': "0x10 1x20"},
        holds={'cakegate_flows_failed_total{SCOPE, pod="w-0", queue="judge"}': "1x30"},
        at="12m",
        labels={"queue": "judge"},
    ),
    Case(
        alert="CakegateDecoderDeaths",
        breaks={'cakegate_decoder_deaths_total{SCOPE, pod="w-0"}': "0+1x90"},
        holds={'cakegate_decoder_deaths_total{SCOPE, pod="w-0"}': "0x30 3x60"},
        at="70m",
    ),
    Case(
        alert="CakegateFetchesFailing",
        breaks={
            'cakegate_fetches_total{SCOPE, pod="w-0", outcome="ok"}': "0+2x60",
            'cakegate_fetches_total{SCOPE, pod="w-0", outcome="PictureUnreachable"}': "0+5x60",
        },
        holds={
            'cakegate_fetches_total{SCOPE, pod="w-0", outcome="ok"}': "0+2x60",
            'cakegate_fetches_total{SCOPE, pod="w-0", outcome="PictureGone"}': "0+5x60",
        },
        at="30m",
    ),
)


def _drift(index: str, verdicts: str, *, against: str = "mix") -> Series:
    return {
        **gauge("cakegate_score_drift", index, model="starter", version="1", against=against),
        **gauge("cakegate_score_drift_verdicts", verdicts, model="starter", version="1"),
    }


PICTURES = (
    Case(
        alert="CakegateScoreDrift",
        breaks=_drift("0.4", "250"),
        # Of too few verdicts, of another mix of cakes and others, and somebody else's.
        holds={
            **_drift("0.4", "150"),
            **gauge("cakegate_score_drift", "0.9", model="starter", version="1", against="validation"),
            **gauge("cakegate_score_drift", "0.1", model="strict", version="2", against="mix"),
            **gauge("cakegate_score_drift_verdicts", "900", model="strict", version="2"),
        },
        at="70m",
        labels={"model": "starter", "version": "1"},
    ),
)

UPSTREAM = (
    Case(
        alert="CakegateUpstreamDown",
        breaks={
            'cakegate_upstream_calls_total{SCOPE, pod="g-0", operation="list", outcome="unreachable"}': "0+9x60",
            'cakegate_upstream_calls_total{SCOPE, pod="g-0", operation="list", outcome="ok"}': "0+3x60",
        },
        holds={
            'cakegate_upstream_calls_total{SCOPE, pod="g-0", operation="get", outcome="not-found"}': "0+9x60",
            'cakegate_upstream_calls_total{SCOPE, pod="g-0", operation="list", outcome="ok"}': "0+3x60",
        },
        at="10m",
        severity="critical",
    ),
    Case(
        alert="CakegateBreakerOpen",
        breaks=gauge("cakegate_upstream_breaker", "0", state="closed"),
        holds=gauge("cakegate_upstream_breaker", "1", state="closed"),
        at="10m",
    ),
)


def _ready(*components: str) -> Series:
    return {f'cakegate_ready{{SCOPE, pod="{each}-0", component="{each}"}}': "1x60" for each in components}


PROCESSES = (
    Case(
        alert="CakegateComponentDown",
        breaks=_ready("worker", "writer", "scheduler"),
        holds=_ready("gateway", "worker", "writer", "scheduler"),
        at="10m",
        severity="critical",
        labels={"component": "gateway"},
    ),
    Case(
        alert="CakegateComponentDown",
        breaks=_ready("gateway", "worker", "scheduler"),
        holds=_ready("gateway", "worker", "writer", "scheduler"),
        at="15m",
        labels={"component": "writer"},
    ),
    Case(
        alert="CakegatePodNotReady",
        breaks={'cakegate_ready{SCOPE, pod="w-0", component="worker"}': "0x60"},
        holds={'cakegate_ready{SCOPE, pod="w-0", component="worker"}': "0x10 1x50"},
        at="20m",
        labels={"pod": "w-0", "component": "worker"},
    ),
    Case(
        alert="CakegatePodNotReady",
        breaks={'up{SCOPE, pod="w-0", component="worker"}': "0x60"},
        holds={'up{SCOPE, pod="w-0", component="worker"}': "1x60"},
        at="20m",
        labels={"pod": "w-0", "component": "worker"},
    ),
    Case(
        alert="CakegatePodRestarting",
        breaks={'process_start_time_seconds{SCOPE, pod="w-0", component="worker"}': "1x5 2x5 3x5 4x5 5x5"},
        holds={'process_start_time_seconds{SCOPE, pod="w-0", component="worker"}': "1x10 2x20"},
        at="26m",
        labels={"pod": "w-0", "component": "worker"},
    ),
    Case(
        alert="CakegateSchedulerWithoutLeader",
        breaks=FORMER,
        holds={**FORMER, 'cakegate_scheduler_leader{SCOPE, pod="s-1"}': "1x60"},
        at="10m",
        severity="critical",
    ),
    Case(
        alert="CakegateSweeperStalled",
        breaks={**LEADS, 'cakegate_sweep_duration_seconds_count{SCOPE, pod="s-0"}': "500x60"},
        holds={**LEADS, 'cakegate_sweep_duration_seconds_count{SCOPE, pod="s-0"}': "500+50x60"},
        at="15m",
        severity="critical",
        labels={"pod": "s-0"},
    ),
    Case(
        alert="CakegateDatabasePoolExhausted",
        breaks={
            'cakegate_database_pool_requests_waiting{SCOPE, pod="g-0", component="gateway"}': "4x60",
            'cakegate_database_pool_connections_idle{SCOPE, pod="g-0", component="gateway"}': "0x60",
        },
        holds={
            'cakegate_database_pool_requests_waiting{SCOPE, pod="g-0", component="gateway"}': "4x60",
            'cakegate_database_pool_connections_idle{SCOPE, pod="g-0", component="gateway"}': "1x60",
        },
        at="10m",
        labels={"pod": "g-0", "component": "gateway"},
    ),
    Case(
        alert="CakegateRateLimitUnchecked",
        breaks={'cakegate_rate_limit_checks_total{SCOPE, pod="g-0", policy="read", outcome="unchecked"}': "0+9x60"},
        holds={'cakegate_rate_limit_checks_total{SCOPE, pod="g-0", policy="read", outcome="refused"}': "0+9x60"},
        at="20m",
    ),
)


def _volume(used: str, claim: str) -> Series:
    labels = f'namespace="shop", persistentvolumeclaim="{claim}"'
    return {
        f"kubelet_volume_stats_used_bytes{{{labels}}}": f"{used}x60",
        f"kubelet_volume_stats_capacity_bytes{{{labels}}}": "1000x60",
    }


DATABASE = tuple(
    Case(
        alert="CakegateDatabaseNearlyFull",
        breaks=_volume(used, "data-demo-postgres-0"),
        holds=_volume("990", "data-x-demo-postgres-0"),
        at="10m" if severity == "critical" else "20m",
        severity=severity,
        labels={"persistentvolumeclaim": "data-demo-postgres-0"},
    )
    for used, severity in (("850", "warning"), ("970", "critical"))
)

# No figures of the kubelet's: the database against the 10 GiB that the resource asks for.
SIZE = (
    Case(
        alert="CakegateDatabaseNearlyFull",
        breaks=gauge("cakegate_database_size_bytes", "9000000000"),
        holds={**gauge("cakegate_database_size_bytes", "9000000000"), **_volume("300", "data-demo-postgres-0")},
        at="20m",
    ),
)

BAKERY = (*OBJECTIVES, *WORK, *PICTURES, *UPSTREAM, *PROCESSES, *DATABASE, *SIZE)


def _condition(kind: str, value: int) -> Series:
    labels = f'SCOPE, pod="o-0", namespace="shop", bakery="demo", type="{kind}"'
    return {f"cakegate_operator_condition{{{labels}}}": f"{value}x60"}


_WHOSE = {"namespace": "shop", "bakery": "demo"}

OPERATOR = (
    Case(
        alert="CakegateOperatorWithoutLeader",
        breaks={'cakegate_operator_is_leader{SCOPE, pod="o-0"}': "0x60"},
        holds={
            'cakegate_operator_is_leader{SCOPE, pod="o-0"}': "0x60",
            'cakegate_operator_is_leader{SCOPE, pod="o-1"}': "1x60",
        },
        at="10m",
        severity="critical",
    ),
    Case(
        alert="CakegateOperatorReconcileErrors",
        breaks={'cakegate_operator_reconcile_errors_total{SCOPE, pod="o-0", error="Refused"}': "0+1x90"},
        holds={'cakegate_operator_reconcile_errors_total{SCOPE, pod="o-0", error="Refused"}': "0x30 1x60"},
        at="40m",
        labels={"error": "Refused"},
    ),
    Case(
        alert="CakegateOperatorSlow",
        breaks={
            'cakegate_operator_reconcile_duration_seconds_bucket{SCOPE, pod="o-0", le="10.0"}': "0+1x90",
            'cakegate_operator_reconcile_duration_seconds_bucket{SCOPE, pod="o-0", le="60.0"}': "0+9x90",
            'cakegate_operator_reconcile_duration_seconds_bucket{SCOPE, pod="o-0", le="+Inf"}': "0+9x90",
        },
        holds={
            'cakegate_operator_reconcile_duration_seconds_bucket{SCOPE, pod="o-0", le="10.0"}': "0+9x90",
            'cakegate_operator_reconcile_duration_seconds_bucket{SCOPE, pod="o-0", le="60.0"}': "0+9x90",
            'cakegate_operator_reconcile_duration_seconds_bucket{SCOPE, pod="o-0", le="+Inf"}': "0+9x90",
        },
        at="45m",
    ),
    Case(
        alert="CakegateBakeryNotReady",
        breaks=_condition("Ready", -1),
        holds=_condition("Ready", 1),
        at="20m",
        severity="critical",
        labels=_WHOSE,
    ),
    Case(
        alert="CakegateBakeryStalled",
        breaks=_condition("Stalled", 1),
        holds=_condition("Stalled", 0),
        at="10m",
        labels=_WHOSE,
    ),
)


def fired(case: Case) -> list[dict[str, str]]:
    """The labels of what fires, besides those that all have."""
    return case.expected or [{**case.labels, "severity": case.severity}]
