"""Run processes: start, wait until ready by asking, restart with backoff what dies, stop in order, leave none behind.

Our own children hold the reading end of a pipe whose writing end is ours: when we are gone, however, the kernel tells
them (`adapters/tether.py`). Servers that are not ours get a death signal from the kernel, on Linux, or a guard
elsewhere (`guard.py`).
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import aiohttp
import msgspec

from cakegate.adapters import tether
from cakegate.domain import errors
from cakegate.local import guard, servers
from cakegate.local.processes import Process

Sink = Callable[[str, str], None]
"""Takes a process's name and one line of its output."""

_READY_SECONDS: Final = 60.0
_ASK_SECONDS: Final = 0.03
_BACKOFF_SECONDS: Final = (0.2, 10.0)
#: A process that lived this long starts its backoff anew.
_SETTLED_SECONDS: Final = 30.0
#: Servers go last: the others end their work with them.
_SERVERS_WAVE: Final = 9
_LAST_WORDS_SECONDS: Final = 1.0
_LINE_BYTES: Final = 256 * 1024


class Child(msgspec.Struct, kw_only=True):
    """What the supervisor keeps of each: how to start it, how to ask it, how to stop it."""

    name: str
    start: Callable[[], Awaitable[asyncio.subprocess.Process]]
    ready: Callable[[], Awaitable[bool]]
    stop_signal: signal.Signals
    drain_seconds: float
    stop_wave: int
    process: asyncio.subprocess.Process | None = None
    minder: asyncio.Task[None] | None = None
    restarts: int = 0
    stopping: bool = False


class Supervisor:
    """Children by name, kept running from `add_process` or `add_server` to `stop`."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._children: dict[str, Child] = {}
        self._reading_end, self._writing_end = os.pipe()
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2))

    @property
    def children(self) -> dict[str, Child]:
        """By name."""
        return self._children

    async def add_process(self, process: Process) -> None:
        """Start one of ours."""

        async def start() -> asyncio.subprocess.Process:
            return await asyncio.create_subprocess_exec(
                *process.argv,
                env={**process.environ, tether.FD_VARIABLE: str(self._reading_end)},
                pass_fds=[self._reading_end],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                # Ctrl-C at the terminal is for us alone: we stop them in order.
                start_new_session=True,
                limit=_LINE_BYTES,
            )

        async def ready() -> bool:
            try:
                async with self._http.get(process.ready_url) as response:
                    return response.status == 200  # noqa: PLR2004
            except (aiohttp.ClientError, TimeoutError, OSError):
                return False

        await self._add(
            Child(
                name=process.name,
                start=start,
                ready=ready,
                stop_signal=signal.SIGTERM,
                drain_seconds=process.drain_seconds,
                stop_wave=process.stop_wave,
            )
        )

    async def add_server(self, server: servers.Server) -> None:
        """Start a server that is not ours."""
        options: dict[str, Any] = servers.spawn_options(server)
        options.pop("stdin")
        guarded = sys.platform != "linux"

        async def start() -> asyncio.subprocess.Process:
            argv = guard.argv(self._reading_end, server.argv) if guarded else server.argv
            return await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=[self._reading_end] if guarded else [],
                limit=_LINE_BYTES,
                **options,
            )

        async def ready() -> bool:
            return await asyncio.to_thread(servers.is_ready, server)

        await self._add(
            Child(
                name=server.name,
                start=start,
                ready=ready,
                stop_signal=signal.SIGINT,
                drain_seconds=30,
                stop_wave=_SERVERS_WAVE,
            )
        )

    async def _add(self, child: Child) -> None:
        self._children[child.name] = child
        child.process = await child.start()
        child.minder = asyncio.create_task(self._mind(child))

    async def _mind(self, child: Child) -> None:
        """Pass on a child's output until it ends; start it again unless it was told to."""
        pause = _BACKOFF_SECONDS[0]
        while True:
            assert child.process is not None
            started = time.monotonic()
            await self._pass_on(child, child.process)
            status = await child.process.wait()
            if child.stopping:
                return
            if time.monotonic() - started > _SETTLED_SECONDS:
                pause = _BACKOFF_SECONDS[0]
            self._sink(child.name, f"ended with {_ending(status)}; starts again in {pause:g} s")
            pause = await self._start_again(child, pause)

    async def _start_again(self, child: Child, pause: float) -> float:
        """Start a child as soon as that works; the pause before the next time."""
        while True:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _BACKOFF_SECONDS[1])
            child.restarts += 1
            try:
                child.process = await child.start()
            except OSError as error:
                # No memory for a process, or its program replaced just now.
                self._sink(child.name, f"cannot be started: {error.strerror}; tried again in {pause:g} s")
            else:
                return pause

    async def _pass_on(self, child: Child, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                # A line beyond the limit; the stream has dropped it.
                self._sink(child.name, "(a line too long to show)")
                continue
            if not line:
                return
            self._sink(child.name, line.decode(errors="replace").rstrip())

    async def wait_ready(self, name: str) -> None:
        """Ask until a child says that it is ready.

        Raises:
            InvalidSettings: it ended and again, or did not get ready in time.
        """
        child = self._children[name]
        deadline = time.monotonic() + _READY_SECONDS
        while not await child.ready():
            if child.restarts > 2 or time.monotonic() > deadline:  # noqa: PLR2004
                raise errors.InvalidSettings(f"{name} does not get ready; its last words are above or in its log.")
            await asyncio.sleep(_ASK_SECONDS)

    async def stop(self) -> None:
        """Stop all, wave after wave; then nothing of ours is left."""
        for child in self._children.values():
            child.stopping = True
            if child.minder is not None and (child.process is None or child.process.returncode is not None):
                # It waits to start again what has ended.
                child.minder.cancel()
        for wave in sorted({child.stop_wave for child in self._children.values()}):
            await asyncio.gather(*(self._stop(child) for child in self._children.values() if child.stop_wave == wave))
        await self._http.close()
        os.close(self._writing_end)
        os.close(self._reading_end)

    async def _stop(self, child: Child) -> None:
        process = child.process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(child.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), child.drain_seconds)
            except TimeoutError:
                self._sink(child.name, f"did not stop within {child.drain_seconds:g} s; killed")
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if child.minder is not None:
            # It ends by itself when it has passed on the last words, unless a grandchild keeps the pipe open. Never
            # awaited itself: one that fell over must not keep us from stopping the others.
            await asyncio.wait({child.minder}, timeout=_LAST_WORDS_SECONDS)
            child.minder.cancel()
            await asyncio.wait({child.minder})


def _ending(status: int) -> str:
    return f"status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"
