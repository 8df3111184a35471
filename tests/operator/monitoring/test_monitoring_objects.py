"""Which monitoring objects a bakery gets, and what is in them."""

import json
from pathlib import Path

import pytest
from monitored import made, of_kind

from cakegate_operator import inputs, names
from cakegate_operator.build import monitoring
from cakegate_operator.monitoring import files

CHART_FILES = Path(__file__).parents[3] / "charts/cakegate/files"


def _kinds(found):
    return sorted({each["kind"] for each in found})


def _one(found, kind):
    (each,) = of_kind(found, kind)
    return each


def test_every_process_is_scraped():
    found = of_kind(monitoring.objects(made()), "ServiceMonitor")

    assert list(names.PROCESSES) == [each["spec"]["selector"]["matchLabels"][names.COMPONENT] for each in found]


def test_what_is_scraped_says_whose_it_is():
    relabelings = [{"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}]
    spec = {"monitoring": {"serviceMonitor": {"interval": "15s", "relabelings": relabelings}}}
    first = of_kind(monitoring.objects(made(spec)), "ServiceMonitor")[0]

    assert [
        {
            "port": "metrics",
            "interval": "15s",
            "relabelings": [
                {"action": "replace", "targetLabel": "bakery", "replacement": "demo"},
                {"action": "replace", "targetLabel": "component", "replacement": "gateway"},
                *relabelings,
            ],
        }
    ] == first["spec"]["endpoints"]


@pytest.mark.parametrize(
    ("apis", "unknown", "expected"),
    [
        (inputs.OPTIONAL, (), ["ConfigMap", "PrometheusRule", "ServiceMonitor"]),
        ((), (), []),
        ((inputs.PROMETHEUS_RULE,), (), ["PrometheusRule"]),
        # an unclear answer: dashboards stay; the others are left alone by whoever prunes
        ((), inputs.OPTIONAL, ["ConfigMap"]),
    ],
    ids=["installed", "absent", "rules alone", "unclear"],
)
def test_what_has_no_api_is_not_made(apis, unknown, expected):
    found = monitoring.objects(made(apis=frozenset(apis), unknown_apis=frozenset(unknown)))

    assert expected == _kinds(found)


@pytest.mark.parametrize(
    ("off", "expected"),
    [
        ("serviceMonitor", ["ConfigMap", "PrometheusRule"]),
        ("prometheusRule", ["ConfigMap", "ServiceMonitor"]),
        ("grafanaDashboard", ["PrometheusRule", "ServiceMonitor"]),
    ],
)
def test_what_is_disabled_is_not_made(off, expected):
    assert expected == _kinds(monitoring.objects(made({"monitoring": {off: {"mode": "Disabled"}}})))


def test_dashboards_can_be_had_without_the_prometheus_operator():
    spec = {"monitoring": {"grafanaDashboard": {"mode": "Enabled"}}}

    assert ["ConfigMap"] == _kinds(monitoring.objects(made(spec, apis=frozenset())))


def test_labels_of_the_installation_and_of_the_bakery_are_added_and_ours_stay():
    mine = {"release": "kube-prometheus", "team": "cakes", names.BAKERY: "another"}
    spec = {"monitoring": {"serviceMonitor": {"labels": mine, "annotations": {"a": "b"}}}}
    release = {"monitor_labels": {"release": "prometheus", "zone": "eu"}}
    first = of_kind(monitoring.objects(made(spec, release=release)), "ServiceMonitor")[0]

    expected = {"release": "kube-prometheus", "team": "cakes", "zone": "eu", names.BAKERY: "demo"}
    assert expected == {key: value for key, value in first["metadata"]["labels"].items() if key in expected}
    assert {"a": "b"} == first["metadata"]["annotations"]


def test_rules_get_their_labels_and_runbooks_from_the_installation():
    release = {"rule_labels": {"role": "alert-rules"}, "runbook_url": "https://wiki/{alert}.html"}
    rule = _one(monitoring.objects(made(release=release)), "PrometheusRule")

    urls = {each["annotations"]["runbook_url"] for group in rule["spec"]["groups"] for each in group["rules"]
            if "alert" in each}  # fmt: skip
    assert "alert-rules" == rule["metadata"]["labels"]["role"]
    assert "https://wiki/CakegateDoubles.html" in urls


@pytest.mark.parametrize(("said", "limit"), [({}, 80_000), ({"CAKEGATE_GATEWAY_MAX_PENDING": "1000"}, 800)])
def test_the_backlog_is_measured_by_the_bakerys_own_limit(said, limit):
    rule = _one(monitoring.objects(made({"settings": said})), "PrometheusRule")

    (expr,) = [each["expr"] for group in rule["spec"]["groups"] for each in group["rules"]
               if each.get("alert") == "CakegateBacklogNearlyFull"]  # fmt: skip
    assert expr.endswith(f" > {limit}")


@pytest.mark.parametrize(
    ("database", "claims"),
    [
        ({"managed": {}}, {'persistentvolumeclaim=~"data-demo-postgres-0"'}),
        ({"cloudNativePG": {}}, {'persistentvolumeclaim=~"demo-postgres-[0-9]+(-wal)?"'}),
        ({"urlSecretRef": {"name": "mine", "key": "url"}}, set()),
    ],
    ids=["managed", "cloudNativePG", "external"],
)
def test_volumes_are_watched_where_they_are_the_bakerys(database, claims):
    groups = monitoring.rule_groups(made({"database": database}))

    exprs = [each["expr"] for group in groups for each in group["rules"]
             if each.get("alert") == "CakegateDatabaseNearlyFull"]  # fmt: skip
    assert claims == {claim for claim in claims if all(claim in expr for expr in exprs)}
    assert (2 if claims else 0) == len(exprs)


def test_dashboards_of_two_bakeries_do_not_meet_in_grafana():
    config = _one(monitoring.objects(made()), "ConfigMap")
    other = made()
    other = inputs.Inputs(
        bakery=type(other.bakery)(name="demo", namespace="lab", uid="8", generation=1, spec=other.bakery.spec),
        release=other.release,
        facts=other.facts,
    )
    others = _one(monitoring.objects(other), "ConfigMap")

    assert set() == set(config["data"]) & set(others["data"])
    uids = [json.loads(text)["uid"] for each in (config, others) for text in each["data"].values()]
    assert len(set(uids)) == len(uids) == 6
    assert all(len(uid) <= 40 for uid in uids)


def test_the_label_of_grafanas_sidecar_is_there():
    config = _one(monitoring.objects(made()), "ConfigMap")

    assert "1" == config["metadata"]["labels"]["grafana_dashboard"]


def test_the_charts_files_are_current():
    found = {name: (CHART_FILES / name).read_text(encoding="utf-8") for name in files.contents()}

    assert files.contents() == found, f"write them: python -m cakegate_operator.monitoring.files {CHART_FILES}"
