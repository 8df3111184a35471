"""What a pass needs to know, gathered before anything is done.

Whatever cannot be read ends the pass: nothing is ever decided on a list that failed.
"""

import asyncio
import base64
import binascii
import hashlib
import time
from collections.abc import Coroutine, Iterable, Iterator
from typing import Any, Final

import msgspec

from cakegate_operator import bakery, complaints, kinds, names, owned, proving, reasons
from cakegate_operator.build import credentials, statefulsets
from cakegate_operator.cluster import Cluster, ClusterError
from cakegate_operator.inputs import OPTIONAL, Api, Facts, Inputs, Object, Release
from cakegate_operator.kinds import Kind, key_of
from cakegate_operator.seen import Probe, Problem, Seen, dig
from cakegate_operator.statuses import Status

#: Lists and gets of one pass that are under way at once.
_AT_ONCE: Final = 6


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Optional APIs: there, and unclear. All others are absent."""

    there: frozenset[Api]
    unclear: frozenset[Api]


class Apis:
    """Which optional APIs there are, asked once for all bakeries, and again after `fresh_seconds`."""

    def __init__(self, cluster: Cluster, *, fresh_seconds: float = 15.0) -> None:
        self._cluster = cluster
        self._fresh_seconds = fresh_seconds
        self._asking = asyncio.Lock()
        self._known: Known | None = None
        self._asked_at = 0.0

    async def known(self) -> Known:
        """What is known now."""
        async with self._asking:
            if self._known is None or time.monotonic() - self._asked_at >= self._fresh_seconds:
                said = await asyncio.gather(*(self._cluster.has(api) for api in OPTIONAL))
                self._known = Known(
                    there=frozenset(api for api, there in zip(OPTIONAL, said, strict=True) if there),
                    unclear=frozenset(api for api, there in zip(OPTIONAL, said, strict=True) if there is None),
                )
                self._asked_at = time.monotonic()
            return self._known


def understood(live: Object) -> bakery.Spec:
    """The spec as types; `msgspec.ValidationError` names the field that cannot be understood."""
    return msgspec.convert(live["spec"], bakery.Spec)


def before(live: Object) -> Status:
    """The status as it was; what an operator of another version wrote and we cannot read counts as nothing."""
    try:
        return msgspec.convert(live.get("status") or {}, Status)
    except msgspec.ValidationError:
        return Status()


async def observed(cluster: Cluster, live: Object, spec: bakery.Spec, known: Known, probe: Probe | None) -> Seen:
    """A bakery as it is."""
    name, namespace = live["metadata"]["name"], live["metadata"]["namespace"]
    limit = asyncio.Semaphore(_AT_ONCE)

    async def listed(kind: Kind) -> list[Object]:
        async with limit:
            try:
                return await cluster.list(kind, namespace, {names.BAKERY: name})
            except ClusterError:
                if kind.optional not in known.unclear:
                    raise
                # Nothing of it is made or pruned; only conditions would have liked to know.
                return []

    async def secret(wanted: str) -> Object | None:
        async with limit:
            return await cluster.get(kinds.SECRET, namespace, wanted)

    listing = [kind for kind in kinds.CHILDREN if kind.optional in {None, *known.there, *known.unclear}]
    naming = sorted({key.name for _, key in references(spec)} | set(_own(name, spec)))
    answers = await _all([*map(listed, listing), *map(secret, naming)])
    lists, secrets = answers[: len(listing)], answers[len(listing) :]
    children = {key_of(body): body for bodies in lists for body in bodies}
    seen = Seen(
        live=live,
        spec=spec,
        status=before(live),
        children=children,
        secrets=dict(zip(naming, secrets, strict=True)),
        probe=probe,
    )
    # The name of a user is none: ours is the product's, which most messages begin with.
    hidden = [value for (_, key), value in _values(seen).items() if key != credentials.USERNAME]
    return msgspec.structs.replace(seen, troubles=await complaints.told(cluster, seen, hidden))


async def _all(calls: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """All answers, or the first error, with nothing left running behind it."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except* ClusterError as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def _own(name: str, spec: bakery.Spec) -> Iterator[str]:
    """Secrets that the resource does not name: those of what is managed."""
    if spec.database.managed:
        yield names.child(name, names.POSTGRES)
    if spec.database.cloud_native_pg:
        yield f"{names.child(name, names.POSTGRES)}-{credentials.CNPG_SUFFIX}"
    if spec.redis.managed:
        yield names.child(name, names.REDIS)


def references(part: Any, path: str = "spec") -> Iterator[tuple[str, bakery.SecretKey]]:
    """All keys of Secrets that a spec names, with the path of the field that does."""
    if isinstance(part, bakery.SecretKey):
        yield path, part
    elif isinstance(part, msgspec.Struct):
        for field in msgspec.structs.fields(part):
            yield from references(getattr(part, field.name), f"{path}.{field.encode_name}")


