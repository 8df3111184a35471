"""A cluster in a dict, with what the operator relies on, and with faults that the test puts in.

That is server-side apply and who owns which field, resourceVersions, generations, preconditions of deletion.

Objects are kept flat, a value for each path as `managedFields` writes it (`f:spec`, `k:{"name":"x"}`), so that merging
is taking the union, and taking away what nobody owns any more is deleting paths.
"""

import copy
import itertools
import json

from cakegate_operator import inputs, kinds
from cakegate_operator.cluster import Conflict, Denied, Refused, Unreachable
from cakegate_operator.kinds import kind_of

#: Lists that the API server merges by keys; all others are taken whole.
_KEYS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "imagePullSecrets": ("name",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "ownerReferences": ("uid",),
    "conditions": ("type",),
}
_GIVEN = {"apiVersion", "kind"}
_IDENTITY = ("f:metadata", "f:name"), ("f:metadata", "f:namespace")


def flat(body, path=(), key=""):
    """All values of an object by their paths."""
    if isinstance(body, dict) and body:
        return {
            where: value
            for name, inner in body.items()
            for where, value in flat(inner, (*path, f"f:{name}"), name).items()
        }
    if isinstance(body, list) and body and key in _KEYS and all(isinstance(each, dict) for each in body):
        found = {}
        for item in body:
            keys = json.dumps({name: item[name] for name in _KEYS[key] if name in item})
            found |= flat(item, (*path, f"k:{keys}"))
        return found
    return {path: body}


def whole(paths):
    """The object that these paths make."""
    children = {}
    for path, value in paths.items():
        if not path:
            return copy.deepcopy(value)
        children.setdefault(path[0], {})[path[1:]] = value
    if any(step.startswith("k:") for step in children):
        return [whole(inner) for inner in children.values()]
    return {step[2:]: whole(inner) for step, inner in children.items()}


def fields(paths):
    """Paths as `fieldsV1` nests them."""
    found = {}
    for path in paths:
        inner = found
        for step in path:
            inner = inner.setdefault(step, {})
    return found


class Kept:
    """One object: its values, and by manager which of them are its own."""

    def __init__(self, paths, *, owned=None):
        self.paths = dict(paths)
        self.owned = owned or {}
        self.version = 0


