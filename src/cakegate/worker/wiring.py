"""Open what the queues of a process need, and nothing else: the writer has no model, a judge no way to the upstream."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from cakegate import contract, settings
from cakegate.adapters import mailbox, metrics, queue, upstream
from cakegate.adapters.store import pool

if TYPE_CHECKING:
    from cakegate.worker import judging


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What flows work with. `holder` names this process in leases; `stopping` is set by SIGTERM."""

    config: settings.Settings
    db: pool.Database
    work: queue.Queue
    postman: mailbox.Postman
    holder: str
    stopping: asyncio.Event
    judges: "judging.Judges | None"
    upstream: upstream.Upstream | None


@contextlib.asynccontextmanager
async def opened(
    config: settings.Settings, queues: Sequence[str], *, stopping: asyncio.Event
) -> AsyncIterator[Context]:
    """All adapters of a worker of these queues, closed in reverse order. `stopping` says that the process is to end."""
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
            from cakegate.worker import judging  # noqa: PLC0415 - see there

            judges = await judging.opened(config, db, stack)
        if contract.QUEUE_CREATE in queues:
            writer = await upstream.Upstream.open(config.upstream)
            stack.push_async_callback(writer.close)
        yield Context(
            config=config,
            db=db,
            work=work,
            postman=postman,
            holder=f"{socket.gethostname()}/{os.getpid()}",
            stopping=stopping,
            judges=judges,
            upstream=writer,
        )