# What builders get


def inputs(seen: Seen, release: Release, known: Known) -> Inputs:
    """What builders are given, of what was seen."""
    metadata = seen.live["metadata"]
    digests, endpoints = {}, {}
    for (secret, key), value in _values(seen).items():
        # The uid keeps equal values of two bakeries from looking equal, and a short one from being guessed elsewhere.
        digests[secret, key] = hashlib.sha256(f"{seen.uid}/{secret}/{key}/".encode() + value).hexdigest()[:16]
        if found := credentials.endpoint(value.decode(errors="replace").strip()):
            endpoints[secret, key] = found
    return Inputs(
        bakery=bakery.Bakery(
            name=seen.name,
            namespace=seen.namespace,
            uid=seen.uid,
            generation=metadata["generation"],
            spec=seen.spec,
            labels=metadata.get("labels") or {},
            annotations=_annotations(seen),
        ),
        release=release,
        facts=Facts(
            version=version(seen, release),
            apis=known.there,
            unknown_apis=known.unclear,
            secrets=digests,
            endpoints=endpoints,
            ordered=frozenset(_ordered(seen)),
            proven=proving.images(seen, release, version(seen, release), running=_running(seen)),
        ),
    )


def _ordered(seen: Seen) -> Iterator[str]:
    """Components whose StatefulSet is an old one; a new one is made another way."""
    for component in (names.POSTGRES, names.REDIS, names.SAMPLE):
        found = seen.child("StatefulSet", component)
        if found and dig(found, "spec", "podManagementPolicy", default=statefulsets.ORDERED) == statefulsets.ORDERED:
            yield component


def _annotations(seen: Seen) -> dict[str, str]:
    """The resource's annotations. A restart that was asked for and is taken back stays done: nobody is told twice."""
    restarted = seen.status.last_handled_restart_at
    kept = {names.RESTARTED_AT: restarted} if restarted else {}
    return kept | (seen.live["metadata"].get("annotations") or {})


def version(seen: Seen, release: Release) -> str:
    """What is to run: what the spec says, else what runs, else what was to run, else the operator's own version."""
    gateway, running = seen.child("Deployment", names.GATEWAY), _running(seen)
    # A backup brings objects back without their managers, and a resource without its status.
    labelled = dig(gateway or {}, "metadata", "labels", names.VERSION)
    return str(seen.spec.version or running or seen.status.target_version or labelled or release.version)


def _running(seen: Seen) -> str | None:
    """The version that the pods were last made of."""
    gateway = seen.child("Deployment", names.GATEWAY)
    return owned.own_label(gateway, names.VERSION) if gateway else None


def _values(seen: Seen) -> dict[tuple[str, str], bytes]:
    """The values of all keys of the Secrets that were read, those alone that are named or ours."""
    named = {(key.name, key.key) for _, key in references(seen.spec)}
    own = set(_own(seen.name, seen.spec))
    return {
        (name, key): value
        for name, secret in seen.secrets.items()
        if secret is not None
        for key in secret.get("data") or {}
        if ((name, key) in named or name in own) and (value := value_of(secret, key)) is not None
    }


def value_of(secret: Object | None, key: str) -> bytes | None:
    """The value of a Secret's key."""
    data = dig(secret or {}, "data", key)
    try:
        return None if data is None else base64.b64decode(data, validate=True)
    except binascii.Error:
        return None


def missing(seen: Seen) -> tuple[Problem, ...]:
    """References that lead nowhere."""
    return tuple(_missing(seen))


def _missing(seen: Seen) -> Iterator[Problem]:
    for path, key in references(seen.spec):
        secret = seen.secrets.get(key.name)
        if secret is None:
            yield Problem(
                reason=reasons.SECRET_NOT_FOUND, message=f"{path}: there is no Secret {key.name} in {seen.namespace}"
            )
        elif value_of(secret, key.key) is None:
            yield Problem(
                reason=reasons.SECRET_KEY_NOT_FOUND, message=f"{path}: the Secret {key.name} has no key {key.key}"
            )
        elif key == seen.spec.redis.url_secret_ref and not credentials.is_redis(value_of(secret, key.key)):
            # Ours to read, for KEDA; other values are what their readers say of them.
            yield Problem(
                reason=reasons.INVALID_SECRET,
                message=f"{path}: the key {key.key} of the Secret {key.name} holds no URL of a Redis (redis://host:port)",
            )


def unclear_kinds(known: Known) -> frozenset[str]:
    """Kinds of APIs about which nobody can say: theirs is neither made nor pruned."""
    return frozenset(kind.kind for kind in kinds.CHILDREN if kind.optional in known.unclear)
