"""Who may talk to whom: one policy a component, for what comes in and for what goes out.

Kubernetes adds policies up, so what none allows is forbidden for every pod that one selects. Host names cannot stand in
a policy: a name inside the cluster becomes its namespace, any other all addresses on its port.
"""

import ipaddress
from collections.abc import Iterator
from typing import Final

from cakegate import contract
from cakegate_operator import bakery, names
from cakegate_operator.build import cloudnativepg, credentials
from cakegate_operator.build import objects as making
from cakegate_operator.inputs import Endpoint, Inputs, Object

POLICY: Final = ("networking.k8s.io/v1", "NetworkPolicy")
NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
_ANYWHERE: Final = ("0.0.0.0/0", "::/0")
_DNS_PORT: Final = 53
#: Where pictures may lie (the worker fetches from no other port but those of CAKEGATE_FETCH_ALLOW).
_WEB_PORTS: Final = (80, 443)
_DATABASE_USERS: Final = (*names.PROCESSES, names.MIGRATION, names.DUMPS)
_REDIS_USERS: Final = names.PROCESSES
_UPSTREAM_USERS: Final = (names.GATEWAY, names.WRITER, names.SCHEDULER)
#: Labels of a name in the cluster: service.namespace, or service.namespace.svc and what follows.
_SHORT, _SVC = 2, 2


def objects(inputs: Inputs) -> list[Object]:
    """The policies, unless they are switched off."""
    spec = inputs.bakery.spec
    if spec.network_policy.mode == "Disabled":
        return []
    found = [
        _policy(inputs, component, ingress=_ingress(inputs, component), egress=_egress(inputs, component))
        for component in (*names.PROCESSES, names.MIGRATION)
    ]
    if spec.database.managed:
        found.append(_policy(inputs, names.POSTGRES, ingress=[_to_postgres(inputs)], egress=[]))
        if spec.database.managed.dumps:
            found.append(_policy(inputs, names.DUMPS, ingress=[], egress=[_dns(), *_to_database(inputs)]))
    if spec.redis.managed:
        found.append(_policy(inputs, names.REDIS, ingress=[_to_managed_redis(inputs)], egress=[]))
    if spec.upstream.sample:
        found.append(_policy(inputs, names.SAMPLE, ingress=[_to_sample(inputs)], egress=[]))
    return found


def _policy(inputs: Inputs, component: str, *, ingress: list[Object], egress: list[Object]) -> Object:
    spec: Object = {"podSelector": making.selector(inputs, component), "policyTypes": ["Ingress", "Egress"]}
    # Empty lists the API server leaves out, so that every apply would be a change. A type without rules allows nothing.
    rules = {name: found for name, found in (("ingress", ingress), ("egress", egress)) if found}
    return making.made(inputs, POLICY, component=component, spec=spec | rules)


# What comes in


def _ingress(inputs: Inputs, component: str) -> list[Object]:
    """Monitoring may scrape our processes; the gateway is open to all on its one port."""
    wanted = inputs.bakery.spec.network_policy
    if component == names.MIGRATION:
        return []
    rules = [_rule("from", [_namespace(wanted.monitoring_namespace_selector)], contract.METRICS_PORT)]
    if component == names.GATEWAY:
        rules = [_rule("from", [], contract.GATEWAY_PORT), *rules, *(wanted.extra_ingress or [])]
    return rules


def _to_postgres(inputs: Inputs) -> Object:
    return _rule("from", [_pods(inputs, each) for each in _DATABASE_USERS], names.POSTGRES_PORT)


def _to_managed_redis(inputs: Inputs) -> Object:
    keda = _namespace(inputs.bakery.spec.network_policy.keda_namespace_selector)
    return _rule("from", [*(_pods(inputs, each) for each in _REDIS_USERS), keda], names.REDIS_PORT)


def _to_sample(inputs: Inputs) -> Object:
    """All that are told its address, and operators, which look whether it answers."""
    operators = {"namespaceSelector": {}, "podSelector": {"matchLabels": {names.APP: names.OPERATOR}}}
    return _rule("from", [*(_pods(inputs, each) for each in names.PROCESSES), operators], contract.SAMPLE_PORT)


# What goes out


def _egress(inputs: Inputs, component: str) -> list[Object]:
    spec, rules = inputs.bakery.spec, [_dns(), *_to_database(inputs)]
    if component in _REDIS_USERS:
        rules += _to_redis(inputs)
    if component in _UPSTREAM_USERS:
        rules += _to_upstream(inputs)
    if component in {names.GATEWAY, names.WORKER} and spec.storage.url_secret_ref:
        rules += _to_reference(inputs, spec.storage.url_secret_ref, 443)
    if component == names.WORKER:
        rules += _to_pictures(inputs)
    return [*rules, *(spec.network_policy.extra_egress or [])]


