"""Dashboards as Grafana reads them."""

import json
import re

import pytest
import yaml
from monitored import made, of_kind

from cakegate_operator.build import monitoring
from cakegate_operator.monitoring import files


def _documents():
    (config,) = of_kind(monitoring.objects(made()), "ConfigMap")
    own = {files.DASHBOARD: files.contents()[files.DASHBOARD]}
    return {name: json.loads(text) for name, text in {**config["data"], **own}.items()}


DOCUMENTS = _documents()
documents = pytest.mark.parametrize("shown", DOCUMENTS.values(), ids=DOCUMENTS)


def _panels(shown):
    return [panel for panel in shown["panels"] if panel["type"] != "row"]


@documents
def test_panels_stand_side_by_side_and_none_upon_another(shown):
    taken = set()
    for panel in shown["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert place["x"] + place["w"] <= 24
        assert set() == taken & cells
        taken |= cells
    assert len(shown["panels"]) == len({panel["id"] for panel in shown["panels"]})


@documents
def test_the_data_source_is_picked_by_the_reader(shown):
    first, *others = shown["templating"]["list"]

    assert ("datasource", "datasource", "prometheus") == (first["name"], first["type"], first["query"])
    for panel in _panels(shown):
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(each["uid"] == "${datasource}" for each in sources)
    assert all(each["datasource"]["uid"] == "${datasource}" for each in others)


@documents
def test_every_variable_that_is_asked_for_is_there(shown):
    exprs = [target["expr"] for panel in _panels(shown) for target in panel["targets"]]
    asked = {name for expr in exprs for name in re.findall(r"\$(\w+)", expr)} - {"__rate_interval"}

    assert asked == {each["name"] for each in shown["templating"]["list"]} - {"datasource"}


@documents
def test_legends_name_labels_that_are_left(shown):
    for panel in _panels(shown):
        for target in panel["targets"]:
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            left = {
                label.strip() for found in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in found.split(",")
            }
            assert not left or named <= left, target


def test_a_bakerys_dashboards_open_on_that_bakery():
    for name, shown in DOCUMENTS.items():
        if name != files.DASHBOARD:
            current = {each["name"]: each["current"].get("value") for each in shown["templating"]["list"]}
            assert {"datasource": None, "namespace": "shop", "bakery": "demo"} == current
            assert shown["title"].endswith(": shop/demo")


def test_prometheus_understands_every_query(promtool, tmp_path):
    exprs = [target["expr"] for shown in DOCUMENTS.values() for panel in _panels(shown) for target in panel["targets"]]
    rules = [{"record": f"panel:{number}", "expr": expr.replace("$__rate_interval", "5m")}
             for number, expr in enumerate(exprs)]  # fmt: skip
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")

    assert f"{len(exprs)} rules found" in promtool("check", "rules", file)
