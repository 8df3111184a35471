"""All metrics of all processes, and the port they are read from. The home of prometheus_client.

Labels are bounded: route templates, not paths; the methods of HTTP, not what a client makes up; model names from packs
that an operator installed.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Final
from wsgiref.simple_server import WSGIServer

import prometheus_client
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

import cakegate
from cakegate import contract, settings
from cakegate.domain import drift, verdicts
from cakegate.domain.submissions import State

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_STAGE_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)

BUILD_INFO: Final = Gauge("cakegate_build_info", "Which version runs, as which process.", ["version", "process"])
READY: Final = Gauge("cakegate_ready", "Whether this process says that it is ready.")

REQUESTS: Final = Counter("cakegate_http_requests_total", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS: Final = Histogram(
    "cakegate_http_request_duration_seconds",
    "Time to the end of the answer.",
    ["method", "route"],
    buckets=_REQUEST_BUCKETS,
)
REQUESTS_IN_FLIGHT: Final = Gauge("cakegate_http_requests_in_flight", "Requests being answered.")
RATE_LIMIT_CHECKS: Final = Counter(
    "cakegate_rate_limit_checks_total",
    "Requests held against a client's rate: allowed, refused, or let in unchecked while Redis was away.",
    ["policy", "outcome"],
)
WAITERS: Final = Gauge("cakegate_waiters", "Requests that wait for their submission's end.")

ACCEPTED: Final = Counter("cakegate_submissions_accepted_total", "Submissions taken in.", ["source"])
TRANSITIONS: Final = Counter("cakegate_submission_transitions_total", "Steps of submissions.", ["target", "reason"])
SUBMISSIONS: Final = Gauge("cakegate_submissions", "Submissions in each open state.", ["state"])
OLDEST_SECONDS: Final = Gauge(
    "cakegate_submissions_oldest_age_seconds", "Age of the oldest in each open state.", ["state"]
)
STAGE_SECONDS: Final = Histogram(
    "cakegate_stage_duration_seconds", "Time of each stage of a submission.", ["stage"], buckets=_STAGE_BUCKETS
)

QUEUE_MESSAGES: Final = Gauge("cakegate_queue_messages", "Messages of a queue, waiting and running.", ["queue"])
QUEUE_WAITING: Final = Gauge("cakegate_queue_waiting_messages", "Messages of a queue that nobody holds.", ["queue"])
QUEUE_OLDEST_SECONDS: Final = Gauge("cakegate_queue_oldest_age_seconds", "Age of the first that waits.", ["queue"])
ENQUEUE_FAILURES: Final = Counter("cakegate_enqueue_failures_total", "Enqueues left to the sweeper.", ["queue"])
REQUEUED: Final = Counter("cakegate_requeued_total", "Submissions that the sweeper put on a queue.", ["queue"])
LEASES_EXPIRED: Final = Counter("cakegate_leases_expired_total", "Leases that ran out.", ["state"])
LEASES_LOST: Final = Counter("cakegate_leases_lost_total", "Results thrown away because the lease was lost.", ["stage"])
FLOWS_FAILED: Final = Counter("cakegate_flows_failed_total", "Runs that ended in an error nobody expected.", ["queue"])
LEADER: Final = Gauge("cakegate_scheduler_leader", "Whether this scheduler leads.")
DATABASE_BYTES: Final = Gauge("cakegate_database_size_bytes", "Size of our database, as the leader sees it.")
SWEEP_SECONDS: Final = Histogram("cakegate_sweep_duration_seconds", "Time of a round of the sweeper.")

UPSTREAM_CALLS: Final = Counter("cakegate_upstream_calls_total", "Calls of the legacy API.", ["operation", "outcome"])
UPSTREAM_SECONDS: Final = Histogram(
    "cakegate_upstream_call_duration_seconds",
    "Time of calls of the legacy API.",
    ["operation"],
    buckets=_REQUEST_BUCKETS,
)
DOUBLES: Final = Counter("cakegate_upstream_doubles_total", "Cakes found upstream with a marker that another has.")
MARKERS_LOST: Final = Counter(
    "cakegate_upstream_markers_lost_total", "Creates whose answer did not carry their marker."
)
SCANS: Final = Counter("cakegate_upstream_scans_total", "Scans of the legacy API's list for lost creates.", ["outcome"])
BREAKER: Final = Gauge("cakegate_upstream_breaker", "1 for the state that the breaker of creates is in.", ["state"])

VERDICTS: Final = Counter("cakegate_verdicts_total", "Verdicts.", ["model", "version", "role", "decision"])
SCORES: Final = Histogram(
    "cakegate_verdict_score", "Scores.", ["model", "version", "role"], buckets=[step / 20 for step in range(1, 21)]
)
SHADOWED: Final = Counter(
    "cakegate_shadow_verdicts_total",
    "Pictures judged by both models, by what each decides.",
    ["primary", "shadow"],
)
SHADOW_FAILURES: Final = Counter("cakegate_shadow_failures_total", "Pictures that a shadow could not judge.")
DRIFT: Final = Gauge(
    "cakegate_score_drift",
    "Population stability index of the latest scores against the validation pictures, as they were or best mixed.",
    ["model", "version", "against"],
)
DRIFT_VERDICTS: Final = Gauge(
    "cakegate_score_drift_verdicts", "Verdicts that it was measured on.", ["model", "version"]
)
SAMPLED: Final = Counter("cakegate_sampled_total", "Accepted pictures that people shall see.", ["model", "version"])
SAMPLES: Final = Gauge(
    "cakegate_samples",
    "Pictures sampled in the last 30 days, by what people say of them: cake, not-cake, or unseen.",
    ["model", "version", "opinion"],
)
FETCHES: Final = Counter("cakegate_fetches_total", "Pictures fetched.", ["outcome"])
FETCHED_BYTES: Final = Counter("cakegate_fetched_bytes_total", "Bytes of pictures fetched.")
DECODER_DEATHS: Final = Counter("cakegate_decoder_deaths_total", "Decoding children that died holding a picture.")
RENDITIONS: Final = Counter("cakegate_renditions_total", "Renditions stored.", ["preset", "format"])
NEWS: Final = Counter("cakegate_news_total", "News of submissions posted to gateways.", ["told"])


# A series that begins with its first failure shows no rise: those that alerts stand on begin at 0.
for _queue in contract.QUEUES:
    ENQUEUE_FAILURES.labels(_queue)
    FLOWS_FAILED.labels(_queue)
for _state in (State.JUDGING, State.CREATING):
    LEASES_EXPIRED.labels(_state.value)
# A share of them is a sum over some, which is nothing where one of those is missing.
for _primary in verdicts.Decision:
    for _shadow in verdicts.Decision:
        SHADOWED.labels(_primary.value, _shadow.value)


def method_label(method: str) -> str:
    """The method, or `OTHER` for what no route has."""
    return method if method in _METHODS else "OTHER"


@contextmanager
def stage(name: str, timings: dict[str, float] | None = None) -> Iterator[None]:
    """Time a stage: into the histogram, and in milliseconds into `timings`."""
    started = perf_counter()
    try:
        yield
    finally:
        seconds = perf_counter() - started
        STAGE_SECONDS.labels(name).observe(seconds)
        if timings is not None:
            timings[name] = round(seconds * 1000, 3)


def observe_standings(standings: Mapping[State, Any]) -> None:
    """Set the gauges of open states; one that holds nothing is 0, not absent."""
    for state in State:
        if state in {State.CREATED, State.REJECTED, State.FAILED}:
            continue
        found = standings.get(state)
        SUBMISSIONS.labels(state.value).set(found.count if found else 0)
        OLDEST_SECONDS.labels(state.value).set(found.oldest_seconds if found else 0)


def observe_samples(counts: Iterable[Any]) -> None:
    """Set the gauges of samples; of a model that has any, an opinion that nobody holds is 0, not absent."""
    found: dict[tuple[str, str, str], int] = {}
    for each in counts:
        for opinion in ("cake", "not-cake", "unseen"):
            found.setdefault((each.model_name, each.model_version, opinion), 0)
        found[each.model_name, each.model_version, each.opinion or "unseen"] = each.count
    known = {tuple(sample.labels.values()) for metric in SAMPLES.collect() for sample in metric.samples}
    for gone in known - found.keys():
        SAMPLES.remove(*gone)
    for labels, count in found.items():
        SAMPLES.labels(*labels).set(count)


def observe_queues(depths: Mapping[str, Any]) -> None:
    """Set the gauges of queues."""
    for name, depth in depths.items():
        QUEUE_MESSAGES.labels(name).set(depth.total)
        QUEUE_WAITING.labels(name).set(depth.waiting)
        QUEUE_OLDEST_SECONDS.labels(name).set(depth.oldest_seconds)


def observe_breaker(current: str) -> None:
    """Set the breaker's gauges."""
    for state in ("closed", "open", "half-open"):
        BREAKER.labels(state).set(state == current)


