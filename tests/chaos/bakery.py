"""The stack as `cakegate up` runs it, with handles on each process: kill it, freeze it, wait until it is back."""

import asyncio
import contextlib
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import psutil

from cakegate.local import stack, supervisor, up

_READY_SECONDS = 60.0
_ASK_SECONDS = 0.05
_OURS = ("gateway", "worker", "writer", "scheduler")
#: What our processes log of errors that no table knows.
_BUGS = ("request.failed", "flow.failed")
_LEFT_OVER_SECONDS = 10.0


class Bakery:
    """A running stack: its addresses in `stack`, its processes by the supervisor's names."""

    def __init__(self, folder: Path, watch: supervisor.Supervisor, found: stack.Stack) -> None:
        self.folder = folder
        self.stack = found
        self._watch = watch
        self._children: set[psutil.Process] = set()
        self._killed: Counter[str] = Counter()

    @property
    def names(self) -> list[str]:
        """Of all processes."""
        return list(self._watch.children)

    async def kill(self, name: str, *, empty: bool = False) -> None:
        """SIGKILL, the server's whole family where it is one; the supervisor starts it again. `empty`: without data."""
        process = await self._running(name)
        self._killed[name] += 1
        self._signal(name, signal.SIGKILL)
        await process.wait()
        if empty:
            # In the same step of the loop that learned of its end: the supervisor cannot have started it again.
            with contextlib.suppress(FileNotFoundError):  # struck before it had made it again
                shutil.rmtree(self.folder / name / "appendonlydir")

    async def freeze(self, name: str) -> "asyncio.subprocess.Process":
        """SIGSTOP; give the process back to `thaw`."""
        process = await self._running(name)
        self._signal(name, signal.SIGSTOP)
        return process

    def thaw(self, name: str, process: "asyncio.subprocess.Process") -> None:
        """SIGCONT, unless it was killed meanwhile."""
        if process.returncode is None and self._watch.children[name].process is process:
            self._signal(name, signal.SIGCONT)

    async def ready(self, name: str) -> None:
        """Wait until a process says that it is ready."""
        until = asyncio.get_running_loop().time() + _READY_SECONDS
        while asyncio.get_running_loop().time() < until:
            if await self._watch.children[name].ready():
                return
            await asyncio.sleep(_ASK_SECONDS)
        raise TimeoutError(f"{name} did not get ready within {_READY_SECONDS:g} s")

    async def _running(self, name: str) -> "asyncio.subprocess.Process":
        """The process, as soon as the supervisor has started it again where it was killed."""
        child = self._watch.children[name]
        async with asyncio.timeout(_READY_SECONDS):
            while True:
                if child.process is not None and child.process.returncode is None:
                    return child.process
                await asyncio.sleep(_ASK_SECONDS)

    def _signal(self, name: str, number: signal.Signals) -> None:
        process = self._watch.children[name].process
        assert process is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            head = psutil.Process(process.pid)
            # A worker's decoding children must notice its end by themselves; Postgres's are the server itself.
            family = head.children(recursive=True)
            self._children.update(family)
            for each in [head, *(family if name == "postgres" else [])]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.send_signal(number)

    def unforeseen(self) -> list[str]:
        """Ends of our own processes that nobody caused, and errors in their logs that nobody expected.

        Servers are left out: after a SIGKILL Postgres may have to try more than once.
        """
        found = []
        for name in _OURS:
            if (restarts := self._watch.children[name].restarts) != self._killed[name]:
                found.append(f"{name} was killed {self._killed[name]} times and started again {restarts} times")
            log = (self.folder / "logs" / f"{name}.log").read_text(encoding="utf-8")
            found += [f"{name}: {line}" for line in log.splitlines() if any(event in line for event in _BUGS)]
        return found

    def family(self) -> list[psutil.Process]:
        """Every process of the stack that is alive, those whose parent was killed among them."""
        for child in self._watch.children.values():
            if child.process is not None and child.process.returncode is None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    head = psutil.Process(child.process.pid)
                    self._children.update([head, *head.children(recursive=True)])
        return [each for each in self._children if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


@contextlib.asynccontextmanager
async def opened(folder: Path, variables: dict[str, str]) -> AsyncIterator[Bakery]:
    """The stack, ready, for a block, with these CAKEGATE_ variables; each process writes to `folder`/logs.

    The folder is absolute and another user can reach it: as root, Postgres runs as another.
    """
    lock = await asyncio.to_thread(stack.prepare, folder)
    (folder / "logs").mkdir(exist_ok=True)
    watch = supervisor.Supervisor(lambda name, line: _append(folder / "logs" / f"{name}.log", line))
    try:
        ports = await asyncio.to_thread(stack.choose_ports, folder, lock, wanted={})
        yield Bakery(folder, watch, await up.bring_up(watch, folder, variables, ports))
    finally:
        await watch.stop()
        lock.release()


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


async def left_over(family: list[psutil.Process]) -> list[str]:
    """Those of a stopped stack's processes that do not end."""
    _, alive = await asyncio.to_thread(psutil.wait_procs, family, timeout=_LEFT_OVER_SECONDS)
    return [f"{each.pid} {each.name()}" for each in alive if each.status() != psutil.STATUS_ZOMBIE]
