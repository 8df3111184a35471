"""Twice as many submissions as the workers can judge, for two minutes, and what becomes of everybody else.

The whole stack runs as `cakegate up` runs it. First its capacity is measured, then reads on the idle stack, then the
same reads while twice the capacity is submitted, whatever the answers are. Afterwards nothing is done but watching the
backlog drain. Ends with status 1 where a promise is broken: see `_promises`.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import backlogs, clients, pictures, stacks, trends, usage

_SAMPLE_SECONDS = 2.0
_READS = ("list", "cake", "submission")
#: How much slower reads may get, and how much more memory the second half of the load may hold than the first.
_FACTOR = 3.0
_MEMORY_SHARE, _MEMORY_SLACK_BYTES = 0.10, 8 * 2**20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks load")
    parser.add_argument("--seconds", type=float, default=120, help="of the overload")
    parser.add_argument("--quiet", type=float, default=30, help="seconds of reads on the idle stack, before")
    parser.add_argument("--reads", type=float, default=20, help="reads a second")
    parser.add_argument("--times", type=float, default=2, help="how many times the capacity is submitted")
    parser.add_argument("--calibrate", type=int, default=300, help="submissions that the capacity is measured with")
    parser.add_argument("--max-pending", type=int, default=600, help="rows that may wait; more get 503")
    options, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="cakegate-bench-") as folder:
        Path(folder).chmod(0o755)
        with stacks.running(
            Path(folder),
            GATEWAY_MAX_PENDING=str(options.max_pending),
            GATEWAY_READ_RATE=backlogs.GENEROUS,
            GATEWAY_WRITE_RATE=backlogs.GENEROUS,
        ) as running:
            found = asyncio.run(_measure(running, options))
    sys.exit(_report(found, options))


class Found(msgspec.Struct, kw_only=True):
    """All figures. `memory`: bytes by kind of process, one every two seconds of the load."""

    capacity: float = 0.0
    quiet: list[clients.Answer] = []
    loaded: list[clients.Answer] = []
    memory: dict[str, list[float]] = {}
    pending_most: int = 0
    backlog: int = 0
    drain_seconds: float = 0.0
    states: dict[str, int] = {}
    rows: int = 0
    load_average: str = ""


async def _measure(running: stacks.Running, options: argparse.Namespace) -> Found:
    names = pictures.written(running.pictures, pictures.CAKE, size=pictures.PHOTO, count=24)
    names += pictures.written(running.pictures, pictures.OTHER, size=pictures.PHOTO, count=8)
    found = Found()
    async with clients.connected(running, names) as crowd:
        await backlogs.warm(crowd)
        found.capacity = await backlogs.capacity(running, crowd, options.calibrate)
        await backlogs.drained(running)
        before = sum(running.states().values())
        crowd.take()
        await crowd.open_loop(crowd.read, rate=options.reads, seconds=options.quiet)
        found.quiet = crowd.take()
        watching = asyncio.create_task(_watch(running, found))
        await asyncio.gather(
            crowd.open_loop(crowd.mixed, rate=options.times * found.capacity, seconds=options.seconds),
            crowd.open_loop(crowd.read, rate=options.reads, seconds=options.seconds),
        )
        watching.cancel()
        await asyncio.wait({watching})
        found.loaded = crowd.take()
        found.backlog = sum(count for state, count in running.states().items() if state in backlogs.OPEN)
        found.drain_seconds = await backlogs.drained(running)
        found.states = running.states()
        found.rows = sum(found.states.values()) - before
    found.load_average = usage.load_average()
    return found


async def _watch(running: stacks.Running, found: Found) -> None:
    while True:
        for kind, processes in running.processes().items():
            found.memory.setdefault(kind, []).append(float(usage.sample(processes).memory_bytes))
        found.pending_most = max(found.pending_most, running.states().get("pending", 0))
        await asyncio.sleep(_SAMPLE_SECONDS)


def _report(found: Found, options: argparse.Namespace) -> int:
    console = Console(width=120)
    console.print(
        f"Capacity {found.capacity:.1f} judged a second; submitted {options.times:g} times that for "
        f"{options.seconds:g} s, {options.reads:g} reads a second; {found.load_average}"
    )
    console.print(_reads_table(found))
    console.print(_writes_table(found))
    console.print(_memory_table(found))
    console.print(
        f"most pending {found.pending_most} (cap {options.max_pending}); backlog at the end {found.backlog}, drained "
        f"in {found.drain_seconds:.0f} s; ends: {dict(sorted(found.states.items()))}"
    )
    promises = _promises(found, options)
    for promise, kept in promises:
        console.print(f"{'kept  ' if kept else 'BROKEN'}  {promise}")
    broken = sum(not kept for _, kept in promises)
    slower = ", ".join(f"{ratio:.2f}" for ratio in _ratios(found).values())
    console.print(
        f"load: {len(_writes(found))} submissions at {options.times:g} times {found.capacity:.1f}/s, {found.rows} "
        f"taken in, drained in {found.drain_seconds:.0f} s; reads {slower} times as slow (p50, p95, p99); "
        f"{broken} promises broken"
    )
    return 1 if broken else 0


def _ratios(found: Found) -> dict[float, float]:
    """Of all reads together: how many times as slow under load, at each quantile."""
    quiet, loaded = ([a.seconds for a in each if a.kind in _READS] for each in (found.quiet, found.loaded))
    return {share: trends.quantile(loaded, share) / trends.quantile(quiet, share) for share in (0.5, 0.95, 0.99)}


def _writes(found: Found) -> list[clients.Answer]:
    return [answer for answer in found.loaded if answer.kind == "submit"]


def _promises(found: Found, options: argparse.Namespace) -> list[tuple[str, bool]]:
    writes = _writes(found)
    taken_in = sum(answer.status in {201, 202, 422} for answer in writes)
    refused = [answer for answer in writes if answer.status == 503]
    return [
        (f"reads get no slower than {_FACTOR:g} times", all(ratio <= _FACTOR for ratio in _ratios(found).values())),
        ("every read is answered with 200", all(a.status == 200 for a in found.loaded if a.kind in _READS)),
        ("a write gets 201, 202, 422 or 503", all(a.status in {201, 202, 422, 503} for a in writes)),
        ("each 503 says when to come back", all(answer.retry_after for answer in refused)),
        (f"what was taken in is a row, what was refused is none ({found.rows} rows)", taken_in == found.rows),
        # The gateway believes its count for a second.
        (
            "the cap on pending rows holds",
            found.pending_most <= options.max_pending + 2 * options.times * found.capacity,
        ),
        ("memory is flat", not any(_grew(values) for values in found.memory.values())),
        ("the backlog drains", not any(found.states.get(state) for state in backlogs.OPEN)),
    ]


def _grew(values: list[float]) -> bool:
    first, second = trends.part(values, 0, of=2), trends.part(values, 1, of=2)
    return trends.grew(first, second, share=_MEMORY_SHARE, slack=_MEMORY_SLACK_BYTES)


def _reads_table(found: Found) -> Table:
    table = Table(title="Reads, milliseconds: on the idle stack : under load")
    for heading in ("", "p50", "p95", "p99", "count"):
        table.add_column(heading, justify="right")
    for kind in _READS:
        quiet, loaded = ([a.seconds * 1000 for a in each if a.kind == kind] for each in (found.quiet, found.loaded))
        cells = [f"{trends.quantile(quiet, q):.1f} : {trends.quantile(loaded, q):.1f}" for q in (0.5, 0.95, 0.99)]
        table.add_row(kind, *cells, f"{len(quiet)} : {len(loaded)}")
    table.add_row("all, times as slow", *(f"{ratio:.2f}" for ratio in _ratios(found).values()), "")
    late = [answer.late_seconds * 1000 for answer in found.loaded]
    table.add_row("our own lateness", *(f"{trends.quantile(late, share):.1f}" for share in (0.5, 0.95, 0.99)), "")
    return table


def _writes_table(found: Found) -> Table:
    table = Table(title="Submissions under load")
    for heading in ("status", "count", "p50 ms", "p99 ms", "first after s"):
        table.add_column(heading, justify="right")
    writes = _writes(found)
    began = min(answer.at_seconds for answer in found.loaded)
    for status, count in sorted(Counter(answer.status for answer in writes).items()):
        mine = [answer for answer in writes if answer.status == status]
        taken = [answer.seconds * 1000 for answer in mine]
        first = min(answer.at_seconds for answer in mine) - began
        table.add_row(
            str(status or "broken"),
            str(count),
            f"{statistics.median(taken):.0f}",
            f"{trends.quantile(taken, 0.99):.0f}",
            f"{first:.0f}",
        )
    return table


def _memory_table(found: Found) -> Table:
    table = Table(title="Memory of their own, MiB: medians of both halves of the load")
    for heading in ("process", "first half", "second half", "most"):
        table.add_column(heading, justify="right")
    for kind, values in sorted(found.memory.items()):
        cells = (trends.part(values, 0, of=2), trends.part(values, 1, of=2), max(values))
        table.add_row(kind, *(f"{value / 2**20:.1f}" for value in cells))
    return table


if __name__ == "__main__":
    main()
