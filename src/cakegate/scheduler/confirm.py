"""Settle DELETEs whose answer was lost, or never written down: ask for each cake once the upstream must be done."""

from typing import Final

import structlog

from cakegate.adapters import upstream
from cakegate.adapters.store import deletions, pool
from cakegate.domain import errors

_log = structlog.get_logger()

#: Cakes asked for in one round: the legacy API has other work to do.
_BATCH: Final = 20


class Confirmer:
    """Goes through the open deletions, a batch a round, and begins anew after the last."""

    def __init__(self, db: pool.Database, legacy: upstream.Upstream, *, write_max_seconds: float) -> None:
        self._db = db
        self._legacy = legacy
        self._write_max_seconds = write_max_seconds
        self._after = 0

    async def round(self) -> int:
        """Look what became of the next open deletions; how many were settled.

        A cake that is not there, or whose id another has by now, is gone. One that still is was not deleted. One of
        which the upstream will not tell is passed over until its turn comes again, so that it keeps up no other.

        Raises:
            DatabaseUnavailable, UpstreamUnreachable, UpstreamBusy: the rest is left for the next round.
        """
        found = await deletions.open_since(self._db, seconds=self._write_max_seconds, after=self._after, limit=_BATCH)
        self._after = found[-1].id if len(found) == _BATCH else 0
        return sum([await self._confirm(each) for each in found])

    async def _confirm(self, each: deletions.Deletion) -> bool:
        try:
            found = await self._legacy.get(each.cake_id)
            gone = found.marker != each.marker
        except errors.CakeNotFound:
            gone = True
        except (errors.UpstreamRefused, errors.UpstreamBroken, errors.UpstreamSlow) as error:
            _log.warning("deletion.not_settled", record=each.id, cake=each.cake_id, error=str(error))
            return False
        outcome = deletions.Outcome.ABSENT if gone else deletions.Outcome.REFUSED
        await deletions.settle(self._db, each.id, outcome)
        _log.info("deletion.settled", record=each.id, cake=each.cake_id, outcome=outcome.value)
        return True
