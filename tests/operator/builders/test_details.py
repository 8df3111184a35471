"""Exposure, disruption, odds and ends."""

import json
import re
from typing import Any

import cases
import pytest

from cakegate_operator.build import exposure, redis
from cakegate_operator.inputs import Inputs

# Exposure, disruption, odds and ends


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, "http://demo-gateway.shop.svc/"),
        ({"type": "Ingress", "ingress": {"host": "a.example.com"}}, "http://a.example.com/"),
        ({"type": "Ingress", "ingress": {"host": "a.example.com", "tlsSecretName": "t"}}, "https://a.example.com/"),
        (
            {"type": "HTTPRoute", "httpRoute": {"parentRefs": [{"name": "g"}], "hostnames": ["b.example.com"]}},
            "https://b.example.com/",
        ),
    ],
)
def test_where_the_api_is(spec: dict[str, Any], expected: str) -> None:
    made: Inputs = cases.given(cases.resource({"upstream": cases.LEGACY, "exposure": spec}))
    assert expected == exposure.url(made)


@pytest.mark.parametrize(
    ("gateway", "expected"),
    [
        ({}, {"maxUnavailable": 1}),
        ({"replicas": 1}, None),
        ({"replicas": 3, "podDisruptionBudget": {"minAvailable": 2}}, {"minAvailable": 2}),
        ({"autoscaling": {"minReplicas": 1}}, None),
        ({"autoscaling": {}}, {"maxUnavailable": 1}),
    ],
)
def test_gateways_are_drained_one_by_one(gateway: dict[str, Any], expected: dict[str, int] | None) -> None:
    budgets = [
        each
        for each in cases.built({"upstream": cases.LEGACY, "gateway": gateway})
        if each["kind"] == "PodDisruptionBudget"
    ]
    found = [{key: each["spec"][key] for key in each["spec"] if key.startswith(("min", "max"))} for each in budgets]
    assert ([expected] if expected else []) == found


def test_metrics_are_never_behind_the_public_service() -> None:
    found = cases.built({"upstream": cases.LEGACY, "gateway": {"service": {"type": "LoadBalancer"}}})
    public = cases.one(found, "Service", "demo-gateway")["spec"]
    assert ["http"] == [port["name"] for port in public["ports"]]
    assert {"ClusterIP"} == {
        each["spec"]["type"]
        for each in found
        if each["kind"] == "Service" and each["metadata"]["name"] != "demo-gateway"
    }


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("256Mi", 256 * 2**20),
        ("1Gi", 2**30),
        ("1.5G", 1_500_000_000),
        ("1000", 1000),
        ("2k", 2000),
        ("0", 1),
        ("5m", 1),
    ],
)
def test_quantities_as_bytes(quantity: str, expected: int) -> None:
    assert expected == redis.in_bytes(quantity)


def test_no_variable_is_expanded_into_an_argument() -> None:
    """Kubernetes writes `$(NAME)` out into arguments, which all of a node can read."""
    found = cases.built({"upstream": cases.SAMPLE, "database": {"managed": {"dumps": {}}}})
    for where, each in cases.pod_specs(found).items():
        for container in each["spec"]["containers"]:
            assert [] == re.findall(r"\$\([A-Z_]+\)", json.dumps([container.get("command"), container.get("args")])), (
                where
            )
