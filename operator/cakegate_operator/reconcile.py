"""One pass over one bakery: observe, work out what is wanted, apply it stage by stage, prune, report.

A pass holds nothing from the one before: whatever happened in between, and whoever led, it comes to the same end.
"""

import enum
from collections.abc import Callable, Mapping

import msgspec
import structlog

from cakegate_operator import bridging, build, conditions, kinds, names, observing, reasons, reporting
from cakegate_operator.applying import Applying, is_predecessors, job_of
from cakegate_operator.build import autoscaling, credentials, statefulsets
from cakegate_operator.cluster import Cluster, Denied, Refused
from cakegate_operator.inputs import Inputs, Object, Release
from cakegate_operator.kinds import Key, key_of
from cakegate_operator.probing import Probes
from cakegate_operator.seen import Outcome, Problem, Seen, condition_of

_log = structlog.get_logger("cakegate.operator")

Desired = Mapping[str, list[Object]]


class Ended(enum.Enum):
    """How a pass ended."""

    DONE = "done"
    UNSETTLED = "unsettled"
    """All is applied, and pods are not ready yet: what the kubelet comes to complain of is no event that we see."""
    WAITING = "waiting"
    """For a Job or the database: their events wake us, complaints about their pods do not."""
    HELD = "held"
    """By something that a person must mend, or that is being deleted, and of which no event may come."""
    PAUSED = "paused"
    GONE = "gone"


