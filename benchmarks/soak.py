"""Mixed load at half of what the stack can judge, for a quarter of an hour: does anything grow that should not?

Every ten seconds: memory, descriptors and threads of each kind of process, connections of Postgres, keys and memory of
Valkey. The first and the last third are compared; what grew beyond the bounds in `BOUNDS` ends it with status 1. Tables
grow with what they keep; they are shown as bytes a submission. Afterwards all is left alone until what should expire
has, and what is still in Valkey is listed.
"""

import argparse
import asyncio
import collections
import json
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import redis
from rich.console import Console
from rich.table import Table

from benchmarks import backlogs, clients, crowds, pictures, stacks, trends, usage
from cakegate import contract

_SAMPLE_SECONDS = 10.0
#: Caches fill and pools open in the first minute: it is not compared.
_WARM_SECONDS = 60.0
#: News lists and rate windows of a minute live twice as long at most.
_EXPIRY_SECONDS = 130.0
_SHARE = 0.5
_ADDRESSES = 2000
_TABLES = ("submissions", "verdicts", "transitions", "renditions", "blobs", "deletions")

#: By the last word of a figure's name: by what share and by how much more than that it may grow.
BOUNDS = {
    "bytes": (0.10, 8 * 2**20),
    "descriptors": (0.10, 8),
    "threads": (0.10, 4),
    "connections": (0.10, 4),
    "keys": (0.10, 100),
}
#: Not ours: the legacy API that we stand before, and who starts the processes.
_NOT_OURS = ("sample", "supervisor", "other")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks soak")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--calibrate", type=int, default=300, help="submissions that the capacity is measured with")
    parser.add_argument("--warm", type=float, default=_WARM_SECONDS, help="seconds that are not compared")
    parser.add_argument("--expiry", type=float, default=_EXPIRY_SECONDS, help="seconds to wait at the end")
    parser.add_argument("--samples", type=Path, help="write all samples to this file, a JSON object a line")
    options, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="cakegate-bench-") as folder:
        Path(folder).chmod(0o755)
        with stacks.running(
            Path(folder),
            GATEWAY_READ_RATE=backlogs.GENEROUS,
            GATEWAY_WRITE_RATE=backlogs.GENEROUS,
            GATEWAY_TRUSTED_PROXIES="127.0.0.0/8",
            GATEWAY_BODY_SECONDS="5",
        ) as running:
            found = asyncio.run(_measure(running, options))
    if options.samples:
        options.samples.write_text("".join(json.dumps(each) + "\n" for each in found.samples))
    sys.exit(_report(found, options))


class Found(msgspec.Struct, kw_only=True):
    """All figures; `samples` by name, with `seconds` since the load began."""

    capacity: float = 0.0
    samples: list[dict[str, float]] = []
    statuses: dict[str, collections.Counter[int]] = {}
    bytes_each: list[dict[str, float]] = []
    left: dict[str, int] = {}
    states: dict[str, int] = {}


async def _measure(running: stacks.Running, options: argparse.Namespace) -> Found:
    names = pictures.written(running.pictures, pictures.CAKE, size=pictures.PHOTO, count=24)
    names += pictures.written(running.pictures, pictures.OTHER, size=pictures.PHOTO, count=8)
    found = Found()
    async with clients.connected(running, names) as members:
        members.addresses = [f"198.51.{number // 250}.{number % 250 + 1}" for number in range(_ADDRESSES)]
        await backlogs.warm(members)
        found.capacity = await backlogs.capacity(running, members, options.calibrate)
        await backlogs.drained(running)
        members.take()
        crowd = crowds.Crowd(running, members, _unusable(running, names))
        sampling = asyncio.create_task(_sample(running, members, found))
        async with asyncio.TaskGroup() as acts:
            for act, rate in crowd.acts(submissions=_SHARE * found.capacity):
                acts.create_task(members.open_loop(act, rate=rate, seconds=60 * options.minutes))
        sampling.cancel()
        await asyncio.wait({sampling})
        _count(members, found)
        await backlogs.drained(running)
    await asyncio.sleep(options.expiry)  # what is waited for is time itself
    found.left = _keys(running)
    found.states = running.states()
    return found


