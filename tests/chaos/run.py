"""One run from a plan's size to its outcome."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from time import monotonic
from typing import Any, Final

import msgspec

from cakegate.local import sample
from chaos import (
    audit,
    bakery,
    clients,
    evidence,
    exhibits,
    neighbours,
    plans,
    progress,
    records,
    report,
    staff,
    strikes,
)

_IDLE_SECONDS: Final = 10.0
_QUIET_WAIT_SECONDS: Final = 30
_PICTURE_SECONDS: Final = 0.2


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much of everything; `lease_seconds` sets the pace of the whole: other times are shares of it."""

    submissions: int
    kills: int
    freezes: int
    clients: int
    lease_seconds: float = 6.0


def variables(size: Size) -> dict[str, str]:
    """The stack's settings, in proportion to the lease: with 6 s a send deadline of 2 s, late writes up to 5 s."""
    lease = size.lease_seconds
    return {
        "CAKEGATE_SUBMISSIONS_JUDGING_LEASE_SECONDS": f"{lease:g}",
        "CAKEGATE_SUBMISSIONS_CREATING_LEASE_SECONDS": f"{lease:g}",
        "CAKEGATE_SUBMISSIONS_SEND_DEADLINE_SECONDS": f"{lease / 3:g}",
        "CAKEGATE_SUBMISSIONS_RETRY_BASE_SECONDS": "0.3",
        "CAKEGATE_SUBMISSIONS_RETRY_MAX_SECONDS": "2",
        "CAKEGATE_UPSTREAM_WRITE_MAX_SECONDS": f"{lease * 5 / 6:g}",
        "CAKEGATE_UPSTREAM_WRITE_TIMEOUT_SECONDS": f"{lease / 4:g}",
        "CAKEGATE_UPSTREAM_TIMEOUT_SECONDS": "3",
        "CAKEGATE_UPSTREAM_CONNECT_TIMEOUT_SECONDS": "1",
        "CAKEGATE_UPSTREAM_PAGE_MAX": "40",
        "CAKEGATE_UPSTREAM_BREAKER_BASE_SECONDS": "0.3",
        "CAKEGATE_UPSTREAM_BREAKER_MAX_SECONDS": "1",
        "CAKEGATE_SCHEDULER_SWEEP_SECONDS": "0.3",
        "CAKEGATE_SCHEDULER_SETTLE_SECONDS": "0.5",
        "CAKEGATE_SCHEDULER_REQUEUE_BASE_SECONDS": "2",
        "CAKEGATE_SCHEDULER_REQUEUE_MAX_SECONDS": "8",
        "CAKEGATE_DATABASE_POOL_WAIT_SECONDS": "1",
        "CAKEGATE_DATABASE_STATEMENT_TIMEOUT_SECONDS": "3",
        "CAKEGATE_REDIS_SOCKET_TIMEOUT_SECONDS": "2",
        "CAKEGATE_GATEWAY_ACCEPT_SECONDS": "3",
    }


async def carried_out(size: Size, *, seed: int, folder: Path) -> report.Outcome:
    """Run the plan of a seed in an empty folder; nothing of it runs any more when this returns."""
    (folder / "pictures").mkdir()
    names = exhibits.draw(_pictures(folder))
    plan = plans.made(
        seed, submissions=size.submissions, kills=size.kills, freezes=size.freezes, lease_seconds=size.lease_seconds,
        pictures=names,
    )  # fmt: skip
    given = variables(size)
    async with contextlib.AsyncExitStack() as stack:
        # Two of them: one misbehaves, and the pictures' host does not.
        dice = random.Random(f"{seed}-upstream").random
        upstream = await stack.enter_async_context(sample.serve(folder / "upstream", dice=dice))
        host = await stack.enter_async_context(sample.serve(folder / "pictures"))
        # Else a worker would hardly ever be struck while it judges.
        host.faults = sample.Faults(picture_latency_seconds=_PICTURE_SECONDS)
        given |= {"CAKEGATE_UPSTREAM_URL": upstream.url, "CAKEGATE_FETCH_ALLOW": host.url.removeprefix("http://")}
        run = _Run(plan, size, upstream=upstream, pictures_url=f"{host.url}/pictures")
        async with bakery.opened(folder / "stack", given) as opened:
            outcome = await run.through(opened)
            family = opened.family()
        outcome.seen.left_over.extend(await bakery.left_over(family))
    return msgspec.structs.replace(outcome, variables=given, violations=audit.violations(outcome.seen))


