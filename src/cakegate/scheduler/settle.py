"""Settle creates whose answer was lost: one scan of the legacy API's list looks for all of them.

Found by its marker, a cake was created. Not found, it may still be on its way, or have been missed: only two complete
scans that began after whatever was sent is done or dropped prove that there is none, and then it is sent again. A scan
proves something only if it saw a cake of ours that is known to be there, its marker on it: an API that drops fragments,
or lists nothing for a while, must not make us send everything again. What carries no marker is never settled here: a
cake that looks like it is proposed to a person.

The proof is kept in this process alone. A new leader starts anew, which costs two scans and can do no harm.
"""

import asyncio
import contextlib
import time
from collections import Counter
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from cakegate import settings
from cakegate.adapters import metrics, upstream
from cakegate.adapters.store import pool, settling
from cakegate.domain import cakes, errors, submissions
from cakegate.scheduler import confirm, scanning

_log = structlog.get_logger()

#: Rows looked for in one scan; more wait for the next.
_BATCH: Final = 1000
#: Complete scans that must miss a cake: a list without an ORDER BY may move one past a single scan.
_SCANS_TO_PROVE: Final = 2
#: A pause is this many times as long as the scan before it, up to so many of the usual ones: the legacy API has other
#: work to do, and yet what is uncertain must not wait for ever because one scan was slow.
_REST: Final = 9
_LONGEST_REST: Final = 4

_Attempt = tuple[UUID, int]
"""One sending of a submission: its id and which sending it is. The next one needs a proof of its own."""


class _Wanted(msgspec.Struct):
    """What one scan looks for: by marker, or, where there is none, by how it looks; and what it found of both."""

    rows: list[settling.Parked]
    by_marker: dict[str, settling.Parked]
    alike: dict[Any, list[settling.Parked]]
    found: dict[str, cakes.CakeId]
    proposed: set[UUID]
    living: set[str]
    seen: set[str]

    def has(self, row: settling.Parked) -> bool:
        """Whether the scan found it, or something like it."""
        return row.marker in self.found or row.id in self.proposed


