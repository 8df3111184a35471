"""Which flows NetworkPolicies let pass, evaluated without a cluster, as the API's documentation says it.

https://kubernetes.io/docs/concepts/services-networking/network-policies/: a pod that no policy selects for a direction
is open in it; one that is selected may do what any of its policies allows. A flow needs its source's word and its
destination's. Addresses are those of pods: a Service's have been replaced by then.
"""

import ipaddress
from typing import Any

import msgspec

from cakegate_operator.inputs import Object


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a flow: a pod with labels in a namespace, or, without a namespace, an address outside the cluster."""

    address: str
    namespace: str | None = None
    labels: dict[str, str] = {}


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """What is there: policies, and the labels of namespaces."""

    policies: list[Object]
    namespaces: dict[str, dict[str, str]]

    def passes(self, source: Peer, destination: Peer, port: int, protocol: str = "TCP") -> bool:
        """Whether a flow gets through."""
        return self._allows("Egress", source, destination, port, protocol) and self._allows(
            "Ingress", destination, source, port, protocol
        )

    def _allows(self, direction: str, pod: Peer, other: Peer, port: int, protocol: str) -> bool:
        mine = [
            each["spec"]
            for each in self.policies
            if pod.namespace == each["metadata"]["namespace"]
            and _selects(each["spec"]["podSelector"], pod.labels)
            and direction in each["spec"]["policyTypes"]
        ]
        peers, rules = {"Egress": ("to", "egress"), "Ingress": ("from", "ingress")}[direction]
        return not mine or any(
            self._is_among(rule.get(peers), pod, other) and _has_port(rule.get("ports"), port, protocol)
            for spec in mine
            for rule in spec.get(rules, [])
        )

    def _is_among(self, peers: list[Object] | None, pod: Peer, other: Peer) -> bool:
        """No peers at all are everybody."""
        return not peers or any(self._is(peer, pod, other) for peer in peers)

    def _is(self, peer: Object, pod: Peer, other: Peer) -> bool:
        if "ipBlock" in peer:
            block = peer["ipBlock"]
            return _inside(other.address, block["cidr"]) and not any(
                _inside(other.address, each) for each in block.get("except", [])
            )
        if other.namespace is None:
            return False
        if "namespaceSelector" in peer:
            there = _selects(peer["namespaceSelector"], self.namespaces[other.namespace])
        else:
            there = other.namespace == pod.namespace
        return there and _selects(peer.get("podSelector", {}), other.labels)


def _selects(selector: Object, labels: dict[str, str]) -> bool:
    """An empty selector selects all."""
    assert {"matchLabels"} >= set(selector), "expressions are not evaluated here"
    wanted: dict[str, Any] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


def _inside(address: str, cidr: str) -> bool:
    found, network = ipaddress.ip_address(address), ipaddress.ip_network(cidr)
    return found.version == network.version and found in network


def _has_port(ports: list[Object] | None, port: int, protocol: str) -> bool:
    """No ports at all are every port."""
    return not ports or any(each["port"] == port and each.get("protocol", "TCP") == protocol for each in ports)
