"""What the chart tells the operator, and the rights it gives it, held against the operator's own code."""

import pytest
import yaml

from cakegate_operator import bakery, crd, environment, kinds, monitoring
from cakegate_operator.monitoring import files

CHILD = ["get", "list", "watch", "create", "patch", "delete"]
#: Of kinds that are not children, as far as their rights are the namespaced rules'.
OTHER = {
    ("cakegate.dev", "cakebakeries"): ["get", "list", "watch"],
    ("", "secrets"): ["get", "create"],
    ("", "pods"): ["get", "list"],
    ("", "events"): ["create", "patch"],
    ("", "persistentvolumeclaims"): ["get", "create"],
}


@pytest.fixture(scope="module")
def rendered(root, helm):
    def render(*options: str) -> dict[str, dict]:
        done = helm("template", "cakegate", "charts/cakegate", "--namespace", "ovens", *options)
        assert "" == done.stderr
        return {f"{each['kind']}/{each['metadata']['name']}": each for each in yaml.safe_load_all(done.stdout) if each}

    return render


def granted(role: dict) -> dict[tuple[str, str], list[str]]:
    return {
        (group, resource): rule["verbs"]
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if "/" not in resource
    }


def test_rights_are_those_of_the_kinds_that_the_operator_works_with(rendered):
    wanted = {(kind.api_version.rpartition("/")[0], kind.plural): CHILD for kind in kinds.CHILDREN} | OTHER
    namespaced = rendered("--set", "watchNamespaces={north}")["Role/cakegate-operator"]
    assert wanted == granted(namespaced)
    known = {(kind.api_version.rpartition("/")[0], kind.plural) for kind in (*kinds.CHILDREN, *kinds.OTHERS)}
    assert known == {*wanted, ("coordination.k8s.io", "leases")}


def test_cluster_wide_it_may_besides_see_definitions_and_nothing_else(rendered):
    wide = granted(rendered()["ClusterRole/cakegate-operator"])
    narrow = granted(rendered("--set", "watchNamespaces={north}")["Role/cakegate-operator"])
    assert {("apiextensions.k8s.io", "customresourcedefinitions"): ["list", "watch"]} == {
        key: wide[key] for key in wide.keys() - narrow.keys()
    }
    assert narrow.items() <= wide.items()


def test_the_operator_understands_all_that_it_is_told(rendered):
    options = (
        "--set=watchNamespaces={north,south}", "--set=resyncSeconds=30", "--set=logLevel=debug",
        "--set=defaults.monitorLabels.release=kps", "--set=defaults.ruleLabels.a=b",
        "--set=defaults.pullSecrets={one,two}",
        "--set=image.tag=9.8.7", "--set=defaults.runbookUrl=https://wiki.example/{alert}",
    )  # fmt: skip
    deployment = rendered(*options)["Deployment/cakegate-operator"]
    entries = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    # What the kubelet fills in.
    environ = {each["name"]: each.get("value", "filled-in") for each in entries}
    found = environment.from_env(environ)
    assert ("north", "south") == found.namespaces
    assert ("filled-in", "filled-in", "cakegate-operator") == (found.namespace, found.identity, found.lease_name)
    assert (30.0, "debug") == (found.resync_seconds, found.log_level)
    release = found.release()
    assert ("9.8.7", "ghcr.io/cakegate/cakegate") == (release.version, release.repository)
    assert ({"release": "kps"}, {"a": "b"}, ["one", "two"]) == (
        release.monitor_labels, release.rule_labels, release.pull_secrets,
    )  # fmt: skip
    assert {"grafana_dashboard": "1"} == release.dashboard_labels
    assert "https://wiki.example/{alert}" == release.runbook_url


def test_the_charts_defaults_are_the_operators_own(rendered):
    entries = rendered()["Deployment/cakegate-operator"]["spec"]["template"]["spec"]["containers"][0]["env"]
    told = environment.from_env({each["name"]: each.get("value", "x") for each in entries}).release()
    assert environment.from_env({}).release() == told


def test_the_definition_is_the_one_that_the_types_make(root):
    text = (root / "charts" / "cakegate" / "files" / "crd.yaml").read_text(encoding="utf-8")
    assert crd.definition() == yaml.safe_load(text), "run `make manifests`"
    assert f"{bakery.PLURAL}.{bakery.GROUP}" in text


def test_rules_and_dashboard_of_the_operator_are_filled_in(rendered):
    found = rendered(
        "--set=metrics.prometheusRule.enabled=true", "--set=metrics.dashboard.enabled=true",
        "--set=defaults.runbookUrl=https://wiki.example/{alert}/page",
    )  # fmt: skip
    rules = found["PrometheusRule/cakegate-operator"]["spec"]
    text = str(rules)
    assert "__" not in text.replace("__name__", "")
    assert 'operator="ovens/cakegate"' in text
    for group in rules["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                assert f"https://wiki.example/{rule['alert']}/page" == rule["annotations"]["runbook_url"]
    assert "cakegate-operator.json" in found["ConfigMap/cakegate-operator-dashboard"]["data"]
    assert files.__name__.startswith(monitoring.__name__)
