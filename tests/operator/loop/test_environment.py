import pytest

from cakegate.domain.errors import InvalidSettings
from cakegate_operator import environment


def test_nothing_set_gives_the_defaults():
    found = environment.from_env({})
    assert ((), "cakegate-operator", 120.0) == (found.namespaces, found.lease_name, found.resync_seconds)
    assert "ghcr.io/cakegate/cakegate" == found.release().repository


def test_what_the_chart_writes_is_read():
    found = environment.from_env(
        {
            "CAKEGATE_OPERATOR_NAMESPACES": "a, b",
            "CAKEGATE_OPERATOR_RESYNC_SECONDS": "30",
            "CAKEGATE_OPERATOR_IMAGE_REPOSITORY": "registry.example/cakegate",
            "CAKEGATE_OPERATOR_PULL_SECRETS": "pull",
            "CAKEGATE_OPERATOR_MONITOR_LABELS": "release=prometheus,team=cakes",
            "CAKEGATE_OPERATOR_DASHBOARD_LABELS": "",
            "CAKEGATE_OPERATOR_DEFAULT_VERSION": "dev",
            "CAKEGATE_GATEWAY_PORT": "1",
        }
    )
    release = found.release()
    assert (("a", "b"), 30.0) == (found.namespaces, found.resync_seconds)
    assert ("registry.example/cakegate", "dev", ["pull"]) == (
        release.repository,
        release.version,
        release.pull_secrets,
    )
    assert {"release": "prometheus", "team": "cakes"} == release.monitor_labels
    assert {"grafana_dashboard": "1"} == release.dashboard_labels


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAKEGATE_OPERATOR_RESYNC_SECONDS", "often"),
        ("CAKEGATE_OPERATOR_RESYNC_SECONDS", "0"),
        ("CAKEGATE_OPERATOR_LOG_LEVEL", "loud"),
        ("CAKEGATE_OPERATOR_MONITOR_LABELS", "release"),
        ("CAKEGATE_OPERATOR_NAMESPACE_LIST", "a"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(name, value):
    with pytest.raises(InvalidSettings, match=name):
        environment.from_env({name: value})
