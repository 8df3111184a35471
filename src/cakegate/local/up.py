"""`cakegate up`: the whole stack on this machine, from nothing to a banner, and away again."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from dotenv import dotenv_values
from rich.console import Console
from rich.text import Text

from cakegate import contract, settings
from cakegate.local import processes, servers, stack, supervisor

T = TypeVar("T")

_COLOURS = {
    "gateway": "green",
    "worker": "cyan",
    "writer": "magenta",
    "scheduler": "yellow",
    "sample": "blue",
    "postgres": "bright_black",
    "valkey": "bright_black",
}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says. `logs` is where the processes' output goes: the terminal, or files."""

    folder: Path = stack.DEFAULT_FOLDER
    gateway_port: int | None = None
    upstream_url: str | None = None
    logs_to_files: bool = False


def user_variables() -> dict[str, str]:
    """The CAKEGATE_ variables that the user set, in `.env` or, over it, in the environment."""
    given = {**dotenv_values(".env"), **os.environ}
    return {name: value for name, value in given.items() if name.startswith(contract.ENV_PREFIX) and value}


class Stopped(Exception):
    """We were asked to stop before the stack was up."""


@contextlib.asynccontextmanager
async def running(options: Options, console: Console, stopping: asyncio.Event) -> AsyncIterator[stack.Stack]:
    """The stack, ready, for a block; what was started is stopped at its end, in order.

    Raises:
        InvalidSettings: something needed is taken, missing or wrong.
        Stopped: `stopping` was set before it was ready.
    """
    user = user_variables()
    if options.upstream_url:
        user["CAKEGATE_UPSTREAM_URL"] = options.upstream_url
    settings.from_env({**os.environ, **user})  # says now what is wrong with them, and not once a process
    # Absolute: Postgres changes into its data folder, Valkey into its own.
    folder = options.folder.absolute()
    lock = await asyncio.to_thread(stack.prepare, folder)
    sink = _to_files(folder) if options.logs_to_files else _to_terminal(console)
    watch = supervisor.Supervisor(sink)
    try:
        ports = await asyncio.to_thread(stack.choose_ports, folder, lock, wanted=_wanted_ports(user, options))
        found = await unless(stopping, bring_up(watch, folder, user, ports))
        await asyncio.to_thread(stack.publish, folder, found)
        yield found
    finally:
        await watch.stop()
        await asyncio.to_thread(stack.withdraw, folder)
        lock.release()


