"""How far the latest scores have moved from those that their model was validated on, as gauges."""

from typing import Final

from cakegate.adapters import metrics
from cakegate.adapters.store import models, pool
from cakegate.domain import drift

#: The latest so many verdicts, none older than this: a busy bakery's last hour, a quiet one's last week. Of 200 the
#: index is some 0.08 by chance (0.16 the most of 60 draws from the starter's card), of 1,000 0.02; the alert asks for
#: 200.
_LATEST_MOST: Final = 1000
_LATEST_DAYS: Final = 7.0


async def measure(db: pool.Database) -> None:
    """Set the gauges of each model with a verdict among the latest that says what it was validated on.

    Raises:
        DatabaseUnavailable: the gauges keep what they had.
    """
    found = await models.recent(db, most=_LATEST_MOST, days=_LATEST_DAYS)
    metrics.observe_drifts({each.model: drift.measure(each.histogram, each.counts) for each in found})
