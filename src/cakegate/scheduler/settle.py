"""Settle creates whose answer was lost: one scan of the legacy API's list looks for all their markers.

What is found was created. What is not found stays parked: one scan proves no absence, because its pages shift while
others write, and a create may still be under way.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import structlog

from cakegate import settings
from cakegate.adapters import metrics, upstream
from cakegate.adapters.store import pool, settling
from cakegate.domain import cakes, errors

_log = structlog.get_logger()

#: Rows looked for in one scan; more wait for the next.
_BATCH: Final = 1000


class Settler:
    """Holds what a scan needs; `run` scans again and again, `round` once, where there is anything to look for."""

    def __init__(self, config: settings.Settings, db: pool.Database, legacy: upstream.Upstream) -> None:
        self._pause_seconds = config.scheduler.settle_seconds
        self._page = config.upstream.page_max
        self._image_url_field = config.upstream.image_url_field
        self._db = db
        self._legacy = legacy

    async def run(self) -> None:
        """Scan until cancelled. A database or an upstream that is away is waited for."""
        while True:
            try:
                await self.round()
            except (errors.DatabaseUnavailable, errors.UpstreamError) as error:
                _log.warning("scan.abandoned", kind=type(error).__name__, error=str(error))
            await asyncio.sleep(self._pause_seconds)

    async def round(self) -> int:
        """Look once for all uncertain submissions; how many were found.

        Raises:
            DatabaseUnavailable, UpstreamError: the rest is left for the next round.
        """
        wanted = await settling.markers(self._db, limit=_BATCH)
        if not wanted:
            return 0
        seen: dict[str, cakes.CakeId] = {}
        async for stored in self._listed():
            if stored.marker is None or stored.marker not in wanted:
                continue
            if stored.marker in seen and seen[stored.marker] != stored.id:
                metrics.DOUBLES.inc()
                _log.error(
                    "cake.doubled", submission_id=str(wanted[stored.marker]), cakes=[seen[stored.marker], stored.id]
                )
                continue
            seen[stored.marker] = stored.id
            await self._settle(stored, wanted)
        _log.info("scan.finished", wanted=len(wanted), found=len(seen))
        return len(seen)

    async def _settle(self, stored: cakes.StoredCake, wanted: dict[str, Any]) -> None:
        assert stored.marker is not None
        settled = await settling.settle_found(
            self._db,
            wanted[stored.marker],
            upstream_id=stored.id,
            cake=stored.public(image_url_field=self._image_url_field),
            actor="scheduler",
        )
        if settled is not None:
            metrics.TRANSITIONS.labels(settled.state.value, "").inc()
            _log.info("submission.settled", submission_id=str(settled.id), state=settled.state.value, cake=stored.id)

    async def _listed(self) -> AsyncIterator[cakes.StoredCake]:
        """All cakes, page by page; a cake may come twice or not at all while others write."""
        skip = 0
        while True:
            items = await self._legacy.list(skip=skip, limit=self._page)
            for item in items:
                if (stored := cakes.stored(item, image_url_field=self._image_url_field)) is not None:
                    yield stored
            if len(items) < self._page:
                return
            skip += len(items)
