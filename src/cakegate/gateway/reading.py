"""Reads that pass through to the legacy API, in public form: our marker never leaves the house."""

import msgspec

from cakegate.domain import cakes, errors
from cakegate.gateway import answers, wiring

#: Not kept without asking us again: the legacy API changes behind our back too.
_CACHE_CONTROL = "no-cache"


async def page(gate: wiring.Gate, *, skip: int, limit: int | None) -> answers.Answer:
    """One page of cakes, and links to the pages beside it (RFC 8288).

    The legacy API tells no total, so a full page has a next one, which may be empty; a bare list is its first page.

    Raises:
        BadParameter: more is asked for than we ask of the legacy API at once.
        UpstreamError: its trouble.
    """
    group = gate.config.upstream
    if limit is not None and limit > group.page_max:
        raise errors.BadParameter({"limit": f"must be at most {group.page_max}"})
    limit = limit or group.page_default
    found = await gate.upstream.list(skip=skip, limit=limit)
    links = []
    if skip > 0:
        links.append(_link("prev", skip=max(0, skip - limit), limit=limit))
    # One that gives more than was asked for does no paging at all: it has no next page.
    if len(found) == limit:
        links.append(_link("next", skip=skip + limit, limit=limit))
    items = [cakes.public(item, image_url_field=group.image_url_field) for item in found]
    headers = {"Cache-Control": _CACHE_CONTROL, **({"Link": ", ".join(links)} if links else {})}
    return answers.Answer(body=msgspec.json.encode(items), headers=headers)


def _link(relation: str, *, skip: int, limit: int) -> str:
    return f'</api/cakes?skip={skip}&limit={limit}>; rel="{relation}"'


async def cake(gate: wiring.Gate, cake_id: cakes.CakeId) -> answers.Answer:
    """One cake. Raises `CakeNotFound` and `UpstreamError`."""
    found = await gate.upstream.get(cake_id)
    item = found.public(image_url_field=gate.config.upstream.image_url_field)
    return answers.Answer(body=msgspec.json.encode(item), headers={"Cache-Control": _CACHE_CONTROL})
