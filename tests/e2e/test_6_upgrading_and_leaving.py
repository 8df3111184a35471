"""Upgrades that restart nothing needlessly, the way back from a dump, and leaving without a trace but what is kept."""

import json
import re

import pytest
from bakeries import PROCESSES, Bakery, light, seeds
from kube import has, ran, until
from release import CHART
from test_2_changing import generations


def test_an_operator_that_starts_anew_restarts_no_pod(operator, calm):
    objects, started = generations(calm), calm.started()
    operator.namespace.kubectl("rollout", "restart", "deployment/cakegate-operator")
    operator.namespace.kubectl("rollout", "status", "deployment/cakegate-operator", "--timeout=90s", seconds=100)
    operator.led()
    calm.annotate(**{"cakegate.dev/requestedAt": "anew"})
    until("it looked", lambda: calm.seen()["status"].get("lastHandledReconcileAt") == "anew", seconds=60)
    assert objects == generations(calm)
    assert started == calm.started()


def test_an_upgrade_from_the_image_before_restarts_nothing_until_the_version_is_asked_for(operator, namespaces, step):
    if not operator.previous:
        pytest.skip("CAKEGATE_TESTS_E2E_PREVIOUS_IMAGE names no image to upgrade from")
    version = operator.image.rpartition(":")[2]
    bakery = Bakery(namespaces("e2e-upgrade"), "old")
    operator.install(operator.previous)
    try:
        bakery.apply(**light())
        bakery.ready()
        before = bakery.started()
        with step("operator upgraded"):
            operator.install()
            operator.led()
        bakery.annotate(**{"cakegate.dev/requestedAt": "upgraded"})
        until("it looked", lambda: bakery.seen()["status"].get("lastHandledReconcileAt") == "upgraded", seconds=60)
        assert before == bakery.started()
        with step("bakery upgraded"):
            bakery.change(version=version)
            until("all pods are new", lambda: not {*before} & {*bakery.started()}, seconds=180)
            bakery.ready()
        assert version == bakery.seen()["status"]["lastSuccessfulVersion"]
    finally:
        operator.install()
    bakery.namespace.delete("cakebakery", bakery.name)


def test_a_dump_brings_the_bakery_back_to_where_it_was(calm, step):
    calm.change(database={"managed": {"dumps": {"schedule": "17 2 * * *", "keep": 2, "storage": {"size": "1Gi"}}}})
    with calm.api() as api:
        (before,) = api.accept(f"draw_cake-{seeds('cake')[0]}.jpg", 1)
        assert ["created"] == api.ends([before], within=60)
    with step("dumped"):
        until("the CronJob", lambda: calm.namespace.get("cronjob", "demo-dumps"), seconds=30)
        calm.namespace.kubectl("create", "job", "--from=cronjob/demo-dumps", "demo-dump-now")
        calm.namespace.kubectl("wait", "--for=condition=complete", "job/demo-dump-now", "--timeout=120s", seconds=130)
    with calm.api() as api:
        (after,) = api.accept(f"draw_cake-{seeds('cake')[0]}.jpg", 1)
        assert ["created"] == api.ends([after], within=60)
    with step("restored, Ready"):
        restore(calm)
    with calm.api() as api:
        assert ["created", 404] == [api.client.get(before).json()["state"], api.client.get(after).status_code]
        assert 201 == api.submit(f"draw_cake-{seeds('cake')[0]}.jpg").status_code


def restore(bakery: Bakery) -> None:
    """docs/operator/restore.md, "Back into the same bakery", with its own script."""
    processes = [f"deployment/{bakery.name}-{each}" for each in PROCESSES]
    bakery.change(paused=True)
    bakery.says("Paused", status="True")
    if has("keda.sh/v1alpha1"):
        bakery.namespace.delete("scaledobject", f"{bakery.name}-worker")
    bakery.namespace.delete("hpa", f"{bakery.name}-worker")
    bakery.namespace.kubectl("scale", *processes, "--replicas=0")
    until("nothing writes any more", lambda: not bakery.started(), seconds=120)
    made = bakery.namespace.kubectl(
        "create", "job", f"--from=cronjob/{bakery.name}-dumps", "demo-restore", "--dry-run=client", "-o", "json"
    )
    page = (CHART.parents[1] / "docs" / "operator" / "restore.md").read_text(encoding="utf-8")
    (script,) = re.findall(r'command = \["sh", "-ec", "(.*?)"\]', page, re.DOTALL)
    job = json.loads(made)
    job["spec"]["template"]["spec"]["containers"][0]["command"] = ["sh", "-ec", script.replace('\\"', '"')]
    bakery.namespace.kubectl("create", "-f", "-", given=json.dumps(job))
    bakery.namespace.kubectl("wait", "--for=condition=complete", "job/demo-restore", "--timeout=120s", seconds=130)
    assert "restored " in bakery.namespace.kubectl("logs", "job/demo-restore")
    bakery.namespace.kubectl("scale", *processes[:2], "--replicas=1")
    bakery.change(paused=False)
    bakery.annotate(**{"cakegate.dev/requestedAt": "restored"})
    bakery.ready()


def test_a_deleted_bakery_leaves_its_database_and_its_key_and_nothing_else(namespaces, step):
    bakery = Bakery(namespaces("e2e-leaving"), "brief")
    bakery.apply(**light())
    bakery.ready()
    with step("gone"):
        bakery.namespace.delete("cakebakery", "brief", "--wait=true")
        until("no pod is left", lambda: not bakery.namespace.all("pods"), seconds=120)
    left = {
        f"{kind}/{each['metadata']['name']}"
        for kind in ("deployments", "statefulsets", "services", "jobs", "secrets", "persistentvolumeclaims",
                     "networkpolicies", "horizontalpodautoscalers", "poddisruptionbudgets")
        for each in bakery.namespace.all(kind, instance="brief")
    }  # fmt: skip
    assert {"secrets/brief-postgres", "persistentvolumeclaims/data-brief-postgres-0"} == left
    with step("made anew on the same volume"):
        bakery.apply(**light())
        bakery.ready()
    bakery.namespace.delete("cakebakery", "brief")


def test_a_namespace_can_be_deleted_while_no_operator_runs(operator, namespaces, step):
    bakery = Bakery(namespaces("e2e-orphan"), "orphan")
    bakery.apply(**light())
    bakery.ready()
    with operator.down(), step("namespace gone"):
        ran("kubectl", "delete", "namespace", bakery.namespace.name, "--timeout=120s", seconds=130)
    assert "e2e-orphan" not in ran("kubectl", "get", "namespaces", "-o", "name")
