"""The rules, read and evaluated by Prometheus's own tool."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rule_cases
import yaml
from monitored import BAKERY_SCOPE, OPERATOR_SCOPE, alerts, bakery_groups, bare, operator_groups
from rule_cases import Case, fired
from rule_histories import HEALTHY, HISTORIES

from cakegate_operator.monitoring import objectives, promql

BAKERY_LABELS = {"namespace": "shop", "bakery": "demo"}
OPERATOR_LABELS = {"operator": "ops/cakegate"}
REQUESTS = "cakegate_http_requests_total"
SEVERITIES = {burn.long: burn.severity for burn in objectives.BURNS}


def _written(folder: Path, name: str, content: object) -> Path:
    file = folder / name
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return file


def _test_files(
    folder: Path, groups: list[dict[str, Any]], tests: Callable[[set[str]], list[dict[str, object]]]
) -> list[Path]:
    """One for each group of rules, as `tests` makes it from the names of its alerts: others' rules only take time."""
    files = []
    for group in groups:
        rules = _written(folder, f"{group['name']}.yaml", {"groups": [group]})
        named = {rule["alert"] for rule in group["rules"] if "alert" in rule}
        content = {"rule_files": [rules.name], "evaluation_interval": "1m", "tests": tests(named)}
        files.append(_written(folder, f"{group['name']}.test.yaml", content))
    return files


def _about(cases: tuple[Case, ...], names: set[str]) -> tuple[Case, ...]:
    return tuple(case for case in cases if case.alert in names)


def _tests(cases: tuple[Case, ...], scope: str, labels: dict[str, str]) -> list[dict[str, object]]:
    return [
        {
            "interval": "1m",
            "input_series": _series(series, scope),
            "alert_rule_test": [_expected(case.alert, case.at, found, labels)],
        }
        for case in cases
        for series, found in ((case.breaks, fired(case)), (case.holds, []))
    ]


def _series(series: dict[str, str], scope: str) -> list[dict[str, str]]:
    return [{"series": name.replace(promql.SCOPE, scope), "values": values} for name, values in series.items()]


def _expected(alert: str, at: str, found: list[dict[str, str]], labels: dict[str, str]) -> dict[str, object]:
    return {"alertname": alert, "eval_time": at, "exp_alerts": [{"exp_labels": {**labels, **each}} for each in found]}


@pytest.mark.parametrize("groups", [bakery_groups, operator_groups], ids=["bakery", "operator"])
def test_rules_are_valid_and_their_templates_too(promtool, tmp_path, groups):
    file = _written(tmp_path, "rules.yaml", {"groups": groups()})

    assert "SUCCESS" in promtool("check", "rules", "--lint=all", "--lint-fatal", file)


@pytest.mark.parametrize(
    ("groups", "cases", "scope", "labels"),
    [
        (bakery_groups, rule_cases.BAKERY, BAKERY_SCOPE, BAKERY_LABELS),
        (operator_groups, rule_cases.OPERATOR, OPERATOR_SCOPE, OPERATOR_LABELS),
    ],
    ids=["bakery", "operator"],
)
def test_each_alert_fires_on_what_it_is_for_and_not_on_what_comes_close(
    promtool, tmp_path, groups, cases, scope, labels
):
    tests = _test_files(tmp_path, bare(groups()), lambda names: _tests(_about(cases, names), scope, labels))

    promtool("test", "rules", *tests)


def test_each_window_of_a_promise_sees_its_own_failures(promtool, tmp_path):
    tests = [
        {
            "name": history.title,
            "interval": "1m",
            "input_series": _series(
                {
                    f'{REQUESTS}{{SCOPE, method="POST", route="/api/cakes", status="{status}"}}': values
                    for status, values in (("201", history.good), ("503", history.bad))
                },
                BAKERY_SCOPE,
            ),
            "alert_rule_test": [
                _expected(
                    "CakegateSubmitErrors",
                    at,
                    [{"slo": "submit-errors", "window": each, "severity": SEVERITIES[each]} for each in windows],
                    BAKERY_LABELS,
                )
                for at, windows in history.windows.items()
            ],
        }
        for history in HISTORIES
    ]

    groups = [group for group in bare(bakery_groups()) if group["name"] == "cakegate-submit-errors"]
    promtool("test", "rules", *_test_files(tmp_path, groups, lambda _: tests))


def _told(series, expected):
    """One test of many alerts at the end of two hours: which fire, with which labels."""
    return lambda names: [
        {
            "interval": "1m",
            "input_series": _series(series, BAKERY_SCOPE),
            "alert_rule_test": [
                _expected(alert, "2h", expected.get(alert, []), BAKERY_LABELS) for alert in sorted(names)
            ],
        }
    ]


def test_a_bakery_that_does_well_wakes_nobody(promtool, tmp_path):
    promtool("test", "rules", *_test_files(tmp_path, bare(bakery_groups()), _told(HEALTHY, {})))


def test_a_bakery_that_prometheus_cannot_see_is_told_of(promtool, tmp_path):
    down = [
        {"component": component, "severity": severity}
        for component, severity in (
            ("gateway", "critical"), ("worker", "critical"), ("writer", "warning"), ("scheduler", "warning")
        )
    ]  # fmt: skip
    expected = {"CakegateComponentDown": down, "CakegateSchedulerWithoutLeader": [{"severity": "critical"}]}

    promtool("test", "rules", *_test_files(tmp_path, bare(bakery_groups()), _told({}, expected)))


def test_annotations_name_labels_that_the_alert_has():
    cases = (*rule_cases.BAKERY, *rule_cases.OPERATOR)
    for rule in [*alerts(bakery_groups()), *alerts(operator_groups())]:
        named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["description"]))
        (labels, *_) = [set(fired(case)[0]) for case in cases if case.alert == rule["alert"]]
        assert named <= labels, rule["alert"]


def test_every_alert_has_a_case():
    named = {rule["alert"] for groups in (bakery_groups(), operator_groups()) for group in groups
             for rule in group["rules"] if "alert" in rule}  # fmt: skip

    assert named == {case.alert for case in (*rule_cases.BAKERY, *rule_cases.OPERATOR)}
