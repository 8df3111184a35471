"""Renditions of cakes' pictures, in the format that a client takes."""

import msgspec

from cakegate.adapters.store import renditions as records
from cakegate.adapters.store import submissions as rows
from cakegate.domain import cakes, errors, renditions
from cakegate.domain.renditions import Format, Preset
from cakegate.gateway import wiring


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """A rendition; `content` is None where the client's copy is still good."""

    etag: str
    media_type: str
    content: bytes | None


async def image(
    context: wiring.Context, cake_id: cakes.CakeId, *, preset: Preset, accept: str, if_none_match: str
) -> Image:
    """The rendition of a cake that came through us.

    Raises:
        RenditionNotFound: the cake did not, or its rendition is not made yet, or its bytes are gone.
    """
    found = await rows.by_upstream_id(context.db, cake_id)
    stored = (
        [] if found is None or found.picture is None else await records.find(context.db, found.picture.sha256, preset)
    )
    if found is None or found.picture is None or not stored:
        raise errors.RenditionNotFound("Cakegate has no image of this cake.")
    chosen = _negotiated(stored, accept)
    etag = f'"{found.picture.sha256.hex()[:24]}-{preset.value}-{chosen.format.value}"'
    if etag in [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")] or if_none_match.strip() == "*":
        return Image(etag=etag, media_type=chosen.format.media_type, content=None)
    content = await context.blobs.get(chosen.blob_key)
    if content is None:
        raise errors.RenditionNotFound("The bytes of this image are gone.")
    return Image(etag=etag, media_type=chosen.format.media_type, content=content)


def _negotiated(stored: list[records.Stored], accept: str) -> records.Stored:
    """WebP for who says that he takes it, JPEG for everybody else."""
    by_format = {each.format: each for each in stored}
    takes_webp = any(
        part.split(";")[0].strip() == Format.WEBP.media_type and not _refused(part)
        for part in accept.lower().split(",")
    )
    wanted = Format.WEBP if takes_webp else Format.JPEG
    return by_format.get(wanted) or stored[0]


def _refused(part: str) -> bool:
    return any(parameter.strip() in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for parameter in part.split(";")[1:])


def preset_of(platform: str | None) -> Preset:
    """The preset that `platform` names; web without one. Raises `InvalidRequest`."""
    try:
        return Preset(platform or Preset.WEB.value)
    except ValueError:
        names = ", ".join(each.value for each in renditions.Preset)
        raise errors.InvalidRequest(
            "invalid-request", 422, "platform cannot be used.", fields={"platform": f"must be one of {names}"}
        ) from None