class FakeCluster:
    def __init__(self, *, apis=()):
        self.apis = set(apis)
        self.unclear = set()
        self.denied = set()
        self.objects = {}
        self.writes = []
        #: Fails the write of this number: before it is done, or after.
        self.failing = None
        self.fails_after = False
        #: Lists are answered from this older state.
        self.stale = None
        self._numbers = itertools.count(1)

    # The protocol

    async def get(self, kind, namespace, name):
        return self._shown(self.objects, (kind.kind, namespace, name))

    async def list(self, kind, namespace, labels):
        if kind.kind in self.denied:
            raise Denied(f"may not list {kind.plural}")
        if kind.optional is not None and kind.optional not in self.apis:
            raise Refused(f"no such API: {kind.api_version}")
        objects = self.objects if self.stale is None else self.stale
        shown = (self._shown(objects, key) for key in objects if key[:2] == (kind.kind, namespace))
        return [each for each in shown if labels.items() <= (each["metadata"].get("labels") or {}).items()]

    async def apply(self, body, *, manager, force):
        with self._writing("apply", body):
            return self._apply(body, manager, force=force, status=False)

    async def apply_status(self, body, *, manager):
        with self._writing("apply_status", body):
            return self._apply(body, manager, force=True, status=True)

    async def create(self, body):
        with self._writing("create", body):
            metadata = body["metadata"]
            body = copy.deepcopy(body)
            body["metadata"].setdefault("name", f"{metadata.get('generateName', '')}{next(self._numbers)}")
            key = _key(body)
            if key in self.objects:
                raise Conflict(f"{key} exists")
            return self._added(key, flat(body), {})

    async def delete(self, body):
        with self._writing("delete", body):
            key = _key(body)
            live = self._shown(self.objects, key)
            if live is None:
                return
            for name in ("uid", "resourceVersion"):
                if live["metadata"][name] != body["metadata"][name]:
                    raise Conflict(f"{key} is another by now")
            del self.objects[key]

    async def has(self, api):
        return None if api in self.unclear else api in self.apis

    # For tests

    def put(self, body):
        """An object made by somebody else, all at once."""
        paths = flat(body)
        return self._added(_key(body), paths, {("kubectl", "Update", False): set(paths)})

    def edit(self, kind, name, change, *, namespace="default"):
        """Somebody edits an object by hand: what is changed is theirs then."""
        kept = self.objects[kind, namespace, name]
        body = whole(kept.paths)
        change(body)
        after = flat(body)
        changed = {path for path in {*kept.paths, *after} if kept.paths.get(path, kept) != after.get(path, kept)}
        for owned in kept.owned.values():
            owned.difference_update(changed)
        kept.owned.setdefault(("kubectl", "Update", False), set()).update(changed & after.keys())
        self._changed(kept, after)

    def status(self, kind, name, status, *, namespace="default"):
        """A controller writes a status."""
        kept = self.objects[kind, namespace, name]
        after = {path: value for path, value in kept.paths.items() if path[0] != "f:status"}
        self._changed(kept, after | flat({"status": status}), specs=False)

    def shown(self, kind, name, namespace="default"):
        return self._shown(self.objects, (kind, namespace, name))

    def snapshot(self):
        return copy.deepcopy(self.objects)

    def names(self):
        """All objects but events, as `Kind/name`."""
        return {f"{kind}/{name}" for kind, _, name in self.objects if kind != "Event"}

    # How it works

    def _writing(self, verb, body):
        return _Writing(self, verb, body)

    def _added(self, key, paths, owned):
        kept = Kept(paths, owned=owned)
        kept.paths |= {
            ("f:metadata", "f:uid"): f"uid-{next(self._numbers)}",
            ("f:metadata", "f:generation"): 1,
            ("f:metadata", "f:creationTimestamp"): "2026-01-01T00:00:00Z",
        }
        kept.version = next(self._numbers)
        self.objects[key] = kept
        return self._shown(self.objects, key)

    def _apply(self, body, manager, *, force, status):
        key = _key(body)
        wanted = {
            path: value
            for path, value in flat({name: value for name, value in body.items() if name not in _GIVEN}).items()
            if path not in _IDENTITY and (path[0] == "f:status") == status
        }
        kept = self.objects.get(key)
        if kept is None:
            if status:
                raise Refused(f"{key} not found")
            given = {path: value for path, value in flat(body).items() if path[0] != "f:status"}
            return self._added(key, given, {(manager, "Apply", False): set(wanted)})
        mine = (manager, "Apply", status)
        others = {who: owned for who, owned in kept.owned.items() if who != mine}
        differing = {path for path in wanted if path in kept.paths and kept.paths[path] != wanted[path]}
        contested = {path for path in differing if any(path in owned for owned in others.values())}
        if contested and not force:
            raise Conflict(f"{key}: {contested} are somebody else's")
        for owned in others.values():
            owned.difference_update(contested)
        dropped = kept.owned.get(mine, set()) - wanted.keys() - set().union(*others.values())
        after = {path: value for path, value in kept.paths.items() if path not in dropped} | wanted
        kept.owned = others | {mine: set(wanted)}
        self._changed(kept, after, specs=not status)
        return self._shown(self.objects, key)

    def _changed(self, kept, after, *, specs=True):
        if after == kept.paths:
            return
        if specs and _part(after, "f:spec") != _part(kept.paths, "f:spec"):
            after[("f:metadata", "f:generation")] += 1
        kept.paths = after
        kept.version = next(self._numbers)

    def _shown(self, objects, key):
        kept = objects.get(key)
        if kept is None:
            return None
        body = whole(kept.paths)
        body["metadata"]["resourceVersion"] = str(kept.version)
        body["metadata"]["managedFields"] = [
            {
                "manager": manager,
                "operation": operation,
                "fieldsV1": fields(owned),
                **({"subresource": "status"} if status else {}),
            }
            for (manager, operation, status), owned in kept.owned.items()
            if owned
        ]
        return body


class _Writing:
    """One write: it is counted, and fails where the test wants it to."""

    def __init__(self, cluster, verb, body):
        self._cluster = cluster
        kind_of(body)  # what the operator has no rights for would be a KeyError
        self._named = (verb, body["kind"], body["metadata"].get("name", ""))

    def __enter__(self):
        cluster = self._cluster
        cluster.writes.append(self._named)
        self._fails = cluster.failing is not None and len(cluster.writes) == cluster.failing
        if self._fails and not cluster.fails_after:
            raise Unreachable("cut off before the write")

    def __exit__(self, kind, *_):
        if self._fails and kind is None:
            raise Unreachable("cut off after the write")


def _key(body):
    return body["kind"], body["metadata"]["namespace"], body["metadata"]["name"]


def _part(paths, first):
    return {path: value for path, value in paths.items() if path[0] == first}


ALL_APIS = inputs.OPTIONAL
CHILD_KINDS = {kind.kind for kind in kinds.CHILDREN}
