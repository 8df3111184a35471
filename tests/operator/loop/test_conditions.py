"""What is said of each situation, as a table: what was seen, and the condition that comes of it."""

import re
from pathlib import Path

import msgspec
import pytest
from bakery_world import RELEASE

from cakegate_operator import bakery, conditions, inputs, reasons
from cakegate_operator.kinds import Key
from cakegate_operator.seen import Outcome, Probe, Problem, Seen
from cakegate_operator.statuses import Condition, Status
from cakegate_operator.verdicts import no, yes

PAGE = Path(__file__, "../../../../docs/operator/conditions.md").resolve()
JOB = Key("Job", "demo-migrate-1")


def case(spec=None, *, children=(), status=None, apis=(), unclear=(), troubles=None, probe=None, **outcome):
    spec = msgspec.convert({"upstream": {"url": "http://legacy"}, **(spec or {})}, bakery.Spec)
    metadata = {"name": "demo", "namespace": "default", "uid": "u", "generation": 3}
    return conditions.Case(
        seen=Seen(
            live={"metadata": metadata},
            spec=spec,
            status=status or Status(),
            children={Key(body["kind"], body["metadata"]["name"]): body for body in children},
            troubles=troubles or {},
            probe=probe,
        ),
        inputs=inputs.Inputs(
            bakery=bakery.Bakery(name="demo", namespace="default", uid="u", generation=3, spec=spec),
            release=RELEASE,
            facts=inputs.Facts(version="1.2.3", apis=frozenset(apis), unknown_apis=frozenset(unclear)),
        ),
        outcome=Outcome(**{"desired": {JOB: {}}, "complete": True, **outcome}),
    )


def child(kind, name, *, generation=1, spec=None, **status):
    metadata = {"name": name, "generation": generation}
    return {"kind": kind, "metadata": metadata, "spec": spec or {"replicas": 1}, "status": status}


def said(kind, status="True", **more):
    return [{"type": kind, "status": status, **more}]