_drifting: set[tuple[str, str]] = set()


def observe_drifts(drifts: Mapping[verdicts.Model, drift.Drift]) -> None:
    """Set the gauges of drift; a model that judges no more is gone from them, and the others never are for a moment."""
    for model, found in drifts.items():
        DRIFT.labels(model.name, model.version, "validation").set(found.validation)
        DRIFT.labels(model.name, model.version, "mix").set(found.mixed)
        DRIFT_VERDICTS.labels(model.name, model.version).set(found.verdicts)
    present = {(model.name, model.version) for model in drifts}
    for name, version in _drifting - present:
        DRIFT.remove(name, version, "validation")
        DRIFT.remove(name, version, "mix")
        DRIFT_VERDICTS.remove(name, version)
    _drifting.clear()
    _drifting.update(present)


class _Pools(Collector):
    """psycopg_pool's figures, read when Prometheus asks; of all pools together where a process has more than one."""

    def __init__(self) -> None:
        self.watched: list[Callable[[], Mapping[str, int]]] = []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        stats = [read() for read in self.watched]
        for name, key, text in (
            ("connections", "pool_size", "Connections to Postgres."),
            ("connections_idle", "pool_available", "Connections to Postgres that are free."),
            ("requests_waiting", "requests_waiting", "Tasks that wait for a connection to Postgres."),
        ):
            total = sum(each.get(key, 0) for each in stats)
            yield GaugeMetricFamily(f"cakegate_database_pool_{name}", text, value=total)


_pools: Final = _Pools()
prometheus_client.REGISTRY.register(_pools)


def watch_pool(stats: Callable[[], Mapping[str, int]]) -> Callable[[], None]:
    """Report a pool's figures; returns what ends that."""
    _pools.watched.append(stats)
    return lambda: _pools.watched.remove(stats)


class Server:
    """The metrics port, served by a thread."""

    def __init__(self, server: WSGIServer, thread: threading.Thread) -> None:
        self._server = server
        self._thread = thread
        self.port: int = server.server_port

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve(group: settings.Telemetry, *, process: str) -> Server:
    """Listen on the metrics port. Raises `OSError` where that is taken."""
    BUILD_INFO.labels(cakegate.__version__, process).set(1)
    return Server(*prometheus_client.start_http_server(group.metrics_port, addr=group.host))
