"""How a bakery stands: ordered checks, each a pure function from what was seen to one verdict.

`Ready` is the summary: the first gating check that does not hold lends it its reason and message. `Reconciling` and
`Stalled` are there only while they hold, as kstatus wants it: work is under way, or a person is needed.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from cakegate_operator import exposed, names, reasons, scaled, serving
from cakegate_operator.inputs import CLOUD_NATIVE_PG, Inputs, Object
from cakegate_operator.kinds import Key
from cakegate_operator.seen import Outcome, Problem, Seen, condition_of, dig
from cakegate_operator.statuses import Condition
from cakegate_operator.verdicts import Verdict, no, unknown, yes

#: Reasons that a person must do something about: waiting does not help.
STALLING: Final = frozenset(
    {
        reasons.INVALID_SPEC,
        reasons.SECRET_NOT_FOUND,
        reasons.SECRET_KEY_NOT_FOUND,
        reasons.INVALID_SECRET,
        reasons.CREDENTIAL_LOST,
        reasons.RESOURCE_CONFLICT,
        reasons.APPLY_REFUSED,
        reasons.APPLY_DENIED,
        reasons.MIGRATION_FAILED,
        reasons.ROLLOUT_STUCK,
        reasons.CRD_NOT_INSTALLED,
        reasons.NOT_ACCEPTED,
    }
)
#: Conditions that `Ready` does not look at.
NOT_GATING: Final = frozenset(
    {"AutoscalingActive", "MonitoringConfigured", "UpstreamReachable", "ConnectionsSuffice", "Paused"}
)
#: Conditions about changes that are under way: while all else holds, the bakery is ready all the same.
TRANSIENT: Final = frozenset({"ObjectsApplied", "MigrationsApplied"})
#: They say that something else is waited for, which has a condition of its own: what that says is said first.
_WAITS: Final = frozenset({reasons.WAITING_FOR_DATABASE, reasons.WAITING_FOR_MIGRATION, reasons.NOT_CREATED})
_LONGEST: Final = 1024


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """All that checks may look at."""

    seen: Seen
    inputs: Inputs
    outcome: Outcome


def judged(case: Case) -> list[Verdict]:
    """All conditions of a bakery whose spec was understood, the summary first."""
    found = [verdict for check in CHECKS if (verdict := check(case)) is not None]
    return [*_summary(found, rolling=serving.rolling(case.seen)), *found]


def held(problem: Problem) -> list[Verdict]:
    """All that can be said of a bakery of which nothing more could be learnt."""
    return [no("Ready", problem.reason, problem.message), yes("Stalled", problem.reason, problem.message)]


def dated(verdicts: list[Verdict], before: list[Condition] | None, *, now: str, generation: int) -> list[Condition]:
    """Verdicts as conditions: one whose status did not change keeps its time."""
    since = {(each.type, each.status): each.last_transition_time for each in before or []}
    return [
        Condition(
            type=each.type,
            status=each.status,
            reason=each.reason,
            message=each.message[:_LONGEST],
            last_transition_time=since.get((each.type, each.status), now),
            observed_generation=generation,
        )
        for each in sorted(verdicts, key=lambda each: each.type)
    ]


def _summary(found: list[Verdict], *, rolling: Problem | None) -> list[Verdict]:
    gating = [each for each in found if each.type not in NOT_GATING]
    failing = sorted((each for each in gating if each.status != "True" and each.reason != reasons.PAUSED), key=_urgency)
    stuck = next((each for each in failing if each.reason in STALLING), None)
    if rolling and rolling.reason in STALLING and stuck is None:
        stuck = no("Ready", rolling.reason, rolling.message)
    if stuck:
        return [no("Ready", stuck.reason, stuck.message), yes("Stalled", stuck.reason, stuck.message)]
    if any(each.type not in TRANSIENT for each in failing):
        worst = failing[0]
        return [no("Ready", worst.reason, worst.message), yes("Reconciling", worst.reason, worst.message)]
    ready = yes("Ready", reasons.AVAILABLE, "the bakery serves")
    if failing:
        # A migration before an upgrade: what serves goes on serving.
        rolling = Problem(reason=failing[0].reason, message=failing[0].message)
    return [ready, yes("Reconciling", rolling.reason, rolling.message)] if rolling else [ready]


def _urgency(verdict: Verdict) -> int:
    """What a person must mend is said before what only takes time, and that before what merely waits for it.

    Among equals the order of the checks stands: what others need comes before those who need it.
    """
    return 0 if verdict.reason in STALLING else 2 if verdict.reason in _WAITS else 1


# The checks


def _references(case: Case) -> Verdict:
    if case.outcome.missing:
        first = case.outcome.missing[0]
        return no("ReferencesResolved", first.reason, "; ".join(each.message for each in case.outcome.missing))
    return yes("ReferencesResolved", reasons.RESOLVED, "all Secrets and keys are there")


def _objects(case: Case) -> Verdict:
    if case.outcome.refused:
        first = case.outcome.refused[0]
        return no("ObjectsApplied", first.reason, "; ".join(each.message for each in case.outcome.refused))
    if case.outcome.complete:
        return yes("ObjectsApplied", reasons.APPLIED, "all objects are as wanted")
    waiting = case.outcome.waiting or Problem(reason=reasons.PAUSED, message="the bakery is paused")
    return unknown("ObjectsApplied", waiting.reason, waiting.message)


def _database(case: Case) -> Verdict:
    database = case.inputs.bakery.spec.database
    if database.url_secret_ref:
        return yes("DatabaseReady", reasons.EXTERNAL, "a server of yours; gateways and workers report on it")
    if database.managed:
        return _stateful("DatabaseReady", names.POSTGRES, case)
    cluster = case.seen.child("Cluster", names.POSTGRES)
    if cluster is None and CLOUD_NATIVE_PG not in case.inputs.facts.apis:
        return exposed.absent("DatabaseReady", case.inputs, CLOUD_NATIVE_PG, "CloudNativePG")
    ready = condition_of(cluster, "Ready")
    if ready and ready["status"] == "True":
        return yes("DatabaseReady", reasons.AVAILABLE, "CloudNativePG says that its Cluster is ready")
    said = ready["message"] if ready else dig(cluster or {}, "status", "phase", default="nothing said yet")
    return no("DatabaseReady", reasons.NOT_READY, f"CloudNativePG: {said}")


def may_migrate(seen: Seen, children: dict[Key, Object], given: Inputs) -> bool:
    """Whether the migration may begin; it waits some minutes by itself, for a server that first comes up."""
    database, key = given.bakery.spec.database, names.child(given.bakery.name, names.POSTGRES)
    if database.url_secret_ref:
        return True
    if database.managed:
        first = seen.status.last_successful_version is None
        ready = dig(children.get(Key("StatefulSet", key)) or {}, "status", "readyReplicas", default=0)
        return first or bool(ready)
    return _holds(children.get(Key("Cluster", key)), "Ready")


def _redis(case: Case) -> Verdict:
    if case.inputs.bakery.spec.redis.url_secret_ref:
        return yes("RedisReady", reasons.EXTERNAL, "a server of yours; gateways and workers report on it")
    return _stateful("RedisReady", names.REDIS, case)


def _stateful(kind: str, component: str, case: Case) -> Verdict:
    found = case.seen.child("StatefulSet", component)
    if found is None:
        return no(kind, reasons.NOT_CREATED, f"StatefulSet {names.child(case.seen.name, component)} is not there yet")
    if dig(found, "status", "readyReplicas", default=0) >= 1:
        return yes(kind, reasons.AVAILABLE, f"{component} is ready")
    if trouble := case.seen.troubles.get(component):
        return no(kind, reasons.NOT_READY, trouble)
    return no(kind, reasons.STARTING, f"{component} is starting")


def _migrations(case: Case) -> Verdict:
    kind = "MigrationsApplied"
    job = next((key for key in case.outcome.desired if key.kind == "Job"), None)
    if job is None:
        if case.inputs.bakery.spec.database.migration_policy == "Manual":
            return yes(kind, reasons.MANUAL, "run `cakegate migrate` yourself")
        return unknown(kind, reasons.NOT_CREATED, "nothing is made while a reference is missing")
    found = case.seen.children.get(job)
    if found is None:
        waiting = case.outcome.waiting or Problem(reason=reasons.NOT_CREATED, message="the Job is not there yet")
        return unknown(kind, waiting.reason, waiting.message)
    if _holds(found, "Complete"):
        return yes(kind, reasons.SUCCEEDED, f"Job {job.name} completed")
    if _holds(found, "Failed"):
        said = (condition_of(found, "Failed") or {}).get("message", "")
        return no(kind, reasons.MIGRATION_FAILED, f"Job {job.name}: {case.seen.troubles.get(names.MIGRATION) or said}")
    trouble = case.seen.troubles.get(names.MIGRATION)
    return no(kind, reasons.NOT_READY if trouble else reasons.RUNNING, trouble or f"Job {job.name} runs")


def _holds(body: Object | None, kind: str) -> bool:
    return (condition_of(body, kind) or {}).get("status") == "True"


def _available(component: str) -> Callable[[Case], Verdict]:
    return lambda case: serving.verdict(component, case.seen, case.inputs)


def _upstream(case: Case) -> Verdict:
    kind = "UpstreamReachable"
    if case.inputs.bakery.spec.upstream.sample:
        sample = case.seen.child("StatefulSet", names.SAMPLE) or case.seen.child("Deployment", names.SAMPLE)
        if dig(sample or {}, "status", "readyReplicas", default=0) >= 1:
            return yes(kind, reasons.REACHABLE, "the sample is ready")
        return no(kind, reasons.UNREACHABLE, case.seen.troubles.get(names.SAMPLE) or "the sample is starting")
    probe = case.seen.probe
    if probe is None:
        return _as_before(kind, case) or unknown(kind, reasons.NOT_PROBED, "not asked yet")
    if probe.reachable is None:
        return unknown(kind, probe.reason, probe.message)
    return (yes if probe.reachable else no)(kind, probe.reason, probe.message)


def _as_before(kind: str, case: Case) -> Verdict | None:
    """What was said of this very generation: an operator that has just begun knows nothing better."""
    for each in case.seen.status.conditions or []:
        if each.type == kind and each.observed_generation == case.inputs.bakery.generation:
            return Verdict(kind, each.status, each.reason, each.message)
    return None


def _paused(case: Case) -> Verdict:
    if case.inputs.bakery.spec.paused:
        return yes("Paused", reasons.PAUSED, "nothing is changed while spec.paused is true")
    return no("Paused", reasons.NOT_PAUSED, "the bakery is looked after")


CHECKS: Final[tuple[Callable[[Case], Verdict | None], ...]] = (
    _references,
    _objects,
    _database,
    _redis,
    _migrations,
    *(_available(component) for component in names.PROCESSES),
    lambda case: exposed.verdict(case.seen, case.inputs),
    lambda case: scaled.verdict(case.seen, case.inputs, case.outcome),
    lambda case: scaled.monitoring(case.inputs),
    lambda case: scaled.connections(case.inputs, case.outcome),
    _upstream,
    _paused,
)
