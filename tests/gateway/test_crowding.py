"""More than it can take: refused at once and with words, and what is refused costs the others nothing."""

import asyncio
import contextlib
from time import perf_counter

from waiting_for import until

from cakegate import settings
from cakegate.local.sample import Faults


def slug(answer) -> str:
    assert "application/problem+json" == answer.headers["content-type"]
    return answer.json()["type"].removeprefix("https://cakegate.dev/problems/")


async def refused_at_once(asked) -> None:
    started = perf_counter()
    answer = await asked

    assert (503, "overloaded", "1") == (answer.status_code, slug(answer), answer.headers["retry-after"])
    assert 0.5 > perf_counter() - started


async def test_what_waits_for_the_legacy_api_is_counted_and_the_rest_refused(start, sample_api):
    gateway = await start(gateway={"max_upstream_requests": 2})
    sample_api.faults = Faults(latency_seconds=1)
    waiting = [asyncio.create_task(gateway.http.get("/api/cakes")) for _ in range(2)]
    await until(lambda: gateway.gate.upstream_places._taken == 2)

    change = {"name": "Lemon tart", "comment": "Of lemon", "yumFactor": 4}
    for asked in (
        gateway.http.get("/api/cakes"),
        gateway.http.get("/api/cakes/1"),
        gateway.http.put("/api/cakes/1", json=change),
        gateway.http.delete("/api/cakes/1"),
    ):
        await refused_at_once(asked)
    assert 202 == (await gateway.submit()).status_code
    assert [200, 200] == [(await each).status_code for each in waiting]
    sample_api.faults = Faults()
    assert 200 == (await gateway.http.get("/api/cakes")).status_code
    assert [] == await gateway.db.fetch("SELECT id FROM deletions")


async def test_what_waits_for_the_database_is_counted_and_the_rest_refused(start):
    gateway = await start(database={"pool_min": 1, "pool_max": 1, "pool_queue": 1})
    path = f"/api/submissions/{await gateway.pending()}"
    async with gateway.db.connection():
        waiting = asyncio.create_task(gateway.http.get(path))
        await until(lambda: gateway.db.stats().get("requests_waiting"))
        await refused_at_once(gateway.http.get(path))
        await refused_at_once(gateway.submit())

    assert 200 == (await waiting).status_code
    assert 1 == (await gateway.db.fetch_one("SELECT count(*) AS taken FROM submissions"))["taken"]


async def test_what_waits_for_the_writer_counts_for_a_full_house_and_what_waits_for_a_person_does_not(start):
    gateway = await start(gateway={"max_pending": 1})
    await gateway.judge(await gateway.pending(), 0.5)
    accepted = await gateway.pending()
    await gateway.judge(accepted, 0.9)
    gateway = await start(gateway={"max_pending": 1})
    answer = await gateway.submit()

    assert (503, "overloaded") == (answer.status_code, slug(answer))


async def test_a_flood_of_probes_asks_a_dependency_once_a_second(gateway):
    await gateway.http.get("/readyz")
    asked = gateway.db.stats().get("requests_num", 0)
    answers = await asyncio.gather(*(gateway.http.get("/readyz") for _ in range(50)))

    assert {200} == {answer.status_code for answer in answers}
    assert 1 >= gateway.db.stats().get("requests_num", 0) - asked


@contextlib.asynccontextmanager
async def frozen():
    """A server that accepts and never answers: its URL."""
    writers = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for writer in writers:
        writer.close()
    server.close()


async def test_a_frozen_redis_stops_neither_submissions_nor_reads(start):
    async with frozen() as url:
        quick = {"enqueue_timeout_seconds": 0.25, "limit_timeout_seconds": 0.1}
        gateway = await start(redis={"url": settings.SecretUrl(url), **quick})
        submitted = [asyncio.create_task(gateway.submit()) for _ in range(20)]
        seconds = []
        while not all(each.done() for each in submitted):
            started = perf_counter()
            assert 200 == (await gateway.http.get("/api/cakes")).status_code
            seconds.append(perf_counter() - started)

    assert {202} == {each.result().status_code for each in submitted}
    # One wait for the limit's check, and none for the enqueues, which block on threads of their own: 20 of those in a
    # row would be five seconds.
    assert 3 > max(seconds)
