"""Whatever rules, dashboards and runbooks ask for is exported, under that name, with those labels."""

import exported
import pytest
from monitored import bakery_groups, operator_groups

from cakegate import contract
from cakegate.adapters.upstream import client
from cakegate.domain import errors, submissions
from cakegate_operator.build import monitoring
from cakegate_operator.monitoring import overview, own_dashboard, panels, pipeline, promql, upstreams

DASHBOARDS = (*monitoring.DASHBOARDS, own_dashboard.OPERATOR)


def _all_rules():
    return [rule for groups in (bakery_groups(), operator_groups()) for group in groups for rule in group["rules"]]


def _shown(dashboard):
    scope = {"namespace": "shop", "bakery": "demo"}
    return [promql.within(expr, scope).replace("$__rate_interval", "5m") for expr in panels.exprs(dashboard)]


EXPRESSIONS = {
    **{f"{rule.get('alert', rule.get('record'))} {number}": rule["expr"] for number, rule in enumerate(_all_rules())},
    **{f"{each.slug} {number}": expr for each in DASHBOARDS for number, expr in enumerate(_shown(each))},
}
RECORDED = {rule["record"]: {"slo"} for rule in _all_rules() if "record" in rule}


def _labels_of(metric):
    return (RECORDED | exported.samples())[metric] | exported.TARGET_LABELS


@pytest.mark.parametrize("expr", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_an_expression_asks_for_what_is_exported(expr):
    found = exported.selectors(expr)

    assert found
    assert set() == {each.metric for each in found} - set(RECORDED) - set(exported.samples())
    for each in found:
        assert set() == {label for label, _, _ in each.matchers} - _labels_of(each.metric)
    assert set() == exported.groupings(expr) - set().union(*(_labels_of(each.metric) for each in found))
    assert set() == exported.unselected(expr)


@pytest.mark.parametrize("expr", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_an_expression_is_about_one_bakery_or_one_operator(expr):
    scopes = ({"namespace", "bakery"}, {"operator"}, {"namespace", "persistentvolumeclaim"})
    for each in exported.selectors(expr):
        assert any(scope <= {label for label, _, _ in each.matchers} for scope in scopes), each


def _values(label, metric_part):
    return {
        value
        for expr in EXPRESSIONS.values()
        for each in exported.selectors(expr)
        for name, _, text in each.matchers
        for value in text.split("|")
        if name == label and metric_part in each.metric
    }


def test_values_of_labels_are_those_that_the_processes_use():
    states = {state.value for state in submissions.State}

    assert set() == _values("queue", "cakegate_") - set(contract.QUEUES)
    assert set() == _values("state", "cakegate_submissions") - states
    assert set() == _values("state", "cakegate_upstream_breaker") - {"closed", "open", "half-open"}
    assert set() == set(upstreams.FAILED.split("|")) - {label for _, label in client._OUTCOMES}
    assert {"ok", "PictureUnreachable"} >= _values("outcome", "cakegate_fetches")
    assert issubclass(errors.PictureUnreachable, errors.PictureError)


def test_bounds_of_latency_are_buckets():
    bounds = _values("le", "cakegate_http_request_duration_seconds_bucket")

    assert {"1.0", "10.0"} == bounds
    assert bounds <= exported.buckets("cakegate_http_request_duration_seconds_bucket")


def test_dashboards_show_all_open_states_and_all_queues():
    ends = {submissions.State.CREATED, submissions.State.REJECTED, submissions.State.FAILED}

    assert {state.value for state in submissions.State} - {end.value for end in ends} == set(overview.OPEN)
    assert set(contract.QUEUES) == set(pipeline.QUEUES)


def test_every_alert_says_how_bad_it_is_and_where_to_read_on():
    for rule in (rule for rule in _all_rules() if "alert" in rule):
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert {"summary", "description", "runbook_url"} == set(rule["annotations"])
        assert f"https://cakegate.dev/runbooks/{rule['alert']}" == rule["annotations"]["runbook_url"]