def deployment(component, **more):
    full = {"replicas": 2, "readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "observedGeneration": 1}
    status = {**full, "conditions": said("Available"), **more}
    return child("Deployment", f"demo-{component}", spec={"replicas": 2}, **status)


PROCESSES = [deployment(each) for each in ("gateway", "worker", "writer", "scheduler")]
SERVERS = [child("StatefulSet", f"demo-{each}", readyReplicas=1) for each in ("postgres", "redis")]
MIGRATED = child("Job", JOB.name, conditions=said("Complete"))
WHOLE = [*PROCESSES, *SERVERS, MIGRATED]
#: As the controller manager leaves it: with no pod to spare, a Deployment that grows is not `Available`.
SCALING_OUT = deployment("worker", replicas=9, updatedReplicas=9, conditions=said("Available", "False"))
STUCK = said("Available") + said("Progressing", "False", reason="ProgressDeadlineExceeded", message="took too long")
NOT_DONE = {"complete": False}
EXTERNAL = {
    "database": {"urlSecretRef": {"name": "n", "key": "k"}},
    "redis": {"urlSecretRef": {"name": "n", "key": "k"}},
}
CNPG = {"database": {"cloudNativePG": {}}}
ROUTE = {"exposure": {"type": "HTTPRoute", "httpRoute": {"parentRefs": [{"name": "g"}]}}}
ROUTED = Key("HTTPRoute", "demo-gateway")
HPA = Key("HorizontalPodAutoscaler", "demo-worker")


def parents(status):
    condition = {"type": "Accepted", "status": status, "reason": "R", "message": "no such listener"}
    return {"parents": [{"conditions": [condition]}]}


def _reached(*, generation):
    return Condition(
        type="UpstreamReachable", status="True", reason="Reachable", message="", last_transition_time="once",
        observed_generation=generation,
    )  # fmt: skip


SITUATIONS = {
    "all is well": (case(children=WHOLE), "Ready", ("True", "Available")),
    "references": (case(), "ReferencesResolved", ("True", "Resolved")),
    "a missing Secret": (
        case(missing=(Problem(reason="SecretNotFound", message="x"),)),
        "ReferencesResolved",
        ("False", "SecretNotFound"),
    ),
    "a refused object": (
        case(refused=(Problem(reason="ApplyRefused", message="x"),), **NOT_DONE),
        "ObjectsApplied",
        ("False", "ApplyRefused"),
    ),
    "waiting": (
        case(waiting=Problem(reason="WaitingForDatabase", message="x"), **NOT_DONE),
        "ObjectsApplied",
        ("Unknown", "WaitingForDatabase"),
    ),
    "no database yet": (case(), "DatabaseReady", ("False", "NotCreated")),
    "a database that starts": (
        case(children=[child("StatefulSet", "demo-postgres")]),
        "DatabaseReady",
        ("False", "Starting"),
    ),
    "a database that cannot start": (
        case(children=[child("StatefulSet", "demo-postgres")], troubles={"postgres": "x"}),
        "DatabaseReady",
        ("False", "NotReady"),
    ),
    "a migration that cannot run": (
        case(children=[child("Job", JOB.name)], troubles={"migration": "x"}),
        "MigrationsApplied",
        ("False", "NotReady"),
    ),
    "gateways that cannot start": (
        case(children=[deployment("gateway", availableReplicas=0)], troubles={"gateway": "x"}),
        "GatewayAvailable",
        ("False", "NotReady"),
    ),
    "a database": (case(children=SERVERS), "DatabaseReady", ("True", "Available")),
    "a database of theirs": (case(EXTERNAL), "DatabaseReady", ("True", "External")),
    "a Redis of theirs": (case(EXTERNAL), "RedisReady", ("True", "External")),
    "no CloudNativePG": (case(CNPG), "DatabaseReady", ("False", "CRDNotInstalled")),
    "nobody knows of CloudNativePG": (
        case(CNPG, unclear=[inputs.CLOUD_NATIVE_PG]),
        "DatabaseReady",
        ("Unknown", "DiscoveryFailed"),
    ),
    "CloudNativePG": (
        case(
            CNPG, apis=[inputs.CLOUD_NATIVE_PG], children=[child("Cluster", "demo-postgres", conditions=said("Ready"))]
        ),
        "DatabaseReady",
        ("True", "Available"),
    ),
    "CloudNativePG that starts": (
        case(CNPG, apis=[inputs.CLOUD_NATIVE_PG], children=[child("Cluster", "demo-postgres", phase="Setting up")]),
        "DatabaseReady",
        ("False", "NotReady"),
    ),
    "a migration that runs": (case(children=[child("Job", JOB.name)]), "MigrationsApplied", ("False", "Running")),
    "a migration that failed": (
        case(children=[child("Job", JOB.name, conditions=said("Failed", message="boom"))]),
        "MigrationsApplied",
        ("False", "MigrationFailed"),
    ),
    "migrations by hand": (
        case({"database": {"managed": {}, "migrationPolicy": "Manual"}}, desired={}),
        "MigrationsApplied",
        ("True", "Manual"),
    ),
    "no gateway yet": (case(), "GatewayAvailable", ("False", "NotCreated")),
    "no gateway that is ready": (
        case(children=[deployment("gateway", conditions=said("Available", "False"), availableReplicas=0)]),
        "GatewayAvailable",
        ("False", "Unavailable"),
    ),
    "too few gateways": (
        case({"gateway": {"replicas": 8}}, children=[deployment("gateway", availableReplicas=5)]),
        "GatewayAvailable",
        ("False", "Unavailable"),
    ),
    "a gateway that is missing": (
        case({"gateway": {"replicas": 8}}, children=[deployment("gateway", availableReplicas=6)]),
        "GatewayAvailable",
        ("True", "Available"),
    ),
    "workers that an autoscaler adds": (
        case(children=[*PROCESSES, *SERVERS, MIGRATED, SCALING_OUT]),
        "Ready",
        ("True", "Available"),
    ),
    "workers that an autoscaler adds take time": (
        case(children=[*PROCESSES, *SERVERS, MIGRATED, SCALING_OUT]),
        "Reconciling",
        ("True", "Rolling"),
    ),
    "a stuck rollout": (
        case(children=[*WHOLE[1:], deployment("gateway", conditions=STUCK)]),
        "Ready",
        ("False", "RolloutStuck"),
    ),
    "a stuck rollout while old pods serve": (
        case(children=[*WHOLE[1:], deployment("gateway", conditions=STUCK)]),
        "GatewayAvailable",
        ("True", "Available"),
    ),
    "a rollout that was stuck and has just been mended": (
        case(children=[*WHOLE[1:], deployment("gateway", conditions=STUCK, observedGeneration=0)]),
        "Stalled",
        None,
    ),
    "a rollout": (
        case(children=[*WHOLE[1:], deployment("gateway", updatedReplicas=0)]),
        "Reconciling",
        ("True", "Rolling"),
    ),
    "a rollout while old pods serve": (
        case(children=[*WHOLE[1:], deployment("gateway", updatedReplicas=0)]),
        "Ready",
        ("True", "Available"),
    ),
    "nothing asked for": (case(), "Exposed", None),
    "no Gateway API": (case(ROUTE), "Exposed", ("False", "CRDNotInstalled")),
    "a route nobody took": (
        case(
            ROUTE,
            apis=[inputs.HTTP_ROUTE],
            desired={ROUTED: {}},
            children=[child("HTTPRoute", "demo-gateway")],
        ),
        "Exposed",
        ("Unknown", "WaitingForGateway"),
    ),
    "a route": (
        case(
            ROUTE,
            apis=[inputs.HTTP_ROUTE],
            desired={ROUTED: {}},
            children=[child("HTTPRoute", "demo-gateway", **parents("True"))],
        ),
        "Exposed",
        ("True", "Accepted"),
    ),
    "a refused route": (
        case(
            ROUTE,
            apis=[inputs.HTTP_ROUTE],
            desired={ROUTED: {}},
            children=[child("HTTPRoute", "demo-gateway", **parents("False"))],
        ),
        "Exposed",
        ("False", "NotAccepted"),
    ),
    "fixed workers": (case({"worker": {"replicas": 1}}), "AutoscalingActive", ("False", "Fixed")),
    "no KEDA": (case(), "AutoscalingActive", ("False", "CRDNotInstalled")),
    "nobody knows of KEDA": (case(unclear=[inputs.KEDA]), "AutoscalingActive", ("Unknown", "DiscoveryFailed")),
    "workers by processor time": (
        case(
            {"worker": {"autoscaling": {"provider": "CPU"}}},
            desired={HPA: {}},
            children=[child(HPA.kind, HPA.name, conditions=said("ScalingActive"))],
        ),
        "AutoscalingActive",
        ("True", "Active"),
    ),
    "no metrics": (
        case(
            {"worker": {"autoscaling": {"provider": "CPU"}}},
            desired={HPA: {}},
            children=[child(HPA.kind, HPA.name, conditions=said("ScalingActive", "False", message="no metrics"))],
        ),
        "AutoscalingActive",
        ("False", "Inactive"),
    ),
    "no Prometheus Operator": (case(), "MonitoringConfigured", ("False", "CRDNotInstalled")),
    "a Prometheus Operator": (
        case(apis=[inputs.SERVICE_MONITOR, inputs.PROMETHEUS_RULE]),
        "MonitoringConfigured",
        ("True", "Configured"),
    ),
    "no monitoring": (
        case(
            {
                "monitoring": {
                    each: {"mode": "Disabled"} for each in ("serviceMonitor", "prometheusRule", "grafanaDashboard")
                }
            }
        ),
        "MonitoringConfigured",
        ("False", "Disabled"),
    ),
    "enough connections": (case(), "ConnectionsSuffice", ("True", "Enough")),
    "too many pods": (
        case({"worker": {"autoscaling": {"maxReplicas": 100}}}),
        "ConnectionsSuffice",
        ("False", "TooManyConnections"),
    ),
    "nobody knows how many": (case(EXTERNAL), "ConnectionsSuffice", None),
    "an upstream nobody asked": (case(), "UpstreamReachable", ("Unknown", "NotProbed")),
    "an upstream that the operator before asked": (
        case(status=Status(conditions=[_reached(generation=3)])),
        "UpstreamReachable",
        ("True", "Reachable"),
    ),
    "another upstream than the operator before asked": (
        case(status=Status(conditions=[_reached(generation=2)])),
        "UpstreamReachable",
        ("Unknown", "NotProbed"),
    ),
    "an upstream that nobody is to ask": (
        case(
            probe=Probe(reachable=None, reason="NotProbed", message="x"),
            status=Status(conditions=[_reached(generation=3)]),
        ),
        "UpstreamReachable",
        ("Unknown", "NotProbed"),
    ),
    "a dead upstream": (
        case(probe=Probe(reachable=False, reason="Unreachable", message="x")),
        "UpstreamReachable",
        ("False", "Unreachable"),
    ),
    "a dead upstream does not matter": (
        case(children=WHOLE, probe=Probe(reachable=False, reason="Unreachable", message="x")),
        "Ready",
        ("True", "Available"),
    ),
    "a migration before an upgrade": (
        case(
            children=[*PROCESSES, *SERVERS, child("Job", JOB.name)],
            waiting=Problem(reason="WaitingForMigration", message="x"),
            **NOT_DONE,
        ),
        "Ready",
        ("True", "Available"),
    ),
    "a migration before an upgrade is under way": (
        case(
            children=[*PROCESSES, *SERVERS, child("Job", JOB.name)],
            waiting=Problem(reason="WaitingForMigration", message="x"),
            **NOT_DONE,
        ),
        "Reconciling",
        ("True", "Running"),
    ),
    "paused": (case({"paused": True}), "Paused", ("True", "Paused")),
    "paused and well": (case({"paused": True}, children=WHOLE, **NOT_DONE), "Ready", ("True", "Available")),
    "what a person must mend comes first": (
        case(children=[child("Job", JOB.name, conditions=said("Failed"))], **NOT_DONE),
        "Ready",
        ("False", "MigrationFailed"),
    ),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_each_situation_has_its_word(name):
    situation, kind, wanted = SITUATIONS[name]
    found = {each.type: (each.status, each.reason) for each in conditions.judged(situation)}
    assert wanted == found.get(kind)


def test_the_kubelets_complaint_is_in_the_message():
    trouble = "pod demo-gateway-1: ErrImagePull: no such image"
    situation = case(
        children=[*WHOLE[1:], deployment("gateway", availableReplicas=0)],
        troubles={"gateway": trouble},
    )
    (ready,) = [each for each in conditions.judged(situation) if each.type == "Ready"]
    assert f"gateway: {trouble}" == ready.message


PULLING = "pod x-0: ErrImagePull: no such image"
WAITS = {"waiting": Problem(reason="WaitingForMigration", message="Job/demo-migrate-1 has not completed"), **NOT_DONE}


@pytest.mark.parametrize(
    ("component", "children"),
    [
        (
            "postgres",
            [child("StatefulSet", "demo-postgres"), child("StatefulSet", "demo-redis"), child("Job", JOB.name)],
        ),
        ("redis", [SERVERS[0], child("StatefulSet", "demo-redis"), child("Job", JOB.name)]),
        ("migration", [*SERVERS, child("Job", JOB.name)]),
    ],
)
def test_the_summary_names_the_cause_and_not_what_waits_for_it(component, children):
    judged = conditions.judged(case(children=children, troubles={component: PULLING}, **WAITS))
    said = {each.type: (each.reason, each.message) for each in judged}
    assert {("NotReady", PULLING)} == {said["Ready"], said["Reconciling"]}


def test_a_version_whose_image_is_missing_is_named_while_the_old_serves():
    children = [*PROCESSES, *SERVERS, child("Job", JOB.name)]
    judged = conditions.judged(case(children=children, troubles={"migration": PULLING}, **WAITS))
    said = {each.type: (each.status, each.message) for each in judged}
    assert ("True", "the bakery serves") == said["Ready"]
    assert ("True", PULLING) == said["Reconciling"]


def test_a_new_pod_that_fails_is_named_while_the_old_serve():
    trouble = "pod demo-gateway-2: gateway ended with 2: soon is no number"
    rolls = deployment("gateway", updatedReplicas=1, replicas=3)
    judged = conditions.judged(case(children=[*WHOLE[1:], rolls], troubles={"gateway": trouble}))
    said = {each.type: (each.status, each.reason, each.message) for each in judged}
    assert ("True", "Available", "the bakery serves") == said["Ready"]
    assert ("True", "Rolling", f"gateway: {trouble}") == said["Reconciling"]


def test_of_several_rollouts_the_one_that_fails_is_named():
    rolls = [deployment(each, updatedReplicas=1, replicas=3) for each in ("gateway", "worker")]
    judged = conditions.judged(case(children=[*WHOLE[2:], *rolls], troubles={"worker": PULLING}))
    assert [f"worker: {PULLING}"] == [each.message for each in judged if each.type == "Reconciling"]


def test_pods_that_no_quota_allows_are_told_of():
    refused = said("ReplicaFailure", reason="FailedCreate", message="exceeded quota: requests.cpu")
    situation = case(children=[*WHOLE[1:], deployment("gateway", availableReplicas=0, conditions=refused)])
    (ready,) = [each for each in conditions.judged(situation) if each.type == "Ready"]
    assert "gateway: exceeded quota: requests.cpu" == ready.message


def test_a_condition_keeps_its_time_while_its_status_stays():
    before = [_condition("Ready", "True", "Available"), _condition("Exposed", "False", "NotAccepted")]
    after = conditions.dated(
        [yes("Ready", "Rolling", "x"), yes("Exposed", "Accepted", "x"), no("Paused", "NotPaused", "x")],
        before,
        now="later",
        generation=4,
    )
    assert {"Ready": "once", "Exposed": "later", "Paused": "later"} == {
        each.type: each.last_transition_time for each in after
    }
    assert {4} == {each.observed_generation for each in after}


def _condition(kind, status, reason):
    return Condition(
        type=kind, status=status, reason=reason, message="", last_transition_time="once", observed_generation=1
    )


def test_every_reason_has_a_meaning_and_stands_on_the_page():
    declared = {value for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str)}
    assert declared == set(reasons.MEANINGS)
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE))
    assert reasons.MEANINGS == {name: rows.get(name) for name in reasons.MEANINGS}


def test_every_condition_stands_on_the_page():
    found = {each.type for situation, *_ in SITUATIONS.values() for each in conditions.judged(situation)}
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE))
    assert set() == found - rows
