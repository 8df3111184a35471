"""Ways out that running pods still use stay open until these pods are replaced.

A resource or a Secret that names another server changes NetworkPolicies at once and pods by and by, or never, where the
new server is a wrong one and its pods do not become ready. Those that serve go on with the server that they know.
"""

from collections.abc import Iterable, Mapping

from cakegate_operator import kinds, owned, serving
from cakegate_operator.inputs import Object
from cakegate_operator.kinds import Key, key_of
from cakegate_operator.seen import Seen, dig


def foundation(wanted: Iterable[Object], processes: Iterable[Object], seen: Seen, *, unresolved: bool) -> list[Object]:
    """What pods stand on, with policies as the pods of this moment need them.

    `unresolved`: a reference leads nowhere, so that nobody knows where pods are to go; policies stay as they are.
    """
    bodies = list(wanted)
    if unresolved:
        return [body for body in bodies if not _is_policy(body) or key_of(body) not in seen.children]
    return bodies if _are_new(processes, seen) else [_bridged(body, seen.children) for body in bodies]


def _is_policy(body: Object) -> bool:
    return bool(body["kind"] == kinds.NETWORK_POLICY.kind)


def _are_new(processes: Iterable[Object], seen: Seen) -> bool:
    """Whether all pods are of the templates that are wanted now, ready or not."""
    deployments = [body for body in processes if body["kind"] == kinds.DEPLOYMENT.kind]
    live = [(body, seen.children.get(key_of(body))) for body in deployments]
    return all(
        found is not None and owned.stands(owned.stamped(body), found) and serving.is_replaced(found)
        for body, found in live
    )


def _bridged(body: Object, children: Mapping[Key, Object]) -> Object:
    """The policy, with what the one that is there allows besides."""
    if not _is_policy(body):
        return body
    rules, before = list(body["spec"].get("egress", [])), dig(children.get(key_of(body)), "spec", "egress", default=[])
    for rule in before:
        if rule not in rules and not _is_internet(rule):
            rules.append(rule)
    return {**body, "spec": {**body["spec"], "egress": rules}} if rules else body


def _is_internet(rule: Object) -> bool:
    """The internet with its exceptions: when these become more, no old pod keeps the old ones."""
    return any("except" in peer.get("ipBlock", {}) for peer in rule.get("to", []))
