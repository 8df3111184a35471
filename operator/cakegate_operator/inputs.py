"""What builders are given: the bakery, what the operator was installed with, and what was observed. All of it data.

A builder is a pure function from `Inputs` to objects, so that golden files can hold what it makes, and so that an
operator that starts anew makes the same again.
"""

from typing import Any

import msgspec

from cakegate_operator import bakery

Object = dict[str, Any]


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator was installed with: its own version, and defaults for all bakeries (the chart's values)."""

    version: str
    repository: str = "ghcr.io/cakegate/cakegate"
    postgres_image: str = "docker.io/library/postgres:{major}"
    redis_image: str = "docker.io/valkey/valkey:9"
    pull_secrets: list[str] = []
    monitor_labels: dict[str, str] = {}
    rule_labels: dict[str, str] = {}
    dashboard_labels: dict[str, str] = msgspec.field(default_factory=lambda: {"grafana_dashboard": "1"})
    runbook_url: str = "https://cakegate.dev/runbooks/{alert}"


class Api(msgspec.Struct, frozen=True):
    """An optional API: its group and version, and the kind that we would make."""

    api_version: str
    kind: str


KEDA = Api("keda.sh/v1alpha1", "ScaledObject")
SERVICE_MONITOR = Api("monitoring.coreos.com/v1", "ServiceMonitor")
PROMETHEUS_RULE = Api("monitoring.coreos.com/v1", "PrometheusRule")
CLOUD_NATIVE_PG = Api("postgresql.cnpg.io/v1", "Cluster")
HTTP_ROUTE = Api("gateway.networking.k8s.io/v1", "HTTPRoute")
OPTIONAL = (KEDA, SERVICE_MONITOR, PROMETHEUS_RULE, CLOUD_NATIVE_PG, HTTP_ROUTE)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a URL leads: what NetworkPolicies need of one, and nothing that is secret."""

    host: str
    port: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What was observed and shapes the objects: nothing that changes by the second.

    `apis` holds the optional APIs that are there; `unknown_apis` those about which the API server gave no clear answer:
    objects of theirs are neither made nor pruned. `secrets` maps (Secret, key) to a digest of the value, for every
    reference that resolved, and `endpoints` to where it leads, for those that hold the URL of a server
    (`build.credentials.endpoint`). `version` is what is to run: the spec's, else what runs, else the operator's own.
    `proven` holds the images that the operator chose for servers, by component, and that have run since: another
    default does not replace them. Empty where the resource names the image.
    `ordered` names components whose StatefulSet was made with the policy OrderedReady, which cannot be changed.
    """

    version: str
    apis: frozenset[Api] = frozenset()
    unknown_apis: frozenset[Api] = frozenset()
    secrets: dict[tuple[str, str], str] = {}
    endpoints: dict[tuple[str, str], Endpoint] = {}
    ordered: frozenset[str] = frozenset()
    proven: dict[str, str] = {}


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """All that a builder may look at."""

    bakery: bakery.Bakery
    release: Release
    facts: Facts
