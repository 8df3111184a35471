"""Cakes of the legacy API, passed through: its pages, one cake, PUT with its picture kept, DELETE with a record."""

from typing import Any

import msgspec
import structlog

from cakegate.adapters.store import deletions
from cakegate.domain import cakes, errors
from cakegate.gateway import wiring

_log = structlog.get_logger()


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page of cakes in public form, and the `Link` header to the others (RFC 8288)."""

    items: list[dict[str, Any]]
    link: str


async def page(context: wiring.Context, *, skip: int, limit: int) -> Page:
    """One page; the legacy API tells no total, so a full page has a next one. Raises `UpstreamError`."""
    found = await context.upstream.list(skip=skip, limit=limit)
    field = context.config.upstream.image_url_field
    items = [cakes.StoredCake(id="", item=item, marker=None).public(image_url_field=field) for item in found]
    links = [_link(0, limit, "first")]
    if skip > 0:
        links.append(_link(max(0, skip - limit), limit, "prev"))
    if len(items) >= limit:
        links.append(_link(skip + limit, limit, "next"))
    return Page(items=items, link=", ".join(links))


def _link(skip: int, limit: int, relation: str) -> str:
    return f'</api/cakes?skip={skip}&limit={limit}>; rel="{relation}"'


async def get(context: wiring.Context, cake_id: cakes.CakeId) -> dict[str, Any]:
    """One cake in public form. Raises `CakeNotFound`, `UpstreamError`."""
    found = await context.upstream.get(cake_id)
    return found.public(image_url_field=context.config.upstream.image_url_field)


async def replace(
    context: wiring.Context, cake_id: cakes.CakeId, draft: cakes.CakeDraft, *, image_url: str | None
) -> dict[str, Any]:
    """Change name, comment and yum factor; the stored address goes back with its marker.

    Raises:
        PictureChanged: `image_url` is given and names another picture.
        CakeNotFound, UpstreamError: as they say.
    """
    field = context.config.upstream.image_url_field
    found = await context.upstream.get(cake_id)
    stored = found.item.get(field)
    if image_url is not None and _bare(image_url) != _bare(str(stored)):
        raise errors.PictureChanged("Submit the cake anew for another picture: every picture is judged.")
    changed = {
        **found.item,
        "name": draft.name,
        "comment": draft.comment,
        "yumFactor": draft.yum_factor,
        field: stored,
    }
    written = await context.upstream.replace(cake_id, changed)
    return written.public(image_url_field=field)


def _bare(url: str) -> str:
    return url.partition("#")[0]


async def delete(context: wiring.Context, cake_id: cakes.CakeId, *, request_id: str) -> dict[str, Any]:
    """Delete a cake, and record that somebody wanted it, whatever comes of it.

    Raises:
        CakeNotFound, UpstreamError: as they say.
        DatabaseUnavailable: the record cannot be written, so nothing was sent.
    """
    try:
        found = await context.upstream.get(cake_id)
    except errors.CakegateError as error:
        outcome = _outcome(error)
        await deletions.record(context.db, cake_id, request_id=request_id, outcome=outcome)
        raise
    record = await deletions.record(context.db, cake_id, marker=found.marker, item=found.item, request_id=request_id)
    try:
        gone = await context.upstream.delete(cake_id)
    except errors.CakegateError as error:
        await _settle(context, record, _outcome(error), status=getattr(error, "status", None))
        raise
    await _settle(context, record, deletions.Outcome.DELETED, status=200)
    return (gone or found).public(image_url_field=context.config.upstream.image_url_field)


async def _settle(context: wiring.Context, record: int, outcome: deletions.Outcome, *, status: int | None) -> None:
    """The client is told what happened upstream, also when the database misses it: then the record says `requested`."""
    try:
        await deletions.settle(context.db, record, outcome, status=status)
    except errors.DatabaseUnavailable as error:
        _log.error("deletion.not_settled", record=record, outcome=outcome.value, error=str(error))


def _outcome(error: errors.CakegateError) -> deletions.Outcome:
    if isinstance(error, errors.CakeNotFound):
        return deletions.Outcome.ABSENT
    if isinstance(error, (errors.UpstreamRefused, errors.UpstreamBusy)):
        return deletions.Outcome.REFUSED
    if isinstance(error, errors.UpstreamUncertain):
        return deletions.Outcome.UNCERTAIN
    return deletions.Outcome.UNREACHABLE
