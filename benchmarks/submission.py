"""Where the time of one submission goes, on an idle stack on loopback: client to client, and stage by stage."""

import argparse
import asyncio
import io
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from cakegate import drawings
from cakegate.local import stack, submitting, up

#: Stages in the order of the way; those that run after the client has its answer stand apart.
STAGES = (
    "validate", "store", "enqueue", "queue-judge", "fetch", "decode", "infer", "settle", "queue-create", "create",
    "settle-create", "reply",
)  # fmt: skip
APART = ("render",)
SIZES = ((640, 480), (1600, 1200), (4000, 3000))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_known_args()[0].rounds
    with tempfile.TemporaryDirectory(prefix="cakegate-bench-") as folder:
        Path(folder).chmod(0o755)
        asyncio.run(_measure(Path(folder), rounds, Console()))


async def _measure(folder: Path, rounds: int, console: Console) -> None:
    options = up.Options(folder=folder / "state", logs_to_files=True)
    async with up.running(options, console, asyncio.Event()) as found:
        for size in SIZES:
            await asyncio.to_thread(_round, found, size, rounds if size == SIZES[0] else max(10, rounds // 4), console)


def _round(found: stack.Stack, size: tuple[int, int], rounds: int, console: Console) -> None:
    pictures = list(_pictures(found, size, 8))
    with httpx.Client(base_url=found.gateway_url, trust_env=False) as client:
        for number in range(5):
            _submit(client, pictures[number % len(pictures)])
        before = _stages(found)
        waits = []
        for number in range(rounds):
            time.sleep(0.15)  # idle is what is measured: renditions of the one before are done
            waits.append(_submit(client, pictures[number % len(pictures)]))
        after = _stages(found)
    table = Table(title=f"{size[0]} x {size[1]} JPEG, {rounds} submissions one at a time")
    table.add_column("stage")
    table.add_column("mean ms", justify="right")
    for stage in (*STAGES, *APART):
        count = after.get(stage, (0, 0))[1] - before.get(stage, (0, 0))[1]
        if count:
            seconds = after[stage][0] - before.get(stage, (0.0, 0))[0]
            table.add_row(stage + (" (apart)" if stage in APART else ""), f"{seconds / count * 1000:.2f}")
    console.print(table)
    ordered = sorted(waits)
    console.print(
        f"client to client: p50 {statistics.median(waits):.1f} ms, p90 {ordered[int(len(ordered) * 0.9)]:.1f} ms, "
        f"min {ordered[0]:.1f} ms\n"
    )


def _pictures(found: stack.Stack, size: tuple[int, int], count: int) -> Iterator[str]:
    assert found.pictures is not None
    for seed in drawings.DEMO_SEEDS[:count]:
        buffer = io.BytesIO()
        drawings.draw_cake(seed, size).save(buffer, "JPEG", quality=88)
        name = f"bench-{size[0]}-{seed}.jpg"
        (Path(found.pictures) / name).write_bytes(buffer.getvalue())
        yield f"{found.sample_url}/pictures/{name}"


def _submit(client: httpx.Client, image_url: str) -> float:
    outcome = submitting.post(
        client, image_url=image_url, name="Benchmark cake", comment="One of many", yum=3, wait_seconds=10
    )
    return outcome.milliseconds


def _stages(found: stack.Stack) -> dict[str, tuple[float, int]]:
    """Each stage's seconds and count so far, over all processes."""
    totals: dict[str, tuple[float, int]] = {}
    pattern = re.compile(r'cakegate_stage_duration_seconds_(sum|count)\{stage="([^"]+)"\} (\S+)')
    for url in found.metrics_urls.values():
        sums: dict[str, dict[str, float]] = {}
        for kind, stage, value in pattern.findall(httpx.get(url, trust_env=False).text):
            sums.setdefault(stage, {})[kind] = float(value)
        for stage, values in sums.items():
            seconds, count = totals.get(stage, (0.0, 0))
            totals[stage] = (seconds + values["sum"], count + int(values["count"]))
    return totals
