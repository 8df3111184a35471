"""What Prometheus makes of a bakery."""

import contextlib
from collections.abc import Iterator

import httpx
import pytest
from bakeries import PROCESSES, Bakery, seeds
from kube import Namespace, Object, has, ran, until


@pytest.fixture
def prometheus(cluster) -> Iterator[httpx.Client]:
    """A Prometheus of the cluster's: the first Service that listens on 9090 and answers."""
    if not has("monitoring.coreos.com/v1"):
        pytest.skip("the Prometheus Operator is not installed")
    found = ran(
        "kubectl", "get", "prometheuses", "--all-namespaces",
        "-o", "jsonpath={range .items[*]}{.metadata.namespace}{'\\n'}{end}",
    ).split()  # fmt: skip
    if not found:
        pytest.skip("no Prometheus runs in this cluster")
    with (
        Namespace(found[0]).forwarded("service/prometheus-operated", 9090) as url,
        httpx.Client(base_url=url, timeout=20, trust_env=False) as client,
    ):
        yield client


def asked(prometheus: httpx.Client, path: str) -> Object:
    answer = prometheus.get(f"/api/v1/{path}").raise_for_status().json()
    return answer["data"]


def test_every_target_is_up(operator, calm, prometheus):
    """Each process of the bakery, and both operators."""
    wanted = {pod["metadata"]["name"] for each in PROCESSES for pod in calm.pods(each)}
    wanted |= {pod["metadata"]["name"] for pod in operator.pods()}

    def look() -> bool:
        health = {
            target["labels"].get("pod"): (target["health"], target["lastError"])
            for target in asked(prometheus, "targets?state=active")["activeTargets"]
            if target["labels"]["namespace"] in {calm.namespace.name, operator.namespace.name}
        }
        assert dict.fromkeys(wanted, ("up", "")) == {name: health.get(name) for name in wanted}
        return True

    until("all targets are up", look, seconds=120)


def test_every_rule_is_loaded_and_evaluates(operator, calm, prometheus):
    wanted = {
        rule.get("alert") or rule.get("record")
        for namespace in (calm.namespace, operator.namespace)
        for body in namespace.all("prometheusrule")
        for group in body["spec"]["groups"]
        for rule in group["rules"]
    }
    assert wanted

    def look() -> bool:
        loaded = {rule["name"]: rule for group in asked(prometheus, "rules")["groups"] for rule in group["rules"]}
        assert wanted <= loaded.keys(), wanted - loaded.keys()
        assert {"ok"} == {loaded[name]["health"] for name in wanted}, [loaded[name] for name in wanted]
        return True

    until("all rules are loaded", look, seconds=120)


def test_dashboards_are_there_for_grafanas_sidecar(calm):
    found = calm.namespace.kubectl("get", "configmaps", "-l", "grafana_dashboard=1", "-o", "name").split()
    assert found


def test_an_alert_fires_by_a_real_cause(calm, prometheus, step):
    """The legacy API is down, and clients go on asking."""
    with calm.trouble(down=True), step("CakegateUpstreamDown fires"), calm.api() as api:
        # More than half of five minutes' calls must have failed, for two minutes: what went well before this scenario
        # counts, and a loaded gateway (the next file) makes many such calls.
        until("it fires", lambda: asking(api) and firing(prometheus, calm), seconds=480, pause=1)
    with step("and is over"), calm.api() as api:
        until("it is over", lambda: asking(api) and not firing(prometheus, calm), seconds=420, pause=1)
    # What was taken in meanwhile is created: the breaker closes by itself.
    with calm.api() as api:
        places = api.accept(f"draw_cake-{seeds('cake')[0]}.jpg", 2)
        assert ["created"] * 2 == api.ends(places, within=120)


def asking(api: object) -> bool:
    with contextlib.suppress(httpx.ReadTimeout):
        api.client.get("/api/cakes", params={"limit": 1}, timeout=15)
    return True


def firing(prometheus: httpx.Client, bakery: Bakery) -> list[Object]:
    return [
        each
        for each in asked(prometheus, "alerts")["alerts"]
        if each["labels"]["alertname"] == "CakegateUpstreamDown"
        and each["labels"].get("namespace") == bakery.namespace.name
        and each["state"] == "firing"
    ]
