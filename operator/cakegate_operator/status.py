"""`cakegate status`: a bakery as a person wants to read it."""

import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cakegate.domain.errors import InvalidSettings
from cakegate_operator import apiserver, kinds, names, observing
from cakegate_operator.cluster import ClusterError, Refused
from cakegate_operator.inputs import Object
from cakegate_operator.seen import dig
from cakegate_operator.statuses import Condition, Status

#: What is wrong where it is True.
_ABNORMAL: Final = frozenset({"Reconciling", "Stalled", "Paused"})
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def show(name: str | None, *, namespace: str | None, kubeconfig: str | None, context: str | None) -> None:
    """Print one bakery, or all in a line each; exits with 1 where one is not ready."""
    try:
        found = asyncio.run(_found(name, namespace, kubeconfig, context))
    except ClusterError as error:
        raise InvalidSettings(f"the API server could not be asked: {error}") from error
    console = Console(highlight=False)
    now = datetime.now(UTC)
    if name is None:
        console.print(_overview(found, now) if found else "There is no CakeBakery.")
    for live in found if name else ():
        for part in described(live, now):
            console.print(part)
    if not all(is_ready(live) for live in found):
        sys.exit(1)


async def _found(name: str | None, namespace: str | None, kubeconfig: str | None, context: str | None) -> list[Object]:
    api = await apiserver.connect(kubeconfig, context)
    try:
        cluster = apiserver.ApiServer(api)
        if name is None:
            return await cluster.list(kinds.BAKERY, namespace or "", {})
        where = namespace or apiserver.context_namespace(kubeconfig, context)
        live = await cluster.get(kinds.BAKERY, where, name)
        if live is None:
            raise Refused(f"there is no CakeBakery {name} in the namespace {where}")
        return [live]
    finally:
        await api.close()


def is_ready(live: Object) -> bool:
    """Whether its summary says so, about the resource as it is now."""
    ready = _conditions(observing.before(live)).get("Ready")
    return bool(ready and ready.status == "True" and ready.observed_generation == dig(live, "metadata", "generation"))


def _overview(found: list[Object], now: datetime) -> Table:
    table = Table("Namespace", "Name", "Ready", "Gateway", "Worker", "Version", "Age", "Why", box=None)
    for live in found:
        seen = observing.before(live)
        ready = _conditions(seen).get("Ready")
        table.add_row(
            live["metadata"]["namespace"],
            live["metadata"]["name"],
            ready.status if ready else "Unknown",
            str(seen.gateway.ready_replicas if seen.gateway else 0),
            str(seen.worker.ready_replicas if seen.worker else 0),
            _version(seen),
            _age(live["metadata"]["creationTimestamp"], now),
            "" if is_ready(live) else _why(ready),
        )
    return table


def _why(ready: Condition | None) -> str:
    return f"{ready.reason}: {ready.message}" if ready else "no operator has seen it yet"


def described(live: Object, now: datetime) -> Iterator[Text | Table]:
    """One bakery: the summary, its pods, its conditions."""
    seen = observing.before(live)
    conditions = _conditions(seen)
    yield _headline(live, conditions.get("Ready"))
    generation = dig(live, "metadata", "generation", default=0)
    if (seen.observed_generation or 0) < generation:
        yield Text("The operator has not looked at the newest change yet.", "yellow")
    yield _facts(seen)
    yield _pods(seen)
    yield _checks(conditions, now)


def _headline(live: Object, ready: Condition | None) -> Text:
    title = f"{live['metadata']['namespace']}/{live['metadata']['name']}"
    if ready and ready.status == "True":
        return Text.assemble((title, "bold"), "  ", ("Ready", "bold green"))
    return Text.assemble((title, "bold"), "  ", ("Not ready", "bold red"), f"  {_why(ready)}")


def _facts(seen: Status) -> Table:
    table = Table(box=None, show_header=False)
    table.add_row("URL", seen.url or "")
    table.add_row("Version", _version(seen))
    table.add_row("Schema", seen.database_revision or "")
    table.add_row("Operator", seen.operator_version or "")
    return table


def _version(seen: Status) -> str:
    """What runs, and what is to run where that is another."""
    running, target = seen.last_successful_version or "", seen.target_version or ""
    return target if running == target else f"{running} → {target}".strip()


def _pods(seen: Status) -> Table:
    table = Table("Component", "Ready", "Updated", "Pods", "Autoscaler", box=None)
    for component in names.PROCESSES:
        rolled = getattr(seen, component)
        if rolled:
            numbers = (rolled.ready_replicas, rolled.updated_replicas, rolled.replicas)
            table.add_row(component, *map(str, numbers), rolled.autoscaler_name or "")
    return table


def _checks(conditions: dict[str, Condition], now: datetime) -> Table:
    table = Table("Condition", "", "For", "Reason", "Message", box=None)
    for each in conditions.values():
        wrong = each.status == "True" if each.type in _ABNORMAL else each.status == "False"
        style = "red" if wrong else "yellow" if each.status == "Unknown" else ""
        since = _age(each.last_transition_time, now)
        table.add_row(each.type, each.status, since, each.reason, each.message, style=style)
    return table


def _conditions(seen: Status) -> dict[str, Condition]:
    return {each.type: each for each in seen.conditions or []}


def _age(since: str, now: datetime) -> str:
    seconds = max(0, int((now - datetime.fromisoformat(since)).total_seconds()))
    if seconds < _MINUTE:
        return f"{seconds}s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE}m"
    return f"{seconds // _HOUR}h" if seconds < _DAY else f"{seconds // _DAY}d"