def _to_database(inputs: Inputs) -> list[Object]:
    chosen = inputs.bakery.spec.database
    if chosen.url_secret_ref:
        return _to_reference(inputs, chosen.url_secret_ref, names.POSTGRES_PORT)
    if chosen.cloud_native_pg:
        servers = {cloudnativepg.POD_LABEL: names.child(inputs.bakery.name, names.POSTGRES)}
        return [_rule("to", [{"podSelector": {"matchLabels": servers}}], names.POSTGRES_PORT)]
    return [_rule("to", [_pods(inputs, names.POSTGRES)], names.POSTGRES_PORT)]


def _to_redis(inputs: Inputs) -> list[Object]:
    chosen = inputs.bakery.spec.redis.url_secret_ref
    if chosen:
        return _to_reference(inputs, chosen, names.REDIS_PORT)
    return [_rule("to", [_pods(inputs, names.REDIS)], names.REDIS_PORT)]


def _to_upstream(inputs: Inputs) -> list[Object]:
    upstream = inputs.bakery.spec.upstream
    if upstream.sample:
        return [_rule("to", [_pods(inputs, names.SAMPLE)], contract.SAMPLE_PORT)]
    return _to_url(upstream.url or "")


def _to_pictures(inputs: Inputs) -> list[Object]:
    """The internet, and none of the cluster's ranges whatever a picture's address says; a sample's own pictures."""
    spec = inputs.bakery.spec
    ports = sorted({*_WEB_PORTS, *_allowed_ports(spec)})
    internet = list(_internet(spec.network_policy.cluster_cidrs))
    # No peers would mean all of them.
    rules = [_rule("to", internet, *ports)] if internet else []
    if spec.upstream.sample:
        rules.append(_rule("to", [_pods(inputs, names.SAMPLE)], contract.SAMPLE_PORT))
    if spec.detector.pack and spec.detector.pack.download:
        rules += _to_url(spec.detector.pack.download.url)
    return rules


def _allowed_ports(spec: bakery.Spec) -> Iterator[int]:
    """Ports of public hosts that the resource's settings let the worker fetch from."""
    for entry in (spec.settings or {}).get("CAKEGATE_FETCH_ALLOW", "").split(","):
        port = entry.strip().rpartition(":")[2]
        if port.isascii() and port.isdecimal() and 0 < int(port) <= 65_535:  # noqa: PLR2004 - the largest port
            yield int(port)


def _internet(excepted: list[str]) -> Iterator[Object]:
    ranges = [ipaddress.ip_network(each, strict=False) for each in excepted]
    for anywhere in map(ipaddress.ip_network, _ANYWHERE):
        inside = sorted({str(each) for each in ranges if each.version == anywhere.version})
        if str(anywhere) in inside:
            continue
        yield {"ipBlock": {"cidr": str(anywhere), **({"except": inside} if inside else {})}}


def _to_reference(inputs: Inputs, reference: bakery.SecretKey, port: int) -> list[Object]:
    """Towards a server whose URL is in a Secret: as far as it is known, where that leads."""
    found = inputs.facts.endpoints.get((reference.name, reference.key))
    return _to_host(found) if found else [_rule("to", [], port)]


def _to_url(url: str) -> list[Object]:
    found = credentials.endpoint(url)
    return _to_host(found) if found else []


def _to_host(found: Endpoint) -> list[Object]:
    """Towards a host.

    Policies are held against a pod's own address and port, which have replaced a Service's by then: of a Service's pods
    neither is known, but their namespace is.
    """
    if (address := _address(found.host)) is not None:
        return [_rule("to", [{"ipBlock": {"cidr": f"{address}/{address.max_prefixlen}"}}], found.port)]
    labels = found.host.rstrip(".").split(".")
    if len(labels) == 1:
        return [{"to": [{"podSelector": {}}]}]
    if len(labels) == _SHORT or labels[_SVC] == "svc":
        return [{"to": [_namespace({NAMESPACE_LABEL: labels[1]})]}, _rule("to", [], found.port)]
    return [_rule("to", [], found.port)]


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _dns() -> Object:
    """To wherever the cluster's DNS is: behind a Service, or on the node itself."""
    return {"ports": [{"protocol": protocol, "port": _DNS_PORT} for protocol in ("UDP", "TCP")]}


def _rule(side: str, peers: list[Object], *ports: int) -> Object:
    """From or to peers, all where there are none, on ports."""
    rule: Object = {side: peers} if peers else {}
    return rule | {"ports": [{"protocol": "TCP", "port": port} for port in ports]}


def _pods(inputs: Inputs, component: str) -> Object:
    return {"podSelector": making.selector(inputs, component)}


def _namespace(labels: dict[str, str]) -> Object:
    return {"namespaceSelector": {"matchLabels": labels}}
