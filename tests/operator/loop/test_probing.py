import asyncio
import contextlib
import socket

import pytest
from aiohttp import web

from cakegate_operator import probing


@contextlib.asynccontextmanager
async def upstream(status):
    """An upstream that answers so, and remembers what it was asked."""
    asked = []

    async def answer(request):
        asked.append((request.path_qs, request.headers.get("Authorization")))
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}", asked
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "reason"),
    [(200, "Reachable"), (401, "RefusesUs"), (403, "RefusesUs"), (302, "AnswersErrors"), (500, "AnswersErrors")],
)
async def test_an_answer_is_told_coarsely_and_no_redirect_is_followed(status, reason):
    async with upstream(status) as (url, asked):
        found = await probing.asked(probing.Target(f"{url}/api/cakes/", headers=(("Authorization", "Bearer t"),)))
    assert (reason, status == 200) == (found.reason, found.reachable)
    assert [("/api/cakes/?limit=1", "Bearer t")] == asked


async def test_no_answer_is_told():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        found = await probing.asked(probing.Target(f"http://127.0.0.1:{closed.getsockname()[1]}/"))
    assert ("Unreachable", False) == (found.reason, found.reachable)


async def test_a_bakery_is_woken_when_the_answer_turns(world):
    woken = asyncio.Event()
    probes = probing.Probes(lambda *_: woken.set())
    async with upstream(200) as (url, _):
        world.reconciler._probes = probes
        world.bakery({"upstream": {"url": url}})
        await world.once()
        assert ("Unknown", "NotProbed") == world.conditions()["UpstreamReachable"]
        await asyncio.wait_for(woken.wait(), 5)
        await world.once()
        assert ("True", "Reachable") == world.conditions()["UpstreamReachable"]
    await probes.close()
