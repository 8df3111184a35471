"""What judging and rendering need: fetcher, decoding children, model. Loaded by processes that judge alone."""

import concurrent.futures
import contextlib
from pathlib import Path

import msgspec

from cakegate import settings
from cakegate.adapters import blobs, detector
from cakegate.adapters.fetcher import client as fetching
from cakegate.adapters.pixels import pool as pixels
from cakegate.adapters.store import pool, renditions
from cakegate.domain import verdicts


class Judges(msgspec.Struct, frozen=True, kw_only=True):
    """What judging and rendering need."""

    fetcher: fetching.Fetcher
    pixels: pixels.PixelPool
    detector: detector.Detector
    blobs: blobs.Blobs
    inference: concurrent.futures.ThreadPoolExecutor


def thresholds(group: settings.Detector, card: verdicts.Thresholds) -> verdicts.Thresholds:
    """The card's thresholds, each replaced where a setting says so."""
    accept = group.accept_threshold if group.accept_threshold >= 0 else card.accept
    review = group.review_threshold if group.review_threshold >= 0 else min(card.review, accept)
    return verdicts.Thresholds(accept=max(accept, review), review=review)


def load_detector(group: settings.Detector) -> detector.Detector:
    """The pack that the settings name. Raises `InvalidPack`: a process with a bad pack does not start."""
    folder = Path(group.pack) if group.pack else detector.starter_pack()
    loaded = detector.Detector.load(folder, expected_sha256=group.sha256)
    loaded.thresholds = thresholds(group, loaded.card.thresholds)
    return loaded


async def opened(config: settings.Settings, db: pool.Database, stack: contextlib.AsyncExitStack) -> Judges:
    """All of it, closed with `stack`. Raises `InvalidPack`, `InvalidSettings`."""
    threads = config.worker.threads
    loaded = load_detector(config.detector)
    children = pixels.PixelPool(config.pictures, model_inputs=[loaded.model_input], size=threads)
    await children.start()
    stack.push_async_callback(children.close)
    fetcher = fetching.Fetcher(config.fetch)
    stack.push_async_callback(fetcher.close)
    inference = concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="inference")
    stack.callback(inference.shutdown)
    return Judges(
        fetcher=fetcher,
        pixels=children,
        detector=loaded,
        blobs=blobs.opened(config.pictures, table=renditions.TableBlobs(db)),
        inference=inference,
    )
