"""compose.yaml: every process with what it reads and no more, waiting by itself for what it needs."""

import re

import pytest
import yaml

from cakegate import cli, settings_pages
from cakegate_operator.build import variables

OURS = ("gateway", "worker", "writer", "scheduler", "migrate", "sample")
#: Which process's settings each service may have.
GROUPS = {
    **{name: variables.GROUPS[name] for name in OURS[:4]},
    "migrate": variables.GROUPS["migration"],
    "sample": set(),
}


@pytest.fixture(scope="module")
def services(root) -> dict:
    return yaml.safe_load((root / "compose.yaml").read_text(encoding="utf-8"))["services"]


def test_it_runs_what_a_bakery_runs(services):
    assert {*OURS, "postgres", "redis"} == set(services)


@pytest.mark.parametrize("name", OURS)
def test_each_process_is_told_what_it_reads_and_no_more(services, name):
    told = services[name].get("environment", {})
    known = set(re.findall(r"CAKEGATE_[A-Z0-9_]+", settings_pages.as_env_template()))
    assert set(told) <= known
    assert {variable.split("_")[1].lower() for variable in told} <= GROUPS[name]


@pytest.mark.parametrize("name", OURS)
def test_each_process_is_a_verb_with_options_that_it_has(services, name):
    verb, *options = services[name]["command"]
    command = cli.verbs.commands[verb]
    # Parsing alone: nothing is run.
    assert verb == command.make_context(verb, list(options)).command.name


@pytest.mark.parametrize("name", OURS)
def test_each_process_has_as_few_rights_as_in_a_cluster(services, name):
    service = services[name]
    assert service["read_only"] is True
    assert (["ALL"], ["no-new-privileges:true"], ["/tmp"]) == (
        service["cap_drop"], service["security_opt"], service["tmpfs"],
    )  # fmt: skip


def test_nothing_waits_for_the_health_of_anything(services):
    for service in services.values():
        assert "depends_on" not in service
        assert "healthcheck" not in service


def test_only_the_gateway_is_reached_and_only_from_this_machine(services):
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert {"gateway": ["127.0.0.1:${BAKERY_PORT:-8000}:8000"]} == published


def test_no_password_is_an_argument(services):
    for service in services.values():
        assert "BAKERY_PASSWORD" not in " ".join(map(str, service["command"]))


def test_a_container_is_killed_later_than_its_process_ends_by_itself(services):
    """Defaults: a worker gives its leases back after 50 s, a gateway drains for 20 s."""
    seconds = {name: int(services[name]["stop_grace_period"].rstrip("s")) for name in ("gateway", "worker", "writer")}
    assert seconds["gateway"] > 20
    assert min(seconds["worker"], seconds["writer"]) > 50
