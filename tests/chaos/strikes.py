"""Who strikes: blows at the stack's processes and moods of the upstream, each at its point of the plan."""

import asyncio
import contextlib
from collections import Counter
from time import monotonic
from typing import Final

from cakegate.local.sample import Faults, Sample
from chaos import bakery, plans, progress

#: Submissions that may be sent beyond a point before its blow has fallen.
_SLACK: Final = 5


class Striker:
    """Carries out the strikes; `struck` counts them, `back_seconds` has how long each target needed to be ready.

    `stuck` says which did not get ready at all.
    """

    def __init__(self, stack: bakery.Bakery, moving: progress.Progress) -> None:
        self.struck: Counter[tuple[plans.Target, plans.Blow]] = Counter()
        self.back_seconds: dict[tuple[plans.Target, plans.Blow], float] = {}
        self.last_at = monotonic()
        self.stuck: list[str] = []
        self._stack = stack
        self._moving = moving
        self._recovering: set[asyncio.Task[None]] = set()

    async def carry_out(self, plan: plans.Plan) -> None:
        """All strikes, each as soon as its point is reached; then let the rest be sent, and wait for the last thaw."""
        for strike in plan.strikes:
            await self._moving.allow(strike.after + _SLACK)
            await self._moving.reached(strike.after)
            await self._strike(strike)
        await self._moving.allow(len(plan.orders))
        await asyncio.gather(*self._recovering)

    async def _strike(self, strike: plans.Strike) -> None:
        if not strike.early:
            await self._ready(strike.target)
        if strike.blow is plans.Blow.FREEZE:
            process = await self._stack.freeze(strike.target)
            self._follow(strike, frozen=process)
        else:
            await self._stack.kill(strike.target, empty=strike.blow is plans.Blow.KILL_AND_EMPTY)
            self._follow(strike, frozen=None)
        self.struck[strike.target, strike.blow] += 1

    async def _ready(self, target: plans.Target) -> None:
        try:
            await self._stack.ready(target)
        except TimeoutError as error:
            self.stuck.append(str(error))

    def _follow(self, strike: plans.Strike, *, frozen: "asyncio.subprocess.Process | None") -> None:
        async def recover() -> None:
            if frozen is not None:
                await asyncio.sleep(strike.seconds)
                self._stack.thaw(strike.target, frozen)
            self.last_at = began = monotonic()
            await self._ready(strike.target)
            kind = (strike.target, strike.blow)
            self.back_seconds[kind] = max(self.back_seconds.get(kind, 0.0), monotonic() - began)

        self._recovering.add(asyncio.create_task(recover()))


async def change_moods(plan: plans.Plan, upstream: Sample, moving: progress.Progress) -> None:
    """Cast each of the upstream's spells until its number of orders is done; then it behaves again."""
    for spell in plan.spells:
        upstream.faults = spell.faults
        async with upstream.refusing() if spell.refuses else contextlib.nullcontext():
            await moving.finished(spell.until)
    upstream.faults = Faults()
