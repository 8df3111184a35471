"""What judging and rendering need: fetcher, decoding children, model. Loaded by processes that judge alone."""

import asyncio
import concurrent.futures
import contextlib
from pathlib import Path
from typing import Final

import msgspec
import structlog

from cakegate import settings
from cakegate.adapters import blobs, detector, metrics
from cakegate.adapters import packs as archives
from cakegate.adapters.fetcher import client as fetching
from cakegate.adapters.pixels import pool as pixels
from cakegate.adapters.pixels import protocol
from cakegate.adapters.store import pool, renditions
from cakegate.domain import errors, packs, verdicts

_log = structlog.get_logger()

#: Below the user's own folder.
_CACHE: Final = Path(".cache", "cakegate", "packs")


class Judges(msgspec.Struct, frozen=True, kw_only=True):
    """What judging and rendering need. `shadow` judges beside the detector, where there is one, and is never heeded."""

    fetcher: fetching.Fetcher
    pixels: pixels.PixelPool
    # Before the field that hides the module's name.
    shadow: detector.Detector | None
    detector: detector.Detector
    blobs: blobs.Blobs
    inference: concurrent.futures.ThreadPoolExecutor


async def look(
    judges: Judges, child: pixels.PixelChild, content: bytes, timings: dict[str, float]
) -> tuple[protocol.Decoded, verdicts.Verdict]:
    """What a leased child makes of a picture's bytes, and what the model says to that. Raises as `child.decode`."""
    try:
        with metrics.stage("decode", timings):
            decoded = await child.decode(content)
    except errors.DecoderDied:
        metrics.DECODER_DEATHS.inc()
        raise
    with metrics.stage("infer", timings):
        verdict = await asyncio.get_running_loop().run_in_executor(
            judges.inference, judges.detector.judge, decoded.model_inputs[0]
        )
    return decoded, verdict


def thresholds(group: settings.Detector, card: verdicts.Thresholds) -> verdicts.Thresholds:
    """What a model judges by: its card's, as the settings change them. Raises `InvalidSettings`."""
    accept = group.accept_threshold if group.accept_threshold >= 0 else None
    review = group.review_threshold if group.review_threshold >= 0 else None
    try:
        return verdicts.in_force(card, accept=accept, review=review, band=group.review_band)
    except ValueError as error:
        raise errors.InvalidSettings(f"CAKEGATE_DETECTOR_REVIEW_THRESHOLD: {error}") from error


def load_detector(group: settings.Detector) -> detector.Detector:
    """The pack that the settings name, fetched where it is not here.

    Raises:
        InvalidPack: it cannot be had or trusted; a process with a bad pack does not start.
        InvalidSettings: its thresholds do not fit the settings'.
    """
    starter = packs.Source(place=str(detector.starter_pack()), model_sha256=group.sha256)
    return _loaded(group, group.primary() or starter, role=verdicts.Role.PRIMARY)


def load_shadow(group: settings.Detector) -> detector.Detector | None:
    """The second pack that the settings name, judging by the settings as if it were the first. Raises as that does."""
    source = group.shadow()
    return _loaded(group, source, role=verdicts.Role.SHADOW) if source else None


def _loaded(group: settings.Detector, source: packs.Source, *, role: verdicts.Role) -> detector.Detector:
    with _folder(group, source) as folder:
        loaded = detector.Detector.load(folder, expected_sha256=source.model_sha256)
    loaded.thresholds = thresholds(group, loaded.card.thresholds)
    _log.info(
        "model.loaded",
        role=role.value,
        model=f"{loaded.model.name}/{loaded.model.version}",
        sha256=loaded.model.sha256,
        place=archives.shown(source.place),
        accept=loaded.thresholds.accept,
        review=loaded.thresholds.review,
    )
    return loaded


def _folder(group: settings.Detector, source: packs.Source) -> contextlib.AbstractContextManager[Path]:
    if not source.is_remote:
        return contextlib.nullcontext(Path(source.place))
    return archives.opened(source.place, sha256=source.archive_sha256, files=detector.FILES, cache=_cache(group))


def _cache(group: settings.Detector) -> Path | None:
    if group.cache_folder:
        return Path(group.cache_folder)
    try:
        return Path.home() / _CACHE
    except RuntimeError:
        # A user whom the machine does not know, as a container may run as: fetched at each start.
        return None


async def opened(config: settings.Settings, db: pool.Database, stack: contextlib.AsyncExitStack) -> Judges:
    """All of it, closed with `stack`. Raises `InvalidPack`, `InvalidSettings`."""
    threads = config.worker.threads
    loaded, shadow = load_detector(config.detector), load_shadow(config.detector)
    inputs = [loaded.model_input, *([shadow.model_input] if shadow else [])]
    children = pixels.PixelPool(config.pictures, model_inputs=inputs, size=threads)
    await children.start()
    stack.push_async_callback(children.close)
    inference = concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="inference")
    stack.callback(inference.shutdown)
    return Judges(
        fetcher=fetching.Fetcher(config.fetch),
        pixels=children,
        detector=loaded,
        shadow=shadow,
        blobs=blobs.opened(config.pictures, table=renditions.TableBlobs(db)),
        inference=inference,
    )
