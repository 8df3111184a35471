"""The renditions of pictures that Cakegate judged. The legacy API is not asked: they are ours."""

import enum
from typing import Final

from cakegate.adapters.store import renditions as stored_renditions
from cakegate.adapters.store import submissions
from cakegate.domain import cakes, errors, renditions
from cakegate.gateway import answers, preferences, wiring

#: A cake's picture is never exchanged, but its id may be given to another cake once it is deleted.
_CACHE_CONTROL: Final = "public, max-age=3600"


class Platform(enum.StrEnum):
    """What a picture is to be shown on."""

    WEB = "web"
    MOBILE = "mobile"


async def image(
    gate: wiring.Gate,
    cake_id: cakes.CakeId,
    platform: Platform,
    *,
    accept: str | None,
    if_none_match: str | None,
) -> answers.Answer:
    """A cake's picture for a platform, in a format that the client takes; 304 where it has it already.

    Raises:
        RenditionNotFound: the cake did not come through us, or its renditions are not made yet.
        NotAcceptable: the client takes none of the formats.
    """
    cakes.check_id(cake_id)
    origin = await submissions.by_upstream_id(gate.db, cake_id)
    if origin is None or origin.picture is None:
        raise errors.RenditionNotFound("Cakegate has judged no picture of this cake.")
    preset = renditions.Preset(platform.value)
    found = {each.format: each for each in await stored_renditions.find(gate.db, origin.picture.sha256, preset)}
    if not found:
        raise errors.RenditionNotFound("It is not made yet, or could not be.")
    chosen = found[preferences.choose_format(accept, found)]
    etag = f'"{origin.picture.sha256.hex()[:32]}-{preset.value}-{chosen.format.value}-{chosen.size_bytes}"'
    headers = {"ETag": etag, "Vary": "Accept", "Cache-Control": _CACHE_CONTROL}
    if preferences.matches(if_none_match, etag):
        return answers.Answer(status=304, headers=headers)
    content = await gate.blobs.get(chosen.blob_key)
    if content is None:
        raise errors.RenditionNotFound("Its bytes are gone from the store.")
    return answers.Answer(body=content, media_type=chosen.format.media_type, headers=headers)
