"""Alerts and recorded series as types, and how Prometheus reads them."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from cakegate_operator.monitoring import promql

Object = dict[str, Any]

#: `critical` is for a person now, day or night; `warning` for a person in working hours.
Severity = Literal["critical", "warning"]


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """When a person is told. `lasting` is how long `expr` must hold before; `labels` besides the severity."""

    name: str
    expr: str
    lasting: str
    severity: Severity
    summary: str
    description: str
    labels: dict[str, str] = {}


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A series that Prometheus works out once for all who ask."""

    name: str
    expr: str
    labels: dict[str, str] = {}


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Rules that are evaluated together, in this order; `every_seconds`, or as often as Prometheus does by itself."""

    name: str
    rules: tuple[Alert | Record, ...]
    every_seconds: int | None = None


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What rules are about: the labels that select its series, those that each result is given, its name for people.

    `runbook_url` has `{alert}` where the alert's name goes.
    """

    selects: dict[str, str]
    labels: dict[str, str]
    title: str
    runbook_url: str


def rendered(groups: Sequence[Group], subject: Subject) -> list[Object]:
    """Groups as they stand in a rules file or a PrometheusRule."""
    return [_group(each, subject) for each in groups]


def _group(group: Group, subject: Subject) -> Object:
    pace = {"interval": f"{group.every_seconds}s"} if group.every_seconds else {}
    return {"name": group.name, **pace, "rules": [_rule(rule, subject) for rule in group.rules]}


def _rule(rule: Alert | Record, subject: Subject) -> Object:
    expr = promql.within(rule.expr, subject.selects)
    labels = {**subject.labels, **rule.labels}
    if isinstance(rule, Record):
        return {"record": rule.name, "expr": expr, "labels": labels}
    return {
        "alert": rule.name,
        "expr": expr,
        "for": rule.lasting,
        "labels": {**labels, "severity": rule.severity},
        "annotations": {
            "summary": f"{subject.title}: {rule.summary}",
            "description": rule.description,
            "runbook_url": subject.runbook_url.replace("{alert}", rule.name),
        },
    }