def _unusable(running: stacks.Running, names: list[str]) -> list[str]:
    """Addresses of what is no picture, in each way that ends a submission."""
    whole = (running.pictures / names[0]).read_bytes()
    made = {"cut.jpg": whole[: len(whole) // 2], "page.html": b"<html><body>none</body></html>", "text.jpg": b"text"}
    for name, content in made.items():
        (running.pictures / name).write_bytes(content)
    addresses = [f"{running.pictures_url}/{name}" for name in (*made, "none.jpg")]
    return [*addresses, "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/cake.jpg"]


async def _sample(running: stacks.Running, members: clients.Clients, found: Found) -> None:
    began = time.perf_counter()
    while True:
        figures = {"seconds": time.perf_counter() - began}
        for kind, processes in running.processes().items():
            taken = usage.sample(processes)
            figures[f"{kind} memory bytes"] = taken.memory_bytes
            figures[f"{kind} descriptors"] = taken.descriptors
            figures[f"{kind} threads"] = taken.threads
        figures |= _servers(running)
        found.samples.append(figures)
        found.bytes_each.append(_tables(running))
        _count(members, found)
        await asyncio.sleep(_SAMPLE_SECONDS)


def _count(members: clients.Clients, found: Found) -> None:
    for answer in members.take():
        found.statuses.setdefault(answer.kind, collections.Counter())[answer.status] += 1
    # Old ones are read no more: what we keep is not to grow either.
    del members.submissions[:-500]


def _servers(running: stacks.Running) -> dict[str, float]:
    (row,) = running.rows("SELECT count(*) AS count FROM pg_stat_activity WHERE backend_type = 'client backend'")
    figures = {"postgres connections": float(row["count"])}
    with redis.Redis.from_url(running.addresses.redis_url) as client:
        info = client.info()
        figures["valkey memory bytes used"] = float(info["used_memory"])
        figures["valkey connections"] = float(info["connected_clients"])
    for number in (contract.REDIS_QUEUE_DATABASE, contract.REDIS_REST_DATABASE):
        with redis.Redis.from_url(running.addresses.redis_url, db=number) as client:
            figures[f"valkey {number} keys"] = float(client.dbsize())
    return figures


def _tables(running: stacks.Running) -> dict[str, float]:
    sizes = ", ".join(f"pg_total_relation_size('{name}') AS {name}" for name in _TABLES)
    (row,) = running.rows(f"SELECT {sizes}, (SELECT count(*) FROM submissions) AS rows FROM (SELECT 1) AS one")
    return {name: float(value) for name, value in row.items()}


def _keys(running: stacks.Running) -> dict[str, int]:
    """What is left in Valkey: how many keys of each kind."""
    left: collections.Counter[str] = collections.Counter()
    for number in (contract.REDIS_QUEUE_DATABASE, contract.REDIS_REST_DATABASE):
        with redis.Redis.from_url(running.addresses.redis_url, db=number) as client:
            for key in client.scan_iter(count=1000):
                left[":".join(key.decode().split(":")[:2]).split("-")[0]] += 1
    return dict(left)


def _report(found: Found, options: argparse.Namespace) -> int:
    console = Console(width=120)
    total = sum(sum(each.values()) for each in found.statuses.values())
    console.print(
        f"{options.minutes:g} minutes at {_SHARE:.0%} of {found.capacity:.1f} judged a second: {total} requests, "
        f"{sum(found.states.values())} submissions; {usage.load_average()}"
    )
    console.print(f"ends: {dict(sorted(found.states.items()))}")
    for kind, statuses in sorted(found.statuses.items()):
        console.print(f"{kind:>12}  {dict(sorted(statuses.items()))}")
    steady = [each for each in found.samples if each["seconds"] >= options.warm]
    table, grown = _compared(steady)
    console.print(table)
    last = found.bytes_each[-1]
    sizes = ", ".join(f"{name} {last[name] / last['rows']:,.0f}" for name in _TABLES)
    console.print(f"tables, bytes a submission of {last['rows']:.0f}: {sizes}")
    console.print(f"left in Valkey after {options.expiry:g} s: {found.left}")
    broken = [f"{name} grew" for name in grown]
    broken += [f"{count} keys {name} did not expire" for name, count in found.left.items() if _should_expire(name)]
    broken += [f"{kind} was answered {status}" for kind, status in _undue(found)]
    broken += [f"{found.states[state]} submissions are {state}" for state in backlogs.OPEN if found.states.get(state)]
    for complaint in broken:
        console.print(f"BROKEN  {complaint}")
    console.print(
        f"soak: {options.minutes:g} minutes, {total} requests, {sum(found.states.values())} submissions, "
        f"{len(grown)} of {len(table.rows)} figures grew, {len(broken)} complaints"
    )
    return 1 if broken else 0


def _should_expire(name: str) -> bool:
    return name.startswith(("cakegate:mail", "cakegate:rate", "LIMITS"))


def _undue(found: Found) -> list[tuple[str, int]]:
    """Answers that a healthy stack at half of its capacity does not give."""
    return [
        (kind, status)
        for kind, statuses in found.statuses.items()
        for status in statuses
        if status >= 500 or (status == clients.BROKEN and kind != "submit") or status == 429
    ]


def _compared(samples: list[dict[str, float]]) -> tuple[Table, list[str]]:
    """First against last third of all figures, and the names of those that grew beyond their bounds."""
    table = Table(title="Medians of the first and last third, and the slope of the straight line through all")
    for heading in ("", "first third", "last third", "an hour"):
        table.add_column(heading, justify="right")
    grown = []
    seconds = [each["seconds"] for each in samples]
    for name in sorted({name for each in samples for name in each} - {"seconds"}):
        values = [each.get(name, 0.0) for each in samples]
        first, last = trends.part(values, 0, of=3), trends.part(values, 2, of=3)
        share, slack = next(bound for word, bound in BOUNDS.items() if word in name)
        too_much = trends.grew(first, last, share=share, slack=slack) and not name.startswith(_NOT_OURS)
        if too_much:
            grown.append(name)
        unit, digits = (2**20, 1) if "bytes" in name else (1, 0)
        cells = (first, last, trends.slope_per_hour(seconds, values))
        table.add_row(
            name.replace("bytes", "MiB"),
            *(f"{value / unit:.{digits}f}" for value in cells),
            style="red" if too_much else "",
        )
    return table, grown


if __name__ == "__main__":
    main()