async def unless(stopping: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """What the work gives. Raises `Stopped`, the work cancelled, when `stopping` is set first."""
    task, stop = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Stopped
        return task.result()
    finally:
        stop.cancel()
        task.cancel()
        await asyncio.gather(task, stop, return_exceptions=True)


async def bring_up(
    watch: supervisor.Supervisor, folder: Path, user: dict[str, str], ports: dict[str, int]
) -> stack.Stack:
    """Start all that the user has not given an address of, under a supervisor, and wait until it is ready.

    Raises:
        InvalidSettings: something does not get ready.
    """
    plan = await _start_servers(watch, folder, user, ports)
    for process in processes.processes(plan):
        await watch.add_process(process)
    await asyncio.to_thread(_migrate, plan.database_url)
    await asyncio.gather(*(watch.wait_ready(name) for name in watch.children))
    return _stack(plan)


def _migrate(url: str) -> None:
    from cakegate.adapters.store import migrations  # noqa: PLC0415 - alembic loads while the processes start

    migrations.upgrade(settings.SecretUrl(url))


def _wanted_ports(user: dict[str, str], options: Options) -> dict[str, int]:
    port = options.gateway_port or int(user.get("CAKEGATE_GATEWAY_PORT", 0))
    return {"gateway": port} if port else {}


async def _start_servers(
    watch: supervisor.Supervisor, folder: Path, user: dict[str, str], ports: dict[str, int]
) -> processes.Plan:
    """Start what the user has not given an address of, and put the plan together."""
    urls = {name: user.get(f"CAKEGATE_{name}_URL", "") for name in ("DATABASE", "REDIS", "UPSTREAM")}
    awaited = []
    if not urls["DATABASE"]:
        postgres = await asyncio.to_thread(servers.postgres, folder / "postgres", port=ports["postgres"])
        await watch.add_server(postgres)
        urls["DATABASE"] = postgres.url
        awaited.append(postgres.name)
    if not urls["REDIS"]:
        valkey = await asyncio.to_thread(servers.valkey, folder / "valkey", port=ports["valkey"])
        await watch.add_server(valkey)
        urls["REDIS"] = valkey.url
        awaited.append(valkey.name)
    await asyncio.gather(*(watch.wait_ready(name) for name in awaited))
    return processes.Plan(
        folder=folder,
        ports=ports,
        database_url=urls["DATABASE"],
        redis_url=urls["REDIS"],
        upstream_url=urls["UPSTREAM"] or f"http://127.0.0.1:{ports['sample']}",
        sample=not urls["UPSTREAM"],
        user=user,
    )


def _stack(plan: processes.Plan) -> stack.Stack:
    sample_url = f"http://127.0.0.1:{plan.ports['sample']}" if plan.sample else None
    return stack.Stack(
        pid=os.getpid(),
        gateway_url=f"http://127.0.0.1:{plan.ports['gateway']}",
        upstream_url=plan.upstream_url,
        sample_url=sample_url,
        pictures=str(plan.folder / "sample" / "pictures") if plan.sample else None,
        database_url=plan.database_url,
        redis_url=plan.redis_url,
        metrics_urls={
            name: f"http://127.0.0.1:{plan.ports[f'{name}_metrics']}/metrics"
            for name in ("gateway", "worker", "writer", "scheduler")
        },
    )


def _to_terminal(console: Console) -> supervisor.Sink:
    def show(name: str, line: str) -> None:
        text = Text(f"{name:<10}", style=_COLOURS.get(name, "white"))
        console.print(text.append("│ ", style="bright_black").append_text(Text.from_ansi(line)), soft_wrap=True)

    return show


def _to_files(folder: Path) -> supervisor.Sink:
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)

    def write(name: str, line: str) -> None:
        with (logs / f"{name}.log").open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    return write


def banner(found: stack.Stack, folder: Path, *, seconds: float) -> list[str]:
    """One line for each address that a person may want."""
    lines = [
        f"gateway    {found.gateway_url}",
        f"docs       {found.gateway_url}/ (Swagger UI)  {found.gateway_url}/redoc (ReDoc)",
        f"upstream   {found.upstream_url}{' (the sample legacy API)' if found.sample_url else ''}",
    ]
    lines += [f"metrics    {url} ({name})" for name, url in found.metrics_urls.items()]
    lines += [f"state      {folder.absolute()}", f"ready after {seconds:.1f} s; Ctrl-C stops everything"]
    return lines


class Terminal(Console):
    """A console that asks us to stop when nobody reads it any more (`cakegate up | head`)."""

    def __init__(self) -> None:
        super().__init__(highlight=False, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Rich would raise SystemExit, in whichever task prints."""
        self.quiet = True
        os.kill(os.getpid(), signal.SIGTERM)


def run(options: Options) -> None:
    """Bring the stack up and keep it until Ctrl-C or SIGTERM. Raises `InvalidSettings`, `Stopped`."""
    asyncio.run(_keep(options, Terminal()))


async def _keep(options: Options, console: Console) -> None:
    stopping = stop_event()
    started = time.monotonic()
    async with running(options, console, stopping) as found:
        for line in banner(found, options.folder, seconds=time.monotonic() - started):
            console.print(line, soft_wrap=True)
        await stopping.wait()
        console.print("stopping…")


def stop_event() -> asyncio.Event:
    """Set by Ctrl-C or SIGTERM; a second one ends us at once, and the kernel and the tether end the others."""
    stopping = asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            os._exit(130)
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return stopping