class Reconciler:
    """Passes over bakeries of one cluster."""

    def __init__(self, cluster: Cluster, release: Release, *, probes: Probes, clock: Callable[[], str]) -> None:
        self._cluster = cluster
        self._release = release
        self._apis = observing.Apis(cluster)
        self._probes = probes
        self._reporting = reporting.Reporting(cluster, release, clock=clock)

    async def reconcile(self, namespace: str, name: str) -> Ended:
        """One pass; raises `ClusterError` where the API server could not be read or written."""
        live = await self._cluster.get(kinds.BAKERY, namespace, name)
        if live is None or live["metadata"].get("deletionTimestamp"):
            self.forget(namespace, name)
            return Ended.GONE
        try:
            spec = observing.understood(live)
        except msgspec.ValidationError as error:
            await self._reporting.held(live, Problem(reason=reasons.INVALID_SPEC, message=str(error)))
            return Ended.HELD
        known = await self._apis.known()
        try:
            seen = await observing.observed(self._cluster, live, spec, known, self._probes.latest(namespace, name))
        except Denied as error:
            await self._reporting.held(live, Problem(reason=reasons.APPLY_DENIED, message=str(error)))
            return Ended.HELD
        self._probes.follow(seen)
        applying = Applying(self._cluster, seen)
        seen, missing = await self._credentials(applying, seen, known)
        given = observing.inputs(seen, self._release, known)
        desired = _desired(given, seen)
        outcome = Outcome(desired=_by_key(desired), missing=missing)
        if not spec.paused:
            outcome = await self._act(applying, seen, outcome, desired, given, known)
        seen = msgspec.structs.replace(seen, children=applying.children)
        settled = await self._reporting.report(conditions.Case(seen=seen, inputs=given, outcome=outcome))
        if spec.paused:
            return Ended.PAUSED
        return _ended(outcome, leaving=bool(applying.leaving), settled=settled)

    def forget(self, namespace: str, name: str) -> None:
        """Stop what goes on for a bakery that is no more."""
        self._probes.forget(namespace, name)
        self._reporting.forget(namespace, name)

    async def _credentials(
        self, applying: Applying, seen: Seen, known: observing.Known
    ) -> tuple[Seen, tuple[Problem, ...]]:
        """Make the kept Secrets that are wanted and absent; say which references lead nowhere."""
        missing = list(observing.missing(seen))
        if seen.spec.paused:
            return seen, tuple(missing)
        found = dict(seen.secrets)
        for wanted in credentials.wanted(observing.inputs(seen, self._release, known)):
            if (there := found.get(wanted.name)) is not None:
                if is_predecessors(there, seen):
                    # To be gone in a moment: whatever took its password would be locked out.
                    applying.leaving.append(key_of(wanted.secret))
                lacking = [key for key in wanted.keys if observing.value_of(there, key) is None]
                if lacking:
                    message = f"the Secret {wanted.name} is there already and has no key {lacking[0]}"
                    missing.append(Problem(reason=reasons.RESOURCE_CONFLICT, message=message))
                continue
            if wanted.name == names.child(seen.name, names.POSTGRES) and await self._has_volume(seen):
                message = f"the Secret {wanted.name} is gone, and the volume still has its password"
                missing.append(Problem(reason=reasons.CREDENTIAL_LOST, message=message))
                continue
            try:
                found[wanted.name] = await applying.credential(wanted)
            except Refused as error:
                missing.append(Problem(reason=reasons.APPLY_REFUSED, message=f"Secret {wanted.name}: {error}"))
        return msgspec.structs.replace(seen, secrets=found), tuple(missing)

    async def _has_volume(self, seen: Seen) -> bool:
        name = f"{statefulsets.DATA}-{names.child(seen.name, names.POSTGRES)}-0"
        return await self._cluster.get(kinds.VOLUME_CLAIM, seen.namespace, name) is not None

    async def _act(
        self, applying: Applying, seen: Seen, outcome: Outcome, desired: Desired, given: Inputs, known: observing.Known
    ) -> Outcome:
        """Apply stage by stage, as far as can be gone now; prune when all of it is there."""
        waiting = await self._stages(applying, seen, outcome, desired, given)
        complete = waiting is None and not applying.problems and not applying.leaving
        if complete:
            kept = {Key(ref.kind, ref.name) for ref in build.kept(given)}
            await applying.remove(applying.unwanted({*outcome.desired, *kept}, observing.unclear_kinds(known)))
        if applying.leaving and not applying.problems:
            waiting = Problem(reason=reasons.NOT_CREATED, message=f"{applying.leaving[0]} is being deleted")
        return msgspec.structs.replace(
            outcome, refused=tuple(applying.problems), waiting=waiting, complete=complete and not applying.problems
        )

    async def _stages(
        self, applying: Applying, seen: Seen, outcome: Outcome, desired: Desired, given: Inputs
    ) -> Problem | None:
        """What is waited for; None where all stages were gone through."""
        if applying.leaving:
            return Problem(reason=reasons.NOT_CREATED, message=f"{applying.leaving[0]} is being deleted")
        foundation = bridging.foundation(
            desired[build.FOUNDATION], desired[build.PROCESSES], seen, unresolved=bool(outcome.missing)
        )
        if not await applying.apply(foundation):
            return Problem(reason=reasons.APPLY_REFUSED, message="what pods stand on could not be made")
        if outcome.missing:
            return outcome.missing[0]
        waiting = await self._migrated(applying, seen, desired, given)
        if waiting:
            return waiting
        rivals = {Key(ref.kind, ref.name) for ref in build.rivals(given)} & applying.children.keys()
        if not await applying.gone(rivals):
            going = ", ".join(sorted(map(str, rivals)))
            return Problem(reason=reasons.NOT_CREATED, message=f"{going}, another autoscaler, is being deleted first")
        await applying.apply(desired[build.PROCESSES])
        return None

    async def _migrated(self, applying: Applying, seen: Seen, desired: Desired, given: Inputs) -> Problem | None:
        if not conditions.may_migrate(seen, applying.children, given):
            return Problem(reason=reasons.WAITING_FOR_DATABASE, message="the database is not ready")
        if not await applying.apply(desired[build.MIGRATION]):
            return Problem(reason=reasons.APPLY_REFUSED, message="the migration could not be begun")
        job = job_of(desired[build.MIGRATION])
        if job and (condition_of(applying.children.get(job), "Complete") or {}).get("status") != "True":
            return Problem(reason=reasons.WAITING_FOR_MIGRATION, message=f"{job} has not completed")
        return None


def _desired(given: Inputs, seen: Seen) -> Desired:
    """What the builders want; the Secret with the parts of a Redis URL is made here, for they see no secrets."""
    desired = dict(build.desired(given))
    source = autoscaling.redis_source(given)
    url = observing.value_of(seen.secrets.get(source.name), source.key) if source else None
    if url is not None and credentials.is_redis(url):
        desired[build.FOUNDATION] = [*desired[build.FOUNDATION], autoscaling.redis_parts(given, url.decode().strip())]
    return desired


def _by_key(desired: Desired) -> dict[Key, Object]:
    return {key_of(body): body for bodies in desired.values() for body in bodies}


def _ended(outcome: Outcome, *, leaving: bool, settled: bool) -> Ended:
    if outcome.refused or outcome.missing or leaving:
        return Ended.HELD
    if not outcome.complete:
        return Ended.WAITING
    return Ended.DONE if settled else Ended.UNSETTLED
