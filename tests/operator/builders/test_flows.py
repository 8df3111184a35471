"""Who reaches whom under the policies of a bakery, as a table."""

from typing import Any

import cases
import flows
import pytest

from cakegate_operator import inputs, names

NAMESPACES = {
    each: {"kubernetes.io/metadata.name": each}
    for each in ("shop", "shelf", "monitoring", "keda", "kube-system", "legacy", "operators", "data")
}
POD_ADDRESS = "10.244.1.7"
INTERNET = "93.184.215.14"
DNS = (53, "UDP")
SAMPLE = {"upstream": {"sample": {}}}
LEGACY = {"upstream": {"url": "http://api.legacy.svc:80"}}
DUMPS = {"upstream": {"sample": {}}, "database": {"managed": {"dumps": {}}}}
CNPG = {"upstream": {"url": "https://legacy.example.com"}, "database": {"cloudNativePG": {}}}
EXTERNAL = {
    "upstream": {"url": "https://legacy.example.com"},
    "database": {"urlSecretRef": {"name": "databases", "key": "postgres"}},
    "redis": {"urlSecretRef": {"name": "databases", "key": "redis"}},
    "storage": {"urlSecretRef": {"name": "pictures", "key": "url"}},
}
ENDPOINTS = {
    ("databases", "postgres"): inputs.Endpoint(host="10.50.0.9", port=5433),
    ("databases", "redis"): inputs.Endpoint(host="redis.data.svc.cluster.local", port=6379),
    ("pictures", "url"): inputs.Endpoint(host="minio.data", port=9000),
}


def network(spec: dict[str, Any]) -> flows.Network:
    made = cases.given(cases.resource(spec), endpoints=ENDPOINTS)
    policies = [each for each in cases.objects(made) if each["kind"] == "NetworkPolicy"]
    return flows.Network(policies=policies, namespaces=NAMESPACES)


def peer(who: str) -> flows.Peer:
    """`gateway` and the like: a pod of this bakery; `shelf/gateway`: of another's; an address: one outside."""
    if who[0].isdigit() or ":" in who:
        return flows.Peer(address=who)
    namespace, _, component = who.rpartition("/")
    found = {
        "keda": {"app": "keda-operator"},
        "prometheus": {"app.kubernetes.io/name": "prometheus"},
        "operator": {names.APP: names.OPERATOR},
        "cnpg": {"cnpg.io/cluster": "demo-postgres", "role": "primary"},
        "stranger": {"app": "shell"},
        "redis-of-mine": {"app": "redis"},
    }
    labels = found.get(component, names.selector("demo", component))
    return flows.Peer(address=POD_ADDRESS, namespace=namespace or "shop", labels=labels)


