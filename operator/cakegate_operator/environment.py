"""What the operator is told when it is installed: the only reader of its environment, `CAKEGATE_OPERATOR_*`.

The chart's values end here. Lists are separated by commas, labels are `name=value` pairs.
"""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

import cakegate
from cakegate import contract
from cakegate.domain.errors import InvalidSettings
from cakegate_operator.inputs import Release

PREFIX: Final = f"{contract.ENV_PREFIX}OPERATOR_"
_NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

Seconds = Annotated[float, Meta(ge=1, le=86_400)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Labels = dict[str, str]


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's settings; `lease_name` is the variable `CAKEGATE_OPERATOR_LEASE_NAME`."""

    namespaces: Annotated[tuple[str, ...], Meta(description="Namespaces to look after; empty: all.")] = ()
    namespace: Annotated[str, Meta(description="Where its Lease is; default: the pod's own namespace.")] = ""
    lease_name: Annotated[str, Meta(description="Name of the Lease.", min_length=1)] = "cakegate-operator"
    lease_seconds: Annotated[Seconds, Meta(description="How long a lost leader is waited for.")] = 15.0
    identity: Annotated[str, Meta(description="Name in the Lease; default: the host's, which is the pod's.")] = ""
    resync_seconds: Annotated[Seconds, Meta(description="How often a bakery is looked at without an event.")] = 120.0
    probe_upstream: Annotated[bool, Meta(description="Whether upstreams are asked for UpstreamReachable.")] = True
    metrics_port: Annotated[Port, Meta(description="Port of /metrics.")] = contract.METRICS_PORT
    health_port: Annotated[Port, Meta(description="Port of /healthz and /readyz.")] = contract.HEALTH_PORT
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="What is logged.")] = "info"
    log_format: Annotated[Literal["json", "console"], Meta(description="For machines or for people.")] = "json"
    image_repository: Annotated[str | None, Meta(description="Default image of Cakegate, without a tag.")] = None
    postgres_image: Annotated[
        str | None, Meta(description="Default image of the managed Postgres; `{major}` is its major version.")
    ] = None
    redis_image: Annotated[str | None, Meta(description="Default image of the managed Redis.")] = None
    pull_secrets: Annotated[tuple[str, ...], Meta(description="Secrets to pull all images with.")] = ()
    monitor_labels: Annotated[Labels, Meta(description="Labels of all ServiceMonitors.")] = {}
    rule_labels: Annotated[Labels, Meta(description="Labels of all PrometheusRules.")] = {}
    dashboard_labels: Annotated[Labels | None, Meta(description="Labels of all dashboards' ConfigMaps.")] = None
    runbook_url: Annotated[str | None, Meta(description="Where runbooks are; `{alert}` is the alert's name.")] = None
    default_version: Annotated[
        str | None, Meta(description="Version of new bakeries that name none; default: the operator's own.")
    ] = None

    def release(self) -> Release:
        """What builders get of it."""
        chosen = {
            "repository": self.image_repository,
            "postgres_image": self.postgres_image,
            "redis_image": self.redis_image,
            "pull_secrets": list(self.pull_secrets),
            "monitor_labels": self.monitor_labels,
            "rule_labels": self.rule_labels,
            "dashboard_labels": self.dashboard_labels,
            "runbook_url": self.runbook_url,
        }
        return Release(
            version=self.default_version or cakegate.__version__,
            **{name: value for name, value in chosen.items() if value is not None},  # type: ignore[arg-type]
        )


def from_env(environ: Mapping[str, str] = os.environ) -> Environment:
    """The settings in force; `InvalidSettings` names the variable that cannot be."""
    fields = {f"{PREFIX}{field.name.upper()}": field for field in msgspec.structs.fields(Environment)}
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in fields)
    if unknown:
        raise InvalidSettings(f"{unknown[0]}: there is no such setting")
    # An empty value is an unset one: charts write what nobody chose so.
    found: dict[str, Any] = {}
    for name, field in fields.items():
        if value := environ.get(name, "").strip():
            found[field.name] = _value(name, value, field.type)
    return Environment(**{"namespace": _own_namespace(), "identity": socket.gethostname(), **found})


def _value(name: str, text: str, kind: Any) -> Any:
    try:
        return msgspec.convert(_parts(name, text), kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidSettings(f"{name}: {error}") from error


def _parts(name: str, text: str) -> Any:
    """A text as what its setting holds: lists and labels are written with commas."""
    if name.endswith("_LABELS"):
        pairs = [each.partition("=") for each in _listed(text)]
        if not all(equals for _, equals, _ in pairs):
            raise InvalidSettings(f"{name}: labels are name=value pairs, separated by commas")
        return {key.strip(): value.strip() for key, _, value in pairs}
    return _listed(text) if name.endswith(("_NAMESPACES", "_PULL_SECRETS")) else text


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _own_namespace() -> str:
    return _NAMESPACE_FILE.read_text(encoding="utf-8").strip() if _NAMESPACE_FILE.exists() else "default"
