"""Open the gateway's adapters, and close them in reverse order."""

import contextlib
from collections.abc import AsyncIterator

import msgspec

from cakegate import settings
from cakegate.adapters import blobs, mailbox, metrics, probes, queue, upstream
from cakegate.adapters.store import migrations, pool, renditions
from cakegate.gateway import waiting


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What flows work with."""

    config: settings.Settings
    db: pool.Database
    work: queue.Queue
    mailbox: mailbox.Mailbox
    upstream: upstream.Upstream
    blobs: blobs.Blobs
    waiters: waiting.Waiters
    readiness: probes.Readiness


@contextlib.asynccontextmanager
async def opened(config: settings.Settings) -> AsyncIterator[Context]:
    """All adapters. None of them needs its server to be up."""
    async with contextlib.AsyncExitStack() as stack:
        db = await pool.Database.open(config.database, application_name="cakegate-gateway")
        stack.push_async_callback(db.close)
        stack.callback(metrics.watch_pool(db.stats))
        work = queue.Queue(config.redis)
        stack.callback(work.close)
        box = mailbox.Mailbox(config.redis)
        stack.push_async_callback(box.close)
        legacy = await upstream.Upstream.open(config.upstream)
        stack.push_async_callback(legacy.close)
        yield Context(
            config=config,
            db=db,
            work=work,
            mailbox=box,
            upstream=legacy,
            blobs=blobs.opened(
                config.pictures,
                put=lambda key, content, media_type: renditions.put_blob(db, key, content, media_type=media_type),
                get=lambda key: renditions.get_blob(db, key),
            ),
            waiters=waiting.Waiters(config.gateway, db),
            readiness=probes.Readiness(
                schema=lambda: migrations.current(db),
                checks={"postgres": db.ping, "redis": work.ping, "upstream": legacy.ping},
            ),
        )
