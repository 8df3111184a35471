"""Loops in processes of their own, asked over pipes: pictures' names and a count go in, what they cost comes back."""

import asyncio
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import uvloop

from benchmarks import pictures, usage
from cakegate import contract, settings
from cakegate.adapters import logs
from cakegate.adapters.pixels import rendering
from cakegate.domain import renditions, verdicts
from cakegate.worker import judging, wiring


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Of one round: pictures, processor seconds of a process's own and of its children, and time taken."""

    count: int
    own_seconds: float
    children_seconds: float = 0.0
    seconds: float

    @property
    def per_second(self) -> float:
        """Pictures per second of processor time."""
        return self.count / (self.own_seconds + self.children_seconds)


class Loop:
    """One of the loops below, by name, with the pictures of a folder."""

    def __init__(self, name: str, folder: Path, *, environ: Mapping[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(contract.ENV_PREFIX)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.loops", name, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**inherited, **environ},
        )

    def judge(self, names: list[str], *, count: int) -> Cost:
        """Judge so many pictures, of these files again and again."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode((names, count)) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Cost)

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def _asked(folder: Path, line: bytes) -> tuple[list[bytes], int]:
    names, count = msgspec.json.decode(line, type=tuple[list[str], int])
    return [(folder / name).read_bytes() for name in names], count


def _answer(cost: Cost) -> None:
    _answers.write(msgspec.json.encode(cost) + b"\n")
    _answers.flush()


def bare(folder: Path) -> None:
    """Decode, resize, infer, and render what is no reject: by the worker's functions, and nothing around them."""
    judge = pictures.Judge()
    while line := sys.stdin.buffer.readline():
        contents, count = _asked(folder, line)
        spent, started = time.process_time(), time.perf_counter()
        for content in itertools.islice(itertools.cycle(contents), count):
            verdict, picture = judge(content)
            if verdict.decision is not verdicts.Decision.REJECT:
                rendering.render(picture.image, list(renditions.Preset))
        _answer(Cost(count=count, own_seconds=time.process_time() - spent, seconds=time.perf_counter() - started))


async def worker(folder: Path) -> None:
    """The worker's own way from bytes to a verdict: its children, its detector, as many at once as it has threads."""
    config = settings.from_env(os.environ, env_file=None)
    logs.configure(config.telemetry, process="benchmark")
    async with wiring.opened(config, [contract.QUEUE_JUDGE], stopping=asyncio.Event()) as context:
        assert context.judges is not None
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            contents, count = _asked(folder, line)
            left = itertools.islice(itertools.cycle(contents), count)
            spent, children, started = time.process_time(), _children_seconds(), time.perf_counter()
            await asyncio.gather(*(_each(context.judges, left) for _ in range(config.worker.threads)))
            _answer(
                Cost(
                    count=count,
                    own_seconds=time.process_time() - spent,
                    children_seconds=_children_seconds() - children,
                    seconds=time.perf_counter() - started,
                )
            )


async def _each(judges: judging.Judges, contents: "itertools.islice[bytes]") -> None:
    for content in contents:
        async with judges.pixels.lease() as child:
            await judging.look(judges, child, content, {})


def _children_seconds() -> float:
    return usage.cpu_seconds([os.getpid()]) - usage.own_cpu_seconds(os.getpid())


if __name__ == "__main__":
    _answers = os.fdopen(os.dup(1), "wb")
    # What is logged must not get between two answers.
    os.dup2(2, 1)
    if sys.argv[1] == "bare":
        bare(Path(sys.argv[2]))
    else:
        uvloop.run(worker(Path(sys.argv[2])))
