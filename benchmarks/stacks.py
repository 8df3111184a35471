"""The stack that `cakegate up` runs, in processes of its own: nothing of it takes time from the clients here."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg.rows import dict_row
from rich.console import Console

from benchmarks import usage
from cakegate import contract
from cakegate.domain import errors
from cakegate.local import stack, up

_READY_SECONDS = 120
#: By a word of its command line.
_KINDS = {
    "cakegate gateway": "gateway",
    "--queues judge": "worker",
    "--queues create": "writer",
    "cakegate scheduler": "scheduler",
    "cakegate sample": "sample",
    "pixels.child": "decoders",
    "benchmarks.stacks": "supervisor",
    "valkey": "valkey",
    "postgres": "postgres",
}


class Running:
    """A running stack: its addresses, its processes, its database."""

    def __init__(self, pid: int, found: stack.Stack) -> None:
        self.pid = pid
        self.addresses = found
        assert found.pictures is not None
        self.pictures = Path(found.pictures)
        self.pictures_url = f"{found.sample_url}/pictures"

    def processes(self) -> dict[str, list[psutil.Process]]:
        """All processes of the stack, by what they are."""
        found: dict[str, list[psutil.Process]] = {}
        for each in usage.family(self.pid):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                found.setdefault(_kind(each.cmdline()), []).append(each)
        return found

    def rows(self, query: str) -> list[dict[str, Any]]:
        with psycopg.connect(self.addresses.database_url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(query.encode()).fetchall()

    def states(self) -> dict[str, int]:
        """Submissions by state."""
        found = self.rows("SELECT state, count(*) AS count FROM submissions GROUP BY state")
        return {row["state"]: row["count"] for row in found}


def _kind(words: list[str]) -> str:
    line = " ".join(words)
    return next((kind for part, kind in _KINDS.items() if part in line), "other")


@contextlib.contextmanager
def running(folder: Path, **environ: str) -> Iterator[Running]:
    """Run a stack for a block, in `folder`, with these `CAKEGATE_` settings besides the usual ones of `cakegate up`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(contract.ENV_PREFIX)}
    given = {f"{contract.ENV_PREFIX}{name}": value for name, value in environ.items()}
    log = folder / "stack.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stacks", str(folder)],
            env={**inherited, **given},
            stdout=output,
            stderr=output,
        )
    try:
        yield Running(process.pid, _ready(process, folder, log))
    finally:
        process.terminate()
        process.wait()


def _ready(process: "subprocess.Popen[bytes]", folder: Path, log: Path) -> stack.Stack:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        with contextlib.suppress(errors.InvalidSettings):
            found = stack.find(folder / "state")
            assert found is not None
            return found
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"The stack does not get ready: {log.read_text()[-3000:]}")
        time.sleep(0.1)  # between two questions


async def _keep(folder: Path) -> None:
    stopping = up.stop_event()
    with contextlib.suppress(up.Stopped):
        options = up.Options(folder=folder / "state", logs_to_files=True)
        async with up.running(options, Console(), stopping):
            await stopping.wait()


if __name__ == "__main__":
    asyncio.run(_keep(Path(sys.argv[1])))