#: Whose spec, from whom, to whom, on which port.
PASS = [
    (SAMPLE, "gateway", "postgres", 5432),
    (SAMPLE, "worker", "postgres", 5432),
    (SAMPLE, "writer", "postgres", 5432),
    (SAMPLE, "scheduler", "postgres", 5432),
    (SAMPLE, "migration", "postgres", 5432),
    (DUMPS, "dumps", "postgres", 5432),
    (SAMPLE, "gateway", "redis", 6379),
    (SAMPLE, "worker", "redis", 6379),
    (SAMPLE, "writer", "redis", 6379),
    (SAMPLE, "scheduler", "redis", 6379),
    (SAMPLE, "keda/keda", "redis", 6379),
    (SAMPLE, "gateway", "sample", 8900),
    (SAMPLE, "writer", "sample", 8900),
    (SAMPLE, "scheduler", "sample", 8900),
    (SAMPLE, "worker", "sample", 8900),
    (SAMPLE, "operators/operator", "sample", 8900),
    (SAMPLE, INTERNET, "gateway", 8000),
    (SAMPLE, "10.0.0.5", "gateway", 8000),
    (SAMPLE, "monitoring/stranger", "gateway", 8000),
    (SAMPLE, "worker", INTERNET, 443),
    (SAMPLE, "worker", INTERNET, 80),
    (SAMPLE, "worker", "2606:2800:21f::1", 443),
    *((SAMPLE, "monitoring/prometheus", each, 9100) for each in names.PROCESSES),
    *((SAMPLE, each, "kube-system/stranger", 53) for each in (*names.PROCESSES, "migration")),
    (LEGACY, "gateway", "legacy/stranger", 8080),
    (LEGACY, "writer", "legacy/stranger", 8080),
    (LEGACY, "scheduler", "legacy/stranger", 8080),
    (CNPG, "gateway", "cnpg", 5432),
    (CNPG, "worker", "cnpg", 5432),
    (CNPG, "migration", "cnpg", 5432),
    (CNPG, "writer", INTERNET, 443),
    (EXTERNAL, "worker", "10.50.0.9", 5433),
    (EXTERNAL, "migration", "10.50.0.9", 5433),
    (EXTERNAL, "worker", "data/redis-of-mine", 6379),
    (EXTERNAL, "worker", "data/stranger", 9000),
    (EXTERNAL, "gateway", "data/stranger", 9000),
]
STOP = [
    (SAMPLE, "worker", "10.0.0.5", 80),
    (SAMPLE, "worker", "172.20.0.1", 443),
    (SAMPLE, "worker", "192.168.1.1", 80),
    (SAMPLE, "worker", "169.254.169.254", 80),
    (SAMPLE, "worker", "100.100.0.1", 80),
    (SAMPLE, "worker", "168.63.129.16", 80),
    (SAMPLE, "worker", "192.0.0.192", 80),
    (SAMPLE, "worker", "240.1.2.3", 443),
    (SAMPLE, "worker", "fd00::1", 80),
    (SAMPLE, "worker", "kube-system/stranger", 443),
    (SAMPLE, "worker", "gateway", 8000),
    (SAMPLE, "worker", "postgres", 9187),
    (SAMPLE, "worker", INTERNET, 22),
    (LEGACY, "worker", "legacy/stranger", 8080),
    (SAMPLE, "gateway", INTERNET, 443),
    (SAMPLE, "writer", INTERNET, 443),
    (SAMPLE, "scheduler", INTERNET, 443),
    (SAMPLE, "migration", INTERNET, 443),
    (SAMPLE, "migration", "redis", 6379),
    (SAMPLE, "sample", INTERNET, 443),
    (SAMPLE, "postgres", INTERNET, 443),
    (SAMPLE, "redis", "postgres", 5432),
    (DUMPS, "dumps", INTERNET, 443),
    (DUMPS, "dumps", "redis", 6379),
    (SAMPLE, INTERNET, "gateway", 9100),
    (SAMPLE, "shop/stranger", "gateway", 9100),
    *((SAMPLE, INTERNET, each, 9100) for each in names.PROCESSES),
    *((SAMPLE, INTERNET, each, 9101) for each in names.PROCESSES),
    (SAMPLE, INTERNET, "postgres", 5432),
    (SAMPLE, INTERNET, "redis", 6379),
    (SAMPLE, INTERNET, "sample", 8900),
    (SAMPLE, "shop/stranger", "postgres", 5432),
    (SAMPLE, "shop/stranger", "redis", 6379),
    (SAMPLE, "shop/stranger", "sample", 8900),
    (SAMPLE, "shelf/gateway", "postgres", 5432),
    (SAMPLE, "shelf/worker", "redis", 6379),
    (SAMPLE, "keda/keda", "postgres", 5432),
    (SAMPLE, "monitoring/prometheus", "redis", 6379),
    (SAMPLE, "operators/operator", "postgres", 5432),
    (EXTERNAL, "worker", "10.50.0.9", 5432),
    (EXTERNAL, "worker", "10.50.0.10", 5433),
    (EXTERNAL, "worker", "legacy/stranger", 6380),
]


def shown(row: tuple[dict[str, Any], str, str, int]) -> str:
    spec, source, destination, port = row
    known = {id(SAMPLE): "sample", id(LEGACY): "legacy", id(DUMPS): "dumps", id(CNPG): "cnpg", id(EXTERNAL): "external"}
    return f"{known[id(spec)]}: {source} to {destination}:{port}"


@pytest.mark.parametrize("row", PASS, ids=shown)
def test_this_flow_passes(row: tuple[dict[str, Any], str, str, int]) -> None:
    spec, source, destination, port = row
    assert network(spec).passes(peer(source), peer(destination), port)


@pytest.mark.parametrize("row", STOP, ids=shown)
def test_this_flow_does_not_pass(row: tuple[dict[str, Any], str, str, int]) -> None:
    spec, source, destination, port = row
    assert not network(spec).passes(peer(source), peer(destination), port)


def test_names_are_asked_for_by_udp() -> None:
    assert network(SAMPLE).passes(peer("worker"), peer("kube-system/stranger"), *DNS)
    assert not network(SAMPLE).passes(peer("redis"), peer("kube-system/stranger"), *DNS)


def test_a_worker_may_be_kept_from_the_internet_altogether() -> None:
    shut = network({**SAMPLE, "networkPolicy": {"clusterCIDRs": ["0.0.0.0/0", "::/0"]}})
    assert not shut.passes(peer("worker"), peer(INTERNET), 443)
    assert not shut.passes(peer("worker"), peer("10.0.0.5"), 443)
    assert shut.passes(peer("worker"), peer("sample"), 8900)


def test_what_a_resource_adds_is_added() -> None:
    opened = network({
        **SAMPLE,
        "networkPolicy": {"extraEgress": [{"to": [{"ipBlock": {"cidr": "10.9.8.7/32"}}], "ports": [{"port": 3128}]}]},
    })  # fmt: skip
    assert opened.passes(peer("worker"), peer("10.9.8.7"), 3128)
    assert not opened.passes(peer("worker"), peer("10.9.8.8"), 3128)


def test_pictures_on_a_public_port_of_the_settings_can_be_fetched() -> None:
    opened = network({**SAMPLE, "settings": {"CAKEGATE_FETCH_ALLOW": "pictures.example.com:8443"}})
    assert opened.passes(peer("worker"), peer(INTERNET), 8443)
    assert not opened.passes(peer("worker"), peer("10.0.0.5"), 8443)


def test_no_policy_is_made_where_they_are_switched_off() -> None:
    assert [] == network({**SAMPLE, "networkPolicy": {"mode": "Disabled"}}).policies
