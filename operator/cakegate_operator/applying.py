"""Making it so: server-side apply of what differs, and deleting what is no longer wanted. Nothing else writes children.

Fields are taken over by force on objects of ours alone; an object of the same name that belongs to somebody else is a
problem to report. Whatever is deleted is read again just before, and deleted only as it was read.
"""

import secrets
from collections.abc import Iterable
from typing import Final

import structlog

from cakegate_operator import bakery, kinds, names, owned, reasons
from cakegate_operator.build.credentials import Credential
from cakegate_operator.cluster import Cluster, Conflict, Denied, Refused
from cakegate_operator.inputs import Object
from cakegate_operator.kinds import Key, key_of, kind_of
from cakegate_operator.seen import Problem, Seen

_log = structlog.get_logger("cakegate.operator")

_PASSWORD_BYTES: Final = 24
#: Components whose StatefulSet holds data.
_WITH_DATA: Final = frozenset({names.POSTGRES, names.REDIS})


class Applying:
    """Writes to one bakery's children during one pass. `children` is kept up to what the API server answered."""

    def __init__(self, cluster: Cluster, seen: Seen) -> None:
        self._cluster = cluster
        self._seen = seen
        self.children = dict(seen.children)
        self.problems: list[Problem] = []
        self.leaving: list[Key] = []

    async def credential(self, wanted: Credential) -> Object:
        """A kept Secret: made with a password of its own, once; never written again."""
        try:
            made = await self._cluster.create(wanted.filled(secrets.token_urlsafe(_PASSWORD_BYTES)))
            _log.info("credential.created", secret=wanted.name, namespace=self._seen.namespace)
        except Conflict:
            # Made in between, by a leader before us: what is there counts.
            found = await self._cluster.get(kinds.SECRET, self._seen.namespace, wanted.name)
            if found is None:
                raise
            return found
        return made

    async def apply(self, wanted: Iterable[Object]) -> bool:
        """Apply these objects, all that can be; False where one could not."""
        before = len(self.problems) + len(self.leaving)
        for body in wanted:
            try:
                await self._one(owned.stamped(body))
            except Refused as error:
                self.problems.append(_problem(key_of(body), error))
        return len(self.problems) + len(self.leaving) == before

    async def _one(self, body: Object) -> None:
        key = key_of(body)
        live = self.children.get(key)
        if live is None:
            live = await self._cluster.get(kind_of(body), self._seen.namespace, key.name)
        if live is not None and is_predecessors(live, self._seen):
            self.leaving.append(key)
            return
        if live is not None and not self._may_write(live):
            who = owned.controller(live)
            of = f"{who['kind']} {who['name']}" if who else "nobody that the operator knows"
            message = f"{key} is there already and belongs to {of}"
            self.problems.append(Problem(reason=reasons.RESOURCE_CONFLICT, message=message))
            return
        if live is not None and live["metadata"].get("deletionTimestamp"):
            self.leaving.append(key)
            return
        if live is not None and (_is_made_once(body) or owned.stands(body, live)):
            self.children[key] = live
            return
        if _is_made_once(body):
            self.children[key] = await self._cluster.create(body)
            return
        if live is not None:
            await self._hand_over(body, live)
        self.children[key] = await self._cluster.apply(body, manager=names.FIELD_MANAGER, force=live is not None)
        _log.info("object.applied", object=str(key), namespace=self._seen.namespace, new=live is None)

    def _may_write(self, live: Object) -> bool:
        return is_ours(live, self._seen) or (
            owned.controller(live) is None and owned.annotation(live, names.ADOPT) == "true"
        )

    async def _hand_over(self, body: Object, live: Object) -> None:
        """Leave `replicas` as it is when an autoscaler takes it over: what its last manager drops becomes 1."""
        if body["kind"] != kinds.DEPLOYMENT.kind or "replicas" in body["spec"]:
            return
        if "f:replicas" not in owned.fields_of(live, names.FIELD_MANAGER).get("f:spec", {}):
            return
        handed = {
            "apiVersion": body["apiVersion"],
            "kind": body["kind"],
            "metadata": {"name": body["metadata"]["name"], "namespace": self._seen.namespace},
            "spec": {"replicas": live["spec"]["replicas"]},
        }
        await self._cluster.apply(handed, manager=owned.HANDOVER_MANAGER, force=True)

    async def remove(self, unwanted: Iterable[Key]) -> None:
        """Delete these children, if they are still there, still ours and still as they were seen."""
        for key in sorted(unwanted):
            seen = self.children[key]
            kind = kind_of(seen)
            try:
                live = await self._cluster.get(kind, self._seen.namespace, key.name)
                if live is not None and owned.owner_uid(live) == self._seen.uid and not is_protected(live):
                    await self._cluster.delete(live)
                    _log.info("object.deleted", object=str(key), namespace=self._seen.namespace)
            except Conflict:
                # Changed in between: the next pass looks at it as it is then.
                continue
            except Refused as error:
                self.problems.append(_problem(key, error))
                continue
            del self.children[key]

    async def gone(self, rivals: Iterable[Key]) -> bool:
        """Delete these children; whether they are gone already, which a finalizer may put off."""
        there = {key: kind_of(self.children[key]) for key in rivals}
        await self.remove(key for key in there if not self.children[key]["metadata"].get("deletionTimestamp"))
        found = [await self._cluster.get(kind, self._seen.namespace, key.name) for key, kind in there.items()]
        return not any(found)

    def unwanted(self, wanted: Iterable[Key], unclear: frozenset[str]) -> list[Key]:
        """Children that nobody wants any more: ours by their owner, of kinds about which there is no doubt."""
        kept = set(wanted)
        return [
            key
            for key, body in self.children.items()
            if key not in kept
            and key.kind not in unclear
            and owned.owner_uid(body) == self._seen.uid
            and not is_protected(body)
            and not body["metadata"].get("deletionTimestamp")
        ]


