"""`cakegate worker`: Dramatiq's threads take messages, the main thread's event loop does the work.

One loop owns all adapters, so that flows are plain coroutines; an actor's thread only waits for its flow, which keeps
Dramatiq's promises (a message is done when its actor returns) and its count of messages in work.
"""

import asyncio
import concurrent.futures
import contextlib
import signal
from collections.abc import Callable, Coroutine, Sequence
from importlib import import_module
from typing import Any, Final

import dramatiq
import msgspec
import structlog
import uvloop

from cakegate import contract, settings
from cakegate.adapters import logs, metrics, probes, queue, tether
from cakegate.adapters.store import schema
from cakegate.domain import errors
from cakegate.worker import introducing, wiring

_log = structlog.get_logger()

Flow = Callable[[wiring.Context, queue.Message], Coroutine[Any, Any, None]]

#: Which flow, a module and its function by one name, works on which queue; and who goes first where one process serves
#: both (lower is sooner). Loaded by name: the writer needs no model.
FLOWS: Final[dict[str, tuple[str, int]]] = {
    contract.QUEUE_JUDGE: ("judge", 0),
    contract.QUEUE_CREATE: ("create", 0),
    contract.QUEUE_BULK: ("render", 10),
}


def run(config: settings.Settings, *, queues: Sequence[str]) -> None:
    """Work until SIGTERM or SIGINT, then finish what runs.

    Raises:
        InvalidSettings: a needed address is not set, or a queue is none of ours.
        InvalidPack: the model cannot be trusted.
    """
    if unknown := {*queues} - {*FLOWS}:
        raise errors.InvalidSettings(f"--queues: {', '.join(sorted(unknown))} is none of {', '.join(FLOWS)}")
    needed = ["database.url", "redis.url"] + (["upstream.url"] if contract.QUEUE_CREATE in queues else [])
    config.require(*needed)
    name = "writer" if list(queues) == [contract.QUEUE_CREATE] else "worker"
    logs.configure(config.telemetry, process=name)
    tether.watch()
    uvloop.run(_serve(config, queues, name))


async def _serve(config: settings.Settings, queues: Sequence[str], name: str) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(metrics.serve(config.telemetry, process=name).close)
        context = await stack.enter_async_context(wiring.opened(config, queues, stopping=stopping))
        readiness = probes.Readiness(
            schema=lambda: schema.current(context.db),
            checks={"postgres": context.db.ping, "redis": context.work.ping},
        )
        stack.push_async_callback((await probes.serve(config.telemetry, readiness)).close)
        if context.judges is not None:
            introduction = asyncio.create_task(introducing.introduce(context), name="models.introduced")
            stack.push_async_callback(_ended, introduction)
        crew = Crew(context, queues)
        crew.start()
        readiness.ready()
        _log.info("worker.started", queues=list(queues), threads=config.worker.threads)
        await stopping.wait()
        readiness.drain()
        await crew.stop(seconds=config.worker.shutdown_seconds)
        _log.info("worker.stopped")


async def _ended(introduction: asyncio.Task[None]) -> None:
    introduction.cancel()
    await asyncio.wait({introduction})


class Crew:
    """Dramatiq's worker and the flows that it started in our loop."""

    def __init__(self, context: wiring.Context, queues: Sequence[str]) -> None:
        self._context = context
        self._queues = list(queues)
        self._loop = asyncio.get_running_loop()
        self._broker = queue.worker_broker(context.config.redis)
        self._running: set[asyncio.Task[None]] = set()
        self._worker: dramatiq.Worker | None = None
        for name in queues:
            flow, priority = FLOWS[name]
            self._declare(name, getattr(import_module(f"cakegate.worker.{flow}"), flow), priority)

    def _declare(self, name: str, flow: Flow, priority: int) -> None:
        def act(**fields: Any) -> None:
            message = msgspec.convert(fields, queue.Message)
            working = asyncio.run_coroutine_threadsafe(self._tracked(flow, name, message), self._loop)
            # Cancelled by `stop`: its flow has given its row back.
            with contextlib.suppress(concurrent.futures.CancelledError):
                working.result()

        declare = dramatiq.actor(actor_name=queue.ACTORS[name], queue_name=name, priority=priority, broker=self._broker)
        declare(act)

    async def _tracked(self, flow: Flow, name: str, message: queue.Message) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        logs.bind(
            request_id=message.request_id, traceparent=message.traceparent, submission_id=str(message.submission_id)
        )
        metrics.STAGE_SECONDS.labels(f"queue-{name}").observe(message.waited_seconds())
        try:
            await flow(self._context, message)
        except errors.LeaseLost:
            metrics.LEASES_LOST.labels(name).inc()
            _log.warning("lease.lost")
        except errors.Unavailable as error:
            # Postgres is away: the lease runs out and the sweeper brings the row back.
            _log.warning("flow.abandoned", error=str(error))
        except errors.NotFound as error:
            _log.warning("flow.abandoned", error=str(error))
        except Exception:  # noqa: BLE001 - the end of the line: whatever a flow did not expect
            # The message is done all the same; the row's lease decides what becomes of it.
            metrics.FLOWS_FAILED.labels(name).inc()
            _log.exception("flow.failed")
        finally:
            self._running.discard(task)

    def start(self) -> None:
        """Take messages from now on."""
        self._worker = queue.start_worker(
            self._broker, threads=self._context.config.worker.threads, queues=self._queues
        )

    async def stop(self, *, seconds: float) -> None:
        """Take no more messages, let running flows end within `seconds`, cancel those that do not."""
        assert self._worker is not None
        stopping = asyncio.create_task(
            asyncio.to_thread(queue.stop_worker, self._worker, self._broker, seconds=seconds)
        )
        _, late = await asyncio.wait({stopping}, timeout=max(0.1, seconds - 2))
        if late:
            _log.warning("worker.cancelling", flows=len(self._running))
            for task in list(self._running):
                task.cancel()
        await stopping
        self._broker.client.close()
