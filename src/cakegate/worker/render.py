"""Renditions: of a picture at hand, or later of one that has to be fetched again."""

import hashlib

import structlog

from cakegate.adapters import metrics, queue
from cakegate.adapters.fetcher import client as fetching
from cakegate.adapters.pixels import pool as pixels
from cakegate.adapters.pixels import protocol
from cakegate.adapters.store import renditions as records
from cakegate.adapters.store import submissions as rows
from cakegate.domain import errors, renditions, submissions
from cakegate.worker import wiring

_log = structlog.get_logger()


def picture_of(fetched: fetching.Fetched, decoded: protocol.Decoded) -> submissions.Picture:
    """What is kept of a picture besides its renditions."""
    return submissions.Picture(
        sha256=hashlib.sha256(fetched.content).digest(),
        size_bytes=len(fetched.content),
        format=decoded.format,
        width=decoded.width,
        height=decoded.height,
    )


async def store(context: wiring.Context, settled: submissions.Submission, child: pixels.PixelChild) -> None:
    """Render the picture that `child` holds, and keep the result.

    Raises:
        DecoderDied, DatabaseUnavailable: some or all are missing; doing it again is harmless.
    """
    assert context.judges is not None
    assert settled.picture is not None
    made = await child.render(list(renditions.Preset))
    sha256 = settled.picture.sha256
    await context.judges.blobs.put([renditions.blob(sha256, each) for each in made])
    await records.record(context.db, sha256, made, submission_id=settled.id)
    for each in made:
        metrics.RENDITIONS.labels(each.preset.value, each.format.value).inc()


async def render(context: wiring.Context, message: queue.Message) -> None:
    """Make the renditions that a submission lacks, from its picture fetched again.

    A picture that changed since it was judged is left alone: what nobody judged is shown to nobody.
    """
    assert context.judges is not None
    found = await rows.get(context.db, message.submission_id)
    if found.renditions_at is not None or found.picture is None:
        return
    try:
        fetched = await context.judges.fetcher.fetch(found.draft.image_url)
        if hashlib.sha256(fetched.content).digest() != found.picture.sha256:
            _log.info("picture.changed")
            return
        async with context.judges.pixels.lease() as child:
            await child.decode(fetched.content)
            await store(context, found, child)
    except errors.PictureError as error:
        _log.info("picture.not_rendered", kind=type(error).__name__, detail=error.detail)
