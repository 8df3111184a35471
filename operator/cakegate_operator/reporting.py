"""The last step of a pass: the status, written where it differs, events where something turned, metrics."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import structlog

from cakegate import contract
from cakegate_operator import conditions, kinds, metrics, names, observing, owned, scaled
from cakegate_operator.bakery import GROUP, KIND, VERSION
from cakegate_operator.build import exposure
from cakegate_operator.cluster import Cluster, ClusterError
from cakegate_operator.inputs import Object, Release
from cakegate_operator.seen import Problem, Seen, dig
from cakegate_operator.statuses import Condition, Rolled, Status
from cakegate_operator.verdicts import Verdict

_log = structlog.get_logger("cakegate.operator")

#: Conditions whose turns are told as events; all others are found in the status and in metrics.
_TOLD: Final = ("Ready", "UpstreamReachable", "Paused")
_Series = tuple[Any, tuple[str, ...]]
"""A metric and the values of its labels."""
_Measured = dict[_Series, float]
_NUMBERS: Final = {"True": 1, "False": 0, "Unknown": -1}


class Reporting:
    """Writes statuses. `clock` gives the time as RFC 3339 has it."""

    def __init__(self, cluster: Cluster, release: Release, *, clock: Callable[[], str]) -> None:
        self._cluster = cluster
        self._release = release
        self._clock = clock
        self._measured: dict[tuple[str, str], set[_Series]] = {}

    async def held(self, live: Object, problem: Problem) -> None:
        """The status of a bakery of which nothing more could be learnt: all else in it stays as it was."""
        status = observing.before(live)
        judged = self._dated(live, conditions.held(problem), status)
        kept = [each for each in status.conditions or [] if each.type not in {"Ready", "Stalled", "Reconciling"}]
        judged = sorted([*judged, *kept], key=lambda each: each.type)
        self._measure_conditions((live["metadata"]["namespace"], live["metadata"]["name"]), judged)
        # Of this generation it is said that it is held: who waits for it must learn that.
        generation = live["metadata"]["generation"]
        await self._write(
            live, status, msgspec.structs.replace(status, conditions=judged, observed_generation=generation)
        )

    async def report(self, case: conditions.Case) -> bool:
        """The status of a bakery after a pass; whether it is ready and nothing is under way."""
        seen, before = case.seen, case.seen.status
        judged = self._dated(seen.live, conditions.judged(case), before)
        annotations = case.inputs.bakery.annotations
        version = case.inputs.facts.version
        status = Status(
            observed_generation=seen.live["metadata"]["generation"],
            operator_version=self._release.version,
            target_version=version,
            last_successful_version=version if _all_well(judged) else before.last_successful_version,
            database_revision=self._revision(judged, version, before),
            last_handled_reconcile_at=annotations.get(names.REQUESTED_AT),
            last_handled_restart_at=(
                annotations.get(names.RESTARTED_AT) if case.outcome.complete else before.last_handled_restart_at
            ),
            url=exposure.url(case.inputs),
            gateway=_rolled(seen, names.GATEWAY),
            worker=_rolled(seen, names.WORKER),
            writer=_rolled(seen, names.WRITER),
            scheduler=_rolled(seen, names.SCHEDULER),
            conditions=judged,
        )
        self._measure(seen, judged)
        await self._write(seen.live, before, status)
        return _all_well(judged)

    def _dated(self, live: Object, verdicts: list[Verdict], before: Status) -> list[Condition]:
        generation = live["metadata"]["generation"]
        return conditions.dated(verdicts, before.conditions, now=self._clock(), generation=generation)

    def _revision(self, judged: list[Condition], version: str, before: Status) -> str | None:
        """The schema's version: known where the migration ran that came with this operator."""
        migrated = any(each.type == "MigrationsApplied" and each.reason == "Succeeded" for each in judged)
        return contract.SCHEMA_VERSION if migrated and version == self._release.version else before.database_revision

    async def _write(self, live: Object, before: Status, status: Status) -> None:
        if status == before:
            return
        metadata = live["metadata"]
        body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
            "status": msgspec.to_builtins(status),
        }
        await self._cluster.apply_status(body, manager=names.FIELD_MANAGER)
        await self._tell(live, before, status)

    async def _tell(self, live: Object, before: Status, status: Status) -> None:
        said = {each.type: (each.status, each.reason) for each in before.conditions or []}
        for each in status.conditions or []:
            if each.type not in _TOLD or said.get(each.type) == (each.status, each.reason):
                continue
            if each.type not in said and each.type != "Ready":
                continue
            try:
                event = _event(live, each, at=self._clock(), first=status.last_successful_version is None)
                await self._cluster.create(event)
            except ClusterError as error:
                # The status says the same, and lasts: an event that could not be posted is no reason to try all again.
                _log.warning("event.failed", bakery=live["metadata"]["name"], error=str(error))

    def _measure_conditions(self, where: tuple[str, str], judged: list[Condition]) -> None:
        """What is known of conditions alone: how many children there are stays as it was."""
        found: _Measured = {(metrics.CONDITION, (*where, each.type)): _NUMBERS[each.status] for each in judged}
        before = self._measured.get(where, set())
        self._set(where, found, {each for each in before if each[0] is not metrics.CONDITION})

    def _measure(self, seen: Seen, judged: list[Condition]) -> None:
        where = (seen.namespace, seen.name)
        now: _Measured = {(metrics.CONDITION, (*where, each.type)): _NUMBERS[each.status] for each in judged}
        for key, body in seen.children.items():
            if owned.owner_uid(body) == seen.uid:
                kept: _Series = (metrics.MANAGED, (*where, key.kind))
                now[kept] = now.get(kept, 0) + 1
        self._set(where, now, set())

    def _set(self, where: tuple[str, str], now: _Measured, kept: set[_Series]) -> None:
        for (metric, labels), value in now.items():
            metric.labels(*labels).set(value)
        for metric, labels in self._measured.get(where, set()) - now.keys() - kept:
            metric.remove(*labels)
        self._measured[where] = {*now, *kept}

    def forget(self, namespace: str, name: str) -> None:
        """Stop measuring a bakery that is no more."""
        for metric, labels in self._measured.pop((namespace, name), set()):
            metric.remove(*labels)


def _all_well(judged: list[Condition]) -> bool:
    """Ready, and nothing is under way."""
    by_type = {each.type: each.status for each in judged}
    return by_type.get("Ready") == "True" and "Reconciling" not in by_type


def _rolled(seen: Seen, component: str) -> Rolled:
    # Zeros where there is nothing: a part that an apply leaves out becomes null, which the definition refuses.
    deployment = seen.child("Deployment", component) or {}
    return Rolled(
        replicas=dig(deployment, "status", "replicas", default=0),
        ready_replicas=dig(deployment, "status", "readyReplicas", default=0),
        updated_replicas=dig(deployment, "status", "updatedReplicas", default=0),
        autoscaler_name=scaled.autoscaler_name(seen, component),
    )


def _event(live: Object, said: Condition, *, at: str, first: bool) -> Object:
    """An event about a condition that turned. What has never run yet is no warning for not running."""
    metadata = live["metadata"]
    well = said.status == "True" or said.type == "Paused" or (first and said.reason not in conditions.STALLING)
    return {
        "apiVersion": "v1",
        "kind": kinds.EVENT.kind,
        "metadata": {"generateName": f"{metadata['name'][:200]}.", "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "type": "Normal" if well else "Warning",
        "reason": said.reason,
        "message": f"{said.type}={said.status}: {said.message}"[:1000],
        "source": {"component": names.FIELD_MANAGER},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