class Settler:
    """Holds what a scan needs; `run` scans again and again, `round` once, where there is anything to look for."""

    def __init__(self, config: settings.Settings, db: pool.Database, legacy: upstream.Upstream) -> None:
        self._pause_seconds = config.scheduler.settle_seconds
        self._write_max_seconds = config.upstream.write_max_seconds
        self._page = config.upstream.page_max
        self._image_url_field = config.upstream.image_url_field
        self._db = db
        self._legacy = legacy
        self._confirmer = confirm.Confirmer(db, legacy, write_max_seconds=self._write_max_seconds)
        self._missed: Counter[_Attempt] = Counter()

    async def run(self) -> None:
        """Scan, and ask for cakes of open deletions, until cancelled. Who is away is waited for."""
        while True:
            started = time.monotonic()
            for step in (self.round, self._confirmer.round):
                try:
                    await step()
                except (errors.DatabaseUnavailable, errors.UpstreamError) as error:
                    metrics.SCANS.labels("abandoned").inc()
                    _log.warning("scan.abandoned", kind=type(error).__name__, error=str(error))
                except Exception:  # noqa: BLE001 - the sweeper runs beside it
                    # A fault of ours: leases are still to be swept, and the next round may do without it.
                    metrics.SCANS.labels("failed").inc()
                    _log.exception("scan.failed")
            rest = min(_REST * (time.monotonic() - started), _LONGEST_REST * self._pause_seconds)
            await asyncio.sleep(max(self._pause_seconds, rest))

    async def round(self) -> int:
        """Look once for all uncertain submissions; how many were settled.

        Raises:
            DatabaseUnavailable, UpstreamError: this scan proves nothing; what it found stays settled.
        """
        rows = await settling.parked(self._db, limit=_BATCH, write_max_seconds=self._write_max_seconds)
        if not rows:
            self._missed.clear()
            return 0
        wanted = _wanted(rows, living=await settling.living(self._db))
        settled = 0
        async with contextlib.aclosing(scanning.scan(self._list, limit=self._page)) as items:
            async for item in items:
                stored = cakes.stored(item, image_url_field=self._image_url_field)
                if stored is not None:
                    settled += await self._look_at(stored, wanted)
        # What was found is as good a witness as what was known: its marker was kept, and listed.
        proves = bool(wanted.seen or wanted.found)
        absent = self._count_missed(wanted) if proves else []
        for row in absent:
            settled += await self._absent(row)
        metrics.SCANS.labels("complete" if proves else "unproven").inc()
        log = _log.info if proves else _log.warning
        log("scan.finished", wanted=len(rows), found=len(wanted.found), absent=len(absent), proves=proves)
        return settled

    async def _list(self, skip: int, limit: int) -> list[dict[str, Any]]:
        return await self._legacy.list(skip=skip, limit=limit)

    async def _look_at(self, stored: cakes.StoredCake, wanted: _Wanted) -> int:
        """Settle what this cake settles: one submission or none."""
        if stored.marker is None:
            await self._propose(stored, wanted)
            return 0
        if stored.marker in wanted.living:
            wanted.seen.add(stored.marker)
        row = wanted.by_marker.get(stored.marker)
        if row is None:
            return 0
        before = wanted.found.setdefault(stored.marker, stored.id)
        if before != stored.id:
            metrics.DOUBLES.inc()
            _log.error("cake.doubled", submission_id=str(row.id), cakes=[before, stored.id])
            return 0
        return self._told(
            await settling.settle_found(
                self._db,
                row.id,
                upstream_id=stored.id,
                cake=stored.public(image_url_field=self._image_url_field),
                actor="scheduler",
            )
        )

    async def _propose(self, stored: cakes.StoredCake, wanted: _Wanted) -> None:
        for row in wanted.alike.get(cakes.draft_of(stored.item, image_url_field=self._image_url_field), []):
            if row.id not in wanted.proposed and await settling.propose(self._db, row, stored):
                wanted.proposed.add(row.id)
                _log.info("submission.proposed", submission_id=str(row.id), cake=stored.id)
                return

    def _count_missed(self, wanted: _Wanted) -> list[settling.Parked]:
        """Note what this complete scan, begun in time, did not find; those that enough scans missed."""
        missed = [row for row in wanted.rows if row.ripe and not wanted.has(row)]
        # Only what is still parked is kept: the rest was settled, or is another attempt's.
        self._missed = Counter({_attempt(row): self._missed[_attempt(row)] + 1 for row in missed})
        return [row for row in missed if self._missed[_attempt(row)] >= _SCANS_TO_PROVE]

    async def _absent(self, row: settling.Parked) -> int:
        if row.marker is None:
            await settling.looked_for(self._db, row)
            return 0
        return self._told(
            await settling.settle_absent(
                self._db, row, image_url_field=self._image_url_field, actor="scheduler"
            )
        )  # fmt: skip

    def _told(self, settled: submissions.Submission | None) -> int:
        """Count and log what was settled; None where somebody else was faster."""
        if settled is None:
            return 0
        metrics.TRANSITIONS.labels(settled.state.value, settled.reason.value if settled.reason else "").inc()
        _log.info(
            "submission.settled", submission_id=str(settled.id), state=settled.state.value, cake=settled.upstream_id
        )
        return 1


def _wanted(rows: list[settling.Parked], *, living: set[str]) -> _Wanted:
    alike: dict[Any, list[settling.Parked]] = {}
    for row in rows:
        if row.marker is None:
            alike.setdefault(row.draft, []).append(row)
    by_marker = {row.marker: row for row in rows if row.marker is not None}
    return _Wanted(rows, by_marker, alike, found={}, proposed=set(), living=living, seen=set())


def _attempt(row: settling.Parked) -> _Attempt:
    return row.id, row.attempt
