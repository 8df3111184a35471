"""What decides how many workers there are."""

from typing import Any

import cases
import pytest

from cakegate_operator import bakery, build, inputs
from cakegate_operator.build import autoscaling
from cakegate_operator.build.autoscaling import Scaler

# Autoscaling


KEDA = frozenset({inputs.KEDA})
NONE = cases.NOTHING
SCALING = [
    ({}, KEDA, NONE, Scaler.KEDA, ["ScaledObject", "TriggerAuthentication"]),
    ({}, NONE, NONE, Scaler.CPU, ["HorizontalPodAutoscaler"]),
    ({}, NONE, KEDA, Scaler.UNKNOWN, []),
    ({"replicas": 3}, KEDA, NONE, Scaler.FIXED, []),
    ({"replicas": 3}, NONE, KEDA, Scaler.UNKNOWN, []),
    ({"autoscaling": {"provider": "CPU"}}, KEDA, NONE, Scaler.CPU, ["HorizontalPodAutoscaler"]),
    ({"autoscaling": {"provider": "CPU"}}, NONE, KEDA, Scaler.UNKNOWN, []),
    ({"autoscaling": {"provider": "ExternalMetric"}}, KEDA, NONE, Scaler.EXTERNAL_METRIC, ["HorizontalPodAutoscaler"]),
]


@pytest.mark.parametrize(("chosen", "apis", "unknown", "scaler", "kinds"), SCALING)
def test_one_thing_decides_how_many_workers_there_are(
    chosen: dict[str, Any],
    apis: frozenset[inputs.Api],
    unknown: frozenset[inputs.Api],
    scaler: Scaler,
    kinds: list[str],
) -> None:
    made = cases.given(cases.resource({"upstream": cases.LEGACY, "worker": chosen}), apis=apis, unknown_apis=unknown)
    assert scaler is autoscaling.scaler(made)
    assert kinds == sorted(each["kind"] for each in autoscaling.objects(made))
    replicas = cases.one(cases.objects(made), "Deployment", "demo-worker")["spec"].get("replicas")
    assert (chosen.get("replicas") if scaler is Scaler.FIXED else None) == replicas


def shown(refs: frozenset[build.Ref]) -> list[str]:
    return sorted(f"{each.kind}/{each.name}" for each in refs)


def test_another_autoscaler_must_be_gone_before_the_wanted_one_comes() -> None:
    def rivals(chosen: dict[str, Any], apis: frozenset[inputs.Api]) -> list[str]:
        made = cases.resource({"upstream": cases.LEGACY, "worker": chosen})
        return shown(build.rivals(cases.given(made, apis=apis)))

    assert ["HorizontalPodAutoscaler/demo-worker"] == rivals({}, KEDA)
    assert ["ScaledObject/demo-worker"] == rivals({}, NONE)
    assert ["HorizontalPodAutoscaler/demo-worker", "ScaledObject/demo-worker"] == rivals({"replicas": 1}, KEDA)


def test_while_it_is_unknown_whether_keda_is_there_nothing_of_it_is_touched() -> None:
    made = cases.given(cases.resource({"upstream": cases.LEGACY}), apis=NONE, unknown_apis=KEDA)
    assert [] == shown(build.rivals(made))
    assert [
        "HorizontalPodAutoscaler/demo-worker", "ScaledObject/demo-worker",
        "TriggerAuthentication/demo-redis",
    ] == shown(build.kept(made))  # fmt: skip


def test_keda_is_told_of_a_redis_of_the_users_in_parts() -> None:
    made = cases.given(cases.resource(cases.ALL_SECRETS), apis=KEDA)
    assert bakery.SecretKey(name="redis", key="url") == autoscaling.redis_source(made)
    secret = autoscaling.redis_parts(made, "rediss://cakes:p%40ss@redis.example.com:6380/0")
    assert {
        "address": "redis.example.com:6380", "username": "cakes", "password": "p@ss", "tls": "enable",
    } == cases.decoded(secret)  # fmt: skip
    name = secret["metadata"]["name"]
    (authentication,) = (each for each in cases.objects(made) if each["kind"] == "TriggerAuthentication")
    assert [
        {"parameter": "address", "name": name, "key": "address"},
        {"parameter": "username", "name": name, "key": "username"},
        {"parameter": "password", "name": name, "key": "password"},
        {"parameter": "tls", "name": name, "key": "tls"},
        {"parameter": "ca", "name": "redis", "key": "ca"},
    ] == authentication["spec"]["secretTargetRef"]


def test_another_url_of_that_redis_makes_another_secret_for_keda() -> None:
    def name(digest: str) -> str:
        made = cases.given(cases.resource(cases.ALL_SECRETS), apis=KEDA, secrets={("redis", "url"): digest})
        found: str = autoscaling.redis_parts(made, "redis://redis.example.com")["metadata"]["name"]
        return found

    assert name("one").startswith("demo-redis-keda-")
    assert name("one") == name("one")
    assert name("one") != name("other")


def test_the_queue_is_measured_by_what_waits_and_what_runs() -> None:
    (scaled,) = (each for each in cases.built({"upstream": cases.LEGACY}) if each["kind"] == "ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    assert {
        "address": "demo-redis.shop.svc:6379", "listName": "dramatiq:judge.msgs", "listLength": "10",
        "databaseIndex": "0",
    } == trigger["metadata"]  # fmt: skip
