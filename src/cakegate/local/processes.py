"""What `cakegate up` runs, as data: our own processes, and what they are told by their environment."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from cakegate import contract


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One of ours: its name, its command line, its environment, and the URL that says when it is ready.

    Those of one `stop_wave` are stopped together, and before those of the next.
    """

    name: str
    argv: list[str]
    environ: dict[str, str]
    ready_url: str
    drain_seconds: float = 15.0
    stop_wave: int = 1


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the process list is made from. `user` holds the CAKEGATE_ variables that the user set: they win."""

    folder: Path
    ports: dict[str, int]
    database_url: str
    redis_url: str
    upstream_url: str
    sample: bool
    user: dict[str, str]


def processes(plan: Plan) -> list[Process]:
    """All of ours. Who takes work in is stopped first, and last what the others need to end theirs."""
    made = [
        _process(plan, "gateway", ["gateway"], health=None),
        _process(plan, "worker", ["worker", "--queues", f"{contract.QUEUE_JUDGE},{contract.QUEUE_BULK}"]),
        _process(plan, "writer", ["worker", "--queues", contract.QUEUE_CREATE]),
        _process(plan, "scheduler", ["scheduler"]),
    ]
    if plan.sample:
        folder, port = str(plan.folder / "sample"), str(plan.ports["sample"])
        made.append(
            Process(
                name="sample",
                argv=_argv(["sample", "--folder", folder, "--port", port]),
                environ=_environ(plan, {}),
                ready_url=f"http://127.0.0.1:{port}/healthz",
                stop_wave=2,
            )
        )
    return made


def _process(plan: Plan, name: str, verb: list[str], *, health: str | None = "health") -> Process:
    own = {"CAKEGATE_TELEMETRY_METRICS_PORT": str(plan.ports[f"{name}_metrics"]), "CAKEGATE_PROCESS": name}
    if health:
        own["CAKEGATE_TELEMETRY_HEALTH_PORT"] = str(plan.ports[f"{name}_health"])
    port = plan.ports[f"{name}_{health}" if health else name]
    return Process(
        name=name,
        argv=_argv(verb),
        environ=_environ(plan, own),
        ready_url=f"http://127.0.0.1:{port}/readyz",
        stop_wave=0 if name == "gateway" else 1,
    )


def _argv(verb: list[str]) -> list[str]:
    return [sys.executable, "-m", "cakegate", *verb]


def _environ(plan: Plan, own: Mapping[str, str]) -> dict[str, str]:
    """The user's variables over our usual ones; what ties the stack together over both."""
    usual = {
        "CAKEGATE_GATEWAY_HOST": "127.0.0.1",
        "CAKEGATE_TELEMETRY_HOST": "127.0.0.1",
        "CAKEGATE_TELEMETRY_LOG_FORMAT": "console",
        "CAKEGATE_WORKER_THREADS": "2",
        "CAKEGATE_DATABASE_POOL_MIN": "2",
        # Whoever tries it on one machine is one client, and benchmarks are in a hurry.
        "CAKEGATE_GATEWAY_READ_RATE": "off",
        "CAKEGATE_GATEWAY_WRITE_RATE": "off",
        # Below the time after which the supervisor kills: what cannot end gives its leases back.
        "CAKEGATE_GATEWAY_DRAIN_SECONDS": "8",
        "CAKEGATE_WORKER_SHUTDOWN_SECONDS": "10",
    }
    tying = {
        "CAKEGATE_GATEWAY_PORT": str(plan.ports["gateway"]),
        "CAKEGATE_DATABASE_URL": plan.database_url,
        "CAKEGATE_REDIS_URL": plan.redis_url,
        "CAKEGATE_UPSTREAM_URL": plan.upstream_url,
        "PYTHONUNBUFFERED": "1",
    }
    if plan.sample:
        # The sample API serves pictures from this machine, and from nowhere else on it; besides, what the user allows.
        allowed = [f"127.0.0.1:{plan.ports['sample']}", plan.user.get("CAKEGATE_FETCH_ALLOW", "")]
        tying["CAKEGATE_FETCH_ALLOW"] = ",".join(filter(None, allowed))
    return {**os.environ, **usual, **plan.user, **tying, **own}
