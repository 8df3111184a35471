"""Open what the queues of a process need, and nothing else: the writer has no model, a judge no way to the upstream."""

import asyncio
import concurrent.futures
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from cakegate import contract, settings
from cakegate.adapters import blobs, detector, mailbox, metrics, queue, upstream
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


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What flows work with. `holder` names this process in leases; `stopping` is set by SIGTERM."""

    config: settings.Settings
    db: pool.Database
    work: queue.Queue
    postman: mailbox.Postman
    holder: str
    stopping: asyncio.Event
    judges: Judges | None
    upstream: upstream.Upstream | None


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


@contextlib.asynccontextmanager
async def opened(config: settings.Settings, queues: Sequence[str]) -> AsyncIterator[Context]:
    """All adapters of a worker of these queues, closed in reverse order."""
    async with contextlib.AsyncExitStack() as stack:
        db = await pool.Database.open(config.database, application_name=f"cakegate-worker-{'-'.join(queues)}")
        stack.push_async_callback(db.close)
        stack.callback(metrics.watch_pool(db.stats))
        work = queue.Queue(config.redis)
        stack.callback(work.close)
        postman = mailbox.Postman(config.redis)
        stack.push_async_callback(postman.close)
        judges = writer = None
        if {contract.QUEUE_JUDGE, contract.QUEUE_BULK} & {*queues}:
            judges = await _judges(config, db, stack)
        if contract.QUEUE_CREATE in queues:
            writer = await upstream.Upstream.open(config.upstream)
            stack.push_async_callback(writer.close)
        yield Context(
            config=config,
            db=db,
            work=work,
            postman=postman,
            holder=f"{socket.gethostname()}/{os.getpid()}",
            stopping=asyncio.Event(),
            judges=judges,
            upstream=writer,
        )


async def _judges(config: settings.Settings, db: pool.Database, stack: contextlib.AsyncExitStack) -> Judges:
    threads = config.worker.threads
    loaded = load_detector(config.detector)
    children = pixels.PixelPool(config.pictures, model_input=loaded.model_input, size=threads)
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
        blobs=blobs.opened(
            config.pictures,
            put=lambda key, content, media_type: renditions.put_blob(db, key, content, media_type=media_type),
            get=lambda key: renditions.get_blob(db, key),
        ),
        inference=inference,
    )
