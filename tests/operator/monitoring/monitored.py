"""A bakery whose monitoring is looked at, and its rules as they are without what only people read."""

import copy
from typing import Any

import msgspec
import yaml

from cakegate_operator import bakery, inputs
from cakegate_operator.build import monitoring
from cakegate_operator.monitoring import files

BAKERY_SCOPE = 'namespace="shop", bakery="demo"'
OPERATOR_SCOPE = 'operator="ops/cakegate"'

Object = dict[str, Any]


def made(
    spec: Object | None = None, *, apis: frozenset[inputs.Api] = frozenset(inputs.OPTIONAL), **more: Any
) -> inputs.Inputs:
    """Inputs of a bakery `demo` in the namespace `shop`; `more` goes to the facts and the release."""
    wanted = {"upstream": {"url": "http://legacy"}, **(spec or {})}
    return inputs.Inputs(
        bakery=bakery.Bakery(
            name="demo", namespace="shop", uid="7", generation=1, spec=msgspec.convert(wanted, bakery.Spec)
        ),
        release=inputs.Release(version="1", **more.pop("release", {})),
        facts=inputs.Facts(version="1", apis=apis, **more),
    )


def of_kind(found: list[Object], kind: str) -> list[Object]:
    return [each for each in found if each["kind"] == kind]


def bakery_groups() -> list[Object]:
    (rule,) = of_kind(monitoring.objects(made()), "PrometheusRule")
    groups: list[Object] = rule["spec"]["groups"]
    return groups


def operator_groups() -> list[Object]:
    """As the chart fills them in."""
    text = files.contents()[files.RULES].replace(files.OPERATOR_TOKEN, "ops/cakegate")
    groups: list[Object] = yaml.safe_load(text.replace(files.RUNBOOKS_TOKEN, "https://cakegate.dev/runbooks/"))[
        "groups"
    ]
    return groups


def alerts(groups: list[Object]) -> list[Object]:
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def bare(groups: list[Object]) -> list[Object]:
    """Without annotations: promtool would want each spelled out where an alert is expected."""
    found = copy.deepcopy(groups)
    for rule in alerts(found):
        del rule["annotations"]
    return found
