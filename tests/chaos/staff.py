"""The bakery's staff: decide on what waits in review, while everything around them is struck."""

import asyncio
import contextlib
import random
from typing import Final

from cakegate import settings
from cakegate.adapters.store import pool, reviewing, submissions
from cakegate.domain import errors
from cakegate.domain.submissions import State

_PAUSE_SECONDS: Final = (0.5, 2.0)
_AT_ONCE: Final = 3
#: What stays in review, so that there is some at the end.
_UNDECIDED_CHANCE: Final = 0.3


async def decide(database_url: str, *, seed: int) -> None:
    """Approve or reject a few of the run's submissions at a time, until cancelled."""
    dice = random.Random(f"{seed}-staff")
    group = settings.Database(url=settings.SecretUrl(database_url), pool_min=1, pool_max=2)
    db = await pool.Database.open(group, application_name="chaos-staff")
    seen = set()
    try:
        while True:
            await asyncio.sleep(dice.uniform(*_PAUSE_SECONDS))
            # A database that is away is asked again; of a decision whose answer is lost, the row tells.
            with contextlib.suppress(errors.DatabaseUnavailable, errors.IllegalTransition):
                waiting = await submissions.listing(db, states=[State.REVIEW], limit=1000)
                fresh = [row.id for row in waiting if row.id not in seen and row.draft.name.startswith("Chaos")]
                for submission_id in fresh[:_AT_ONCE]:
                    seen.add(submission_id)
                    if dice.random() > _UNDECIDED_CHANCE:
                        target = dice.choice((State.ACCEPTED, State.ACCEPTED, State.REJECTED))
                        await reviewing.decide(db, submission_id, target=target, actor="staff")
    finally:
        await db.close()