def _pictures(folder: Path) -> Path:
    pictures = folder / "pictures" / "pictures"
    pictures.mkdir()
    return pictures


class _Run:
    """A plan on its way."""

    def __init__(self, plan: plans.Plan, size: Size, *, upstream: sample.Sample, pictures_url: str) -> None:
        self._plan = plan
        self._size = size
        self._upstream = upstream
        self._pictures_url = pictures_url
        self._moving = progress.Progress()

    async def through(self, stack: bakery.Bakery) -> report.Outcome:
        """Quiet judgements first, then everything at once, then recovery; and what was seen of it."""
        customers = clients.Clients(
            stack.stack.gateway_url, self._pictures_url, self._upstream, moving=self._moving, seed=self._plan.seed
        )
        striker = strikes.Striker(stack, self._moving)
        try:
            await self._judge_quietly(customers)
            others = neighbours.Neighbours(self._upstream, seed=self._plan.seed)
            async with _meanwhile(
                others.live(),
                neighbours.delete_what_is_listed(customers, seed=self._plan.seed),
                staff.decide(stack.stack.database_url, seed=self._plan.seed),
            ):
                began = monotonic()
                await self._storm(customers, striker)
                run_seconds = monotonic() - began
                await asyncio.gather(*(stack.ready(name) for name in stack.names))
                settled = await evidence.all_settled(stack.stack.database_url, seconds=report.RECOVERY_SECONDS)
                recovered = monotonic() - striker.last_at if settled else None
            seen = msgspec.structs.replace(
                await self._see(stack, customers), stuck=striker.stuck, unforeseen=stack.unforeseen()
            )
        finally:
            await customers.close()
        return report.Outcome(
            plan=self._plan, seen=seen, violations=[], variables={}, struck=dict(striker.struck),
            back_seconds=striker.back_seconds, troubles=dict(self._upstream.given), run_seconds=run_seconds,
            recovered_seconds=recovered,
        )  # fmt: skip

    async def _judge_quietly(self, customers: clients.Clients) -> None:
        """Each picture once, before anything is struck: how it is judged then is how it must be judged later."""
        orders = [
            plans.Order(
                number=-1 - number, picture=picture, name="Quiet cake", comment="Baked before the run", yum_factor=3,
                key=None, wait_seconds=_QUIET_WAIT_SECONDS, patience_seconds=2 * _QUIET_WAIT_SECONDS,
            )
            for number, picture in enumerate(sorted({order.picture for order in self._plan.orders}))
        ]  # fmt: skip
        await asyncio.gather(*map(customers.carry_out, orders))

    async def _storm(self, customers: clients.Clients, striker: strikes.Striker) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(striker.carry_out(self._plan))
            tasks.create_task(strikes.change_moods(self._plan, self._upstream, self._moving))
            tasks.create_task(customers.send(self._plan.orders, clients=self._size.clients))

    async def _see(self, stack: bakery.Bakery, customers: clients.Clients) -> records.Seen:
        for told in customers.told:
            for submission in told.taken:
                told.final = (await customers.ask(submission)).body
        left_over = await evidence.stranded_messages(stack.stack.redis_url, seconds=_IDLE_SECONDS)
        found = await evidence.rows(stack.stack.database_url)
        by_id = {row.id: row for row in found}
        quiet = {}
        for told in customers.told:
            if told.order.number < 0:
                (submission,) = told.taken
                quiet[told.order.picture] = (by_id[submission].state, by_id[submission].reason)
        # Last: what a row says was done upstream by then, late writes included.
        await self._upstream.settle()
        return records.Seen(
            told=customers.told, changes=customers.changes, rows=found, ledger=self._upstream.cakes.ledger(),
            quiet=quiet, leaks=customers.leaks, left_over=left_over,
        )  # fmt: skip


@contextlib.asynccontextmanager
async def _meanwhile(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let endless work run beside a block; what it raised is raised at the block's end."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end
