"""Who leads: whoever holds the Lease. A leader that cannot renew it stops before another may take it.

The times are those of cert-manager and client-go: a lease of 15 s, given up after 10 s without renewal, tried every
2 s. Only our own clock counts: how long a record has not changed, never what time it says.
"""

import asyncio
import random
import time
from datetime import UTC, datetime

import structlog

from cakegate_operator import metrics
from cakegate_operator.apiserver import ApiServer
from cakegate_operator.cluster import ClusterError, Conflict
from cakegate_operator.inputs import Object
from cakegate_operator.kinds import LEASE
from cakegate_operator.seen import dig

_log = structlog.get_logger("cakegate.operator")


class LeaseLost(Exception):
    """It could not be renewed in time: whatever goes on must end."""


class Election:
    """One candidate for a Lease."""

    def __init__(
        self,
        cluster: ApiServer,
        *,
        namespace: str,
        name: str,
        identity: str,
        lease_seconds: float = 15.0,
        renew_seconds: float = 10.0,
        retry_seconds: float = 2.0,
    ) -> None:
        self._cluster = cluster
        self._namespace, self._name, self.identity = namespace, name, identity
        self._lease_seconds, self._renew_seconds, self._retry_seconds = lease_seconds, renew_seconds, retry_seconds
        self._record: Object = {}
        self._changed_at = time.monotonic()
        self.leads = False
        #: When it last tried, and when the API server last answered: what probes look at.
        self.tried_at = self.heard_at = time.monotonic()
        self.renewed_at = 0.0

    async def won(self) -> None:
        """Return when this candidate leads."""
        while not await self._tried():  # noqa: ASYNC110 - the API server is asked, nobody here could set an event
            await asyncio.sleep(self._retry_seconds * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
        self.leads = True
        metrics.LEADER.set(1)
        _log.info("leader.elected", identity=self.identity, lease=self._name)

    async def kept(self) -> None:
        """Renew it for ever; `LeaseLost` where that went wrong for too long."""
        while True:
            await asyncio.sleep(self._retry_seconds)
            if await self._tried():
                continue
            held = dig(self._record, "spec", "holderIdentity")
            if held != self.identity or time.monotonic() - self.renewed_at > self._renew_seconds:
                self.leads = False
                metrics.LEADER.set(0)
                raise LeaseLost(f"the Lease {self._name} could not be renewed; {held} holds it")

    async def release(self) -> None:
        """Let another lead at once."""
        if not self.leads:
            return
        self.leads = False
        metrics.LEADER.set(0)
        try:
            found = await self._cluster.get(LEASE, self._namespace, self._name)
            if found and dig(found, "spec", "holderIdentity") == self.identity:
                await self._cluster.replace({**found, "spec": {**found["spec"], "holderIdentity": ""}})
        except ClusterError as error:
            # It runs out by itself.
            _log.warning("leader.not_released", error=str(error))

    async def _tried(self) -> bool:
        """Take or renew it, if it is free or ours."""
        began = self.tried_at = time.monotonic()
        try:
            # A quarter: a try that began just before the limit still fails before anybody else may lead.
            async with asyncio.timeout(self._renew_seconds / 4):
                found = await self._cluster.get(LEASE, self._namespace, self._name)
                self.heard_at = time.monotonic()
                if found is None:
                    self._record = await self._cluster.create(self._body({}, taken=True))
                elif not self._may_take(found):
                    return False
                else:
                    taken = dig(found, "spec", "holderIdentity") != self.identity
                    self._record = await self._cluster.replace(self._body(found, taken=taken))
        except Conflict:
            return False
        except (ClusterError, TimeoutError) as error:
            _log.warning("leader.unsure", error=str(error) or "no answer in time")
            return False
        self.renewed_at = began
        self._changed_at = time.monotonic()
        return True

    def _may_take(self, found: Object) -> bool:
        if dig(found, "spec") != dig(self._record, "spec"):
            self._record, self._changed_at = found, time.monotonic()
        holder = dig(found, "spec", "holderIdentity")
        return holder in {None, "", self.identity} or time.monotonic() - self._changed_at > self._lease_seconds

    def _body(self, found: Object, *, taken: bool) -> Object:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            **(dig(found, "spec") or {}),
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(self._lease_seconds),
            "renewTime": now,
        }
        if taken:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = (dig(found, "spec", "leaseTransitions") or 0) + (1 if found else 0)
        metadata = found.get("metadata") or {"name": self._name, "namespace": self._namespace}
        return {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": spec}
