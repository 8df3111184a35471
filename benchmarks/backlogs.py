"""How much a running stack can judge, and whether it has."""

import asyncio
import re
import time
import urllib.request

from benchmarks import clients, stacks

#: More requests than any client here sends: the limit is checked as ever and refuses nobody.
GENEROUS = "600000/minute"
#: States in which somebody of ours has something to do.
OPEN = ("pending", "judging", "accepted", "creating", "uncertain")
_WARM = 20
_AT_ONCE = 16
_DRAIN_SECONDS = 1800


async def warm(crowd: clients.Clients) -> None:
    """A few cakes, so that there is something to read and all ways have been gone once."""
    for _ in range(_WARM):
        await crowd.submit(prefer="wait=30")


async def capacity(running: stacks.Running, crowd: clients.Clients, count: int) -> float:
    """Judged submissions a second, with a backlog of `count` and nothing else to do."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def submit() -> None:
        async with places:
            await crowd.submit(prefer="respond-async")

    await asyncio.gather(*(submit() for _ in range(count)))
    before, started = judged(running), time.perf_counter()
    # The last few are judged by a worker that is not full any more.
    while running.states().get("pending", 0) > 8:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.1)
    return (judged(running) - before) / (time.perf_counter() - started)


def judged(running: stacks.Running) -> float:
    """Verdicts that the worker has given since it started."""
    with urllib.request.urlopen(running.addresses.metrics_urls["worker"], timeout=10) as response:
        text = response.read().decode()
    return sum(float(value) for value in re.findall(r"^cakegate_verdicts_total\{[^}]*\} (\S+)$", text, re.MULTILINE))


async def drained(running: stacks.Running) -> float:
    """Seconds until every submission has ended or waits for a person. Raises `TimeoutError`."""
    started = time.perf_counter()
    async with asyncio.timeout(_DRAIN_SECONDS):
        while any(count for state, count in running.states().items() if state in OPEN):  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.25)
    return time.perf_counter() - started
