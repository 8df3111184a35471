"""A worker writes down which models it has loaded: the scheduler, which loads none, measures their drift."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import structlog

from cakegate import contract
from cakegate.adapters.store import models, schema
from cakegate.domain import errors
from cakegate.worker import wiring

if TYPE_CHECKING:
    from cakegate.adapters import detector  # the writer, which has no model, loads this module too

_log = structlog.get_logger()

#: Postgres may be away, or not migrated yet, when a worker starts; nothing that it does waits for this.
_AGAIN_SECONDS: Final = 5.0


async def introduce(context: wiring.Context) -> None:
    """Write down the models of this process, as soon as the database can take them or until the process is to end.

    Whatever keeps it from that, the process judges all the same.
    """
    assert context.judges is not None
    loaded = [each for each in (context.judges.detector, context.judges.shadow) if each is not None]
    while not context.stopping.is_set():
        try:
            found = await schema.current(context.db)
            if found is not None and found >= contract.SCHEMA_VERSION:
                for each in loaded:
                    await models.remember(context.db, _loaded(each))
                return
            _log.info("schema.awaited", found=found, needed=contract.SCHEMA_VERSION)
        except errors.DatabaseUnavailable as error:
            _log.warning("database.unavailable", error=str(error))
        except Exception:  # noqa: BLE001 - drift is not measured then; that is all
            _log.exception("models.not_introduced")
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(context.stopping.wait(), _AGAIN_SECONDS)


def _loaded(judge: "detector.Detector") -> models.Loaded:
    return models.Loaded(model=judge.model, thresholds=judge.thresholds, histogram=judge.card.histogram)
