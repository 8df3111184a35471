"""PUT and DELETE: passed through once each, a picture never exchanged, a deletion never without its record."""

from typing import Final

import msgspec
import structlog

from cakegate.adapters.store import deletions, pool, submissions
from cakegate.domain import cakes, errors
from cakegate.gateway import answers, bodies, tracing, wiring

_log = structlog.get_logger()


async def replace(gate: wiring.Gate, cake_id: cakes.CakeId, change: bodies.Change) -> answers.Answer:
    """Change name, comment and yum factor; the stored address goes back with its marker.

    Raises:
        PictureChanged: the change names another picture.
        CakeNotFound, UpstreamError: as they say.
    """
    field = gate.config.upstream.image_url_field
    stored = await gate.upstream.get(cake_id)
    address = stored.item.get(field)
    if change.image_url is not None and not cakes.same_picture(change.image_url, str(address)):
        raise errors.PictureChanged("Every picture is judged: submit the cake anew with its new picture.")
    changed = {**stored.item, "name": change.name, "comment": change.comment, "yumFactor": change.yum_factor}
    written = await gate.upstream.replace(stored.id, changed)
    _log.info("cake.replaced", cake=stored.id)
    return answers.Answer(body=msgspec.json.encode(written.public(image_url_field=field)))


async def delete(gate: wiring.Gate, cake_id: cakes.CakeId) -> answers.Answer:
    """Delete a cake and answer with it, as the legacy API does. What was wanted is on record before it is sent.

    Raises:
        CakeNotFound, UpstreamError: as they say; the record says so too.
        DatabaseUnavailable: it cannot be recorded, so nothing was sent.
    """
    cakes.check_id(cake_id)
    try:
        stored = await gate.upstream.get(cake_id)
    except (errors.CakeNotFound, errors.UpstreamError) as error:
        # Its marker is on the submission that it came from, if it came through us.
        origin = await submissions.by_upstream_id(gate.db, cake_id)
        record = await _record(gate.db, cake_id, marker=origin.marker if origin else None, item=None)
        absent = isinstance(error, errors.CakeNotFound)
        await _settle(gate.db, record, deletions.Outcome.ABSENT if absent else deletions.Outcome.UNREACHABLE, error)
        raise
    record = await _record(gate.db, stored.id, marker=stored.marker, item=stored.item)
    try:
        deleted = await gate.upstream.delete(stored.id)
    except (errors.CakeNotFound, errors.UpstreamError) as error:
        await _settle(gate.db, record, _outcome_of(error), error)
        raise
    await _settle(gate.db, record, deletions.Outcome.DELETED, None)
    _log.info("cake.deleted", cake=stored.id)
    item = (deleted or stored).public(image_url_field=gate.config.upstream.image_url_field)
    return answers.Answer(body=msgspec.json.encode(item))


async def _record(
    db: pool.Database, cake_id: cakes.CakeId, *, marker: str | None, item: dict[str, object] | None
) -> int:
    return await deletions.record(db, cake_id, marker=marker, item=item, request_id=tracing.current().request_id)


async def _settle(
    db: pool.Database, record: int, outcome: deletions.Outcome, error: errors.CakegateError | None
) -> None:
    """Write what became of it. The client hears what the upstream did, also where this fails: then it is logged."""
    status = error.status if isinstance(error, errors.UpstreamError) else None
    try:
        await deletions.settle(db, record, outcome, status=status)
    except errors.DatabaseUnavailable as failure:
        _log.warning("deletion.not_settled", record=record, outcome=outcome.value, error=str(failure))


_OUTCOMES: Final[tuple[tuple[type[errors.CakegateError], deletions.Outcome], ...]] = (
    (errors.CakeNotFound, deletions.Outcome.ABSENT),
    (errors.UpstreamUnreachable, deletions.Outcome.UNREACHABLE),
    (errors.UpstreamBusy, deletions.Outcome.REFUSED),
    (errors.UpstreamRefused, deletions.Outcome.REFUSED),
)


def _outcome_of(error: errors.CakegateError) -> deletions.Outcome:
    """What a DELETE's error proves; whatever else it is, the cake may be gone."""
    return next((outcome for kind, outcome in _OUTCOMES if isinstance(error, kind)), deletions.Outcome.UNCERTAIN)