def is_ours(live: Object, seen: Seen) -> bool:
    """Whether an object is this bakery's: by its controller, or, where somebody took that away, by our labels."""
    uid = owned.owner_uid(live)
    if uid is not None:
        return uid == seen.uid
    labels = live["metadata"].get("labels") or {}
    return labels.get(names.BAKERY) == seen.name and labels.get(names.MANAGED_BY) == names.FIELD_MANAGER


def is_predecessors(live: Object, seen: Seen) -> bool:
    """Whether an object belongs to a bakery of the same name that is no more: the garbage collector takes it soon."""
    who = owned.controller(live)
    return bool(who and who["kind"] == bakery.KIND and who["name"] == seen.name and who["uid"] != seen.uid)


def _is_made_once(body: Object) -> bool:
    """A Job cannot be changed, and what it is to do is in its name; so is what a Secret holds, or it is kept."""
    return body["kind"] in {kinds.JOB.kind, kinds.SECRET.kind} or names.KEPT in body["metadata"]["labels"]


def is_protected(body: Object) -> bool:
    """What is never pruned, whatever a spec says: volumes, databases, credentials."""
    labels = body["metadata"].get("labels") or {}
    return (
        body["kind"] in {kinds.VOLUME_CLAIM.kind, kinds.SECRET.kind, kinds.CLUSTER.kind}
        or names.KEPT in labels
        or (body["kind"] == kinds.STATEFUL_SET.kind and labels.get(names.COMPONENT) in _WITH_DATA)
    )


def _problem(key: Key, error: Refused) -> Problem:
    if isinstance(error, Denied):
        return Problem(reason=reasons.APPLY_DENIED, message=f"{key}: {error}")
    if isinstance(error, Conflict):
        return Problem(reason=reasons.RESOURCE_CONFLICT, message=f"{key}: {error}")
    return Problem(reason=reasons.APPLY_REFUSED, message=f"{key}: {error}")


def job_of(wanted: Iterable[Object]) -> Key | None:
    """The migration Job among these objects."""
    return next((key_of(body) for body in wanted if body["kind"] == kinds.JOB.kind), None)
