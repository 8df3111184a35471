"""Settle DELETEs whose answer was lost, or never written down: ask for each cake once the upstream must be done."""

from typing import Final

import structlog

from cakegate.adapters import upstream
from cakegate.adapters.store import deletions, pool
from cakegate.domain import errors

_log = structlog.get_logger()

#: Cakes asked for in one round: the legacy API has other work to do.
_BATCH: Final = 20


async def confirm(db: pool.Database, legacy: upstream.Upstream, *, write_max_seconds: float) -> int:
    """Look what became of open deletions; how many were settled.

    A cake that is not there, or whose id another has by now, is gone. One that still is was not deleted.

    Raises:
        DatabaseUnavailable, UpstreamError: the rest is left for the next round.
    """
    settled = 0
    for each in await deletions.open_since(db, seconds=write_max_seconds, limit=_BATCH):
        try:
            found = await legacy.get(each.cake_id)
            gone = found.marker != each.marker
        except errors.CakeNotFound:
            gone = True
        except errors.UpstreamRefused as error:
            # It will not say, which must not keep us from asking for the others.
            _log.warning("deletion.not_settled", record=each.id, cake=each.cake_id, error=str(error))
            continue
        outcome = deletions.Outcome.ABSENT if gone else deletions.Outcome.REFUSED
        await deletions.settle(db, each.id, outcome)
        _log.info("deletion.settled", record=each.id, cake=each.cake_id, outcome=outcome.value)
        settled += 1
    return settled
