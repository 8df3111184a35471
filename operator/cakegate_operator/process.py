"""`cakegate operator`: settings, the Lease, kopf, the loop, metrics and health, in one task group.

The end of any of them ends the process: a leader without its Lease, a Lease without a loop, a loop that no event wakes
any more would all be worse than a restart.
"""

import asyncio
import contextlib
import copy
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

import kopf
import structlog
from kubernetes.aio import client

import cakegate
from cakegate import settings as data_plane
from cakegate.adapters import logs
from cakegate_operator import apiserver, environment, health, kinds, main, metrics, watching
from cakegate_operator.cluster import ClusterError
from cakegate_operator.election import Election, LeaseLost
from cakegate_operator.loop import Loop
from cakegate_operator.probing import Probes
from cakegate_operator.reconcile import Reconciler

_log = structlog.get_logger("cakegate.operator")

#: A pass that takes longer hangs: no call of it may take longer than a tenth.
_LONGEST_PASS_SECONDS: Final = 300.0
#: Without a word from the API server for so long, a process is of no use; but restarting it helps little either.
_SILENCE_SECONDS: Final = 60.0


class Stopped(Exception):
    """SIGTERM or SIGINT."""


def run() -> None:
    """Run the operator until it is told to stop; exits non-zero where it ended by itself."""
    chosen = environment.from_env()
    logs.configure(data_plane.Telemetry(log_level=chosen.log_level, log_format=chosen.log_format), process="operator")
    # These two repeat what our own lines say, for every event.
    for name in ("kopf", "kubernetes"):
        logging.getLogger(name).setLevel(logging.WARNING)
    failed = False
    try:
        asyncio.run(_serve(chosen))
    except* Stopped:
        _log.info("operator.stopped")
    except* LeaseLost as error:
        _log.error("leader.lost", error=str(error.exceptions[0]))
        failed = True
    if failed:
        sys.exit(1)


async def _serve(chosen: environment.Environment) -> None:
    metrics.BUILD_INFO.labels(cakegate.__version__).set(1)
    metrics.LEADER.set(0)
    api = await apiserver.connect()
    try:
        async with asyncio.TaskGroup() as group:
            _on_signals(group)
            await operate(group, api, chosen)
    finally:
        await api.close()


def _on_signals(group: asyncio.TaskGroup) -> None:
    async def stop() -> None:
        raise Stopped

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, lambda: group.create_task(stop()))


async def operate(group: asyncio.TaskGroup, api: client.ApiClient, chosen: environment.Environment) -> None:
    """Stand by, and lead once elected, until something ends."""
    cluster = apiserver.ApiServer(api)
    election = Election(
        cluster, namespace=chosen.namespace, name=chosen.lease_name, identity=chosen.identity,
        lease_seconds=chosen.lease_seconds, renew_seconds=chosen.lease_seconds * 2 / 3,
        retry_seconds=chosen.lease_seconds * 2 / 15,
    )  # fmt: skip
    probes = Probes(enabled=chosen.probe_upstream)
    reconciler = Reconciler(cluster, chosen.release(), probes=probes, clock=_now)
    loop = Loop(reconciler, resync_seconds=chosen.resync_seconds)
    probes.wake = loop.wake
    vital = Vital(election, loop)
    async with (
        health.serving(chosen.health_port, live=vital.live, ready=vital.ready),
        health.measuring(chosen.metrics_port),
        _closing(loop, probes, election),
    ):
        await election.won()
        group.create_task(election.kept(), name="lease")
        group.create_task(_seek(cluster, loop, chosen), name="bakeries")
        group.create_task(_listen(api.configuration, loop, chosen), name="children")
        await watch(chosen, loop, api.configuration)


@contextlib.asynccontextmanager
async def _closing(loop: Loop, probes: Probes, election: Election) -> AsyncIterator[None]:
    try:
        yield
    finally:
        # The Lease last: nothing of ours may write once another leads.
        await loop.close()
        await probes.close()
        await election.release()


async def _listen(configuration: client.Configuration, loop: Loop, chosen: environment.Environment) -> None:
    """Watch children for ever, on connections of their own: watches of many namespaces must not take all others'."""
    unlimited = copy.copy(configuration)
    unlimited.connection_pool_maxsize = 0
    async with client.ApiClient(unlimited) as api:
        await watching.children(apiserver.ApiServer(api), chosen.namespaces, loop.wake)


async def _seek(cluster: apiserver.ApiServer, loop: Loop, chosen: environment.Environment) -> None:
    """Now and then, look for bakeries that no event told of: a watch may die without a word."""
    while True:
        await asyncio.sleep(chosen.resync_seconds)
        try:
            for namespace in chosen.namespaces or ("",):
                for live in await cluster.list(kinds.BAKERY, namespace, {}):
                    where = live["metadata"]["namespace"], live["metadata"]["name"]
                    if not loop.follows(*where):
                        _log.warning("bakery.unseen", namespace=where[0], bakery=where[1])
                        loop.wake(*where)
        except ClusterError as error:
            _log.warning("bakeries.not_listed", error=str(error))


async def watch(chosen: environment.Environment, loop: Loop, configuration: client.Configuration) -> None:
    """Let kopf watch bakeries; returns only by an error, for a watch that ends must end the process."""
    handled = kopf.OperatorSettings()
    handled.posting.enabled = False
    handled.watching.server_timeout = 300
    handled.watching.client_timeout = 310
    handled.networking.request_timeout = 30
    # It would kill this process some time after kopf has ended, whatever goes on then; the kubelet does that better.
    handled.process.ultimate_exiting_timeout = None
    # Namespaced, the operator may neither list namespaces nor definitions; what it watches is always there.
    handled.scanning.disabled = bool(chosen.namespaces)
    await kopf.operator(
        registry=main.REGISTRY,
        settings=handled,
        memo=kopf.Memo(loop=loop, configuration=configuration),
        standalone=True,
        clusterwide=not chosen.namespaces,
        namespaces=chosen.namespaces,
    )
    raise Stopped


class Vital:
    """What the probes look at: not whether a port answers, but whether work goes on."""

    def __init__(self, election: Election, loop: Loop) -> None:
        self._election, self._loop = election, loop

    def live(self) -> str | None:
        """What is wrong, if a restart would help: a pass that hangs, an election that no longer tries."""
        if self._loop.longest_pass_seconds() > _LONGEST_PASS_SECONDS:
            return "a pass hangs"
        if time.monotonic() - self._election.tried_at > _SILENCE_SECONDS:
            return "the election hangs"
        return None

    def ready(self) -> str | None:
        """What is wrong, if it is of no use: no word from the API server."""
        if time.monotonic() - self._election.heard_at > _SILENCE_SECONDS:
            return "the API server does not answer"
        return self.live()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
