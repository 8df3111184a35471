"""Watches of children against a server that answers as the API server does when things go wrong."""

import asyncio
import contextlib
import json

from aiohttp import web
from kubernetes.aio import client

from cakegate_operator import kinds, names, watching
from cakegate_operator.apiserver import ApiServer

TOO_OLD = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version: 1 (2)"}}


def event(kind, version, name="demo"):
    labels = {names.BAKERY: name}
    metadata = {"name": "x", "namespace": "shop", "labels": labels, "resourceVersion": version}
    return {"type": kind, "object": {"metadata": metadata}}


def bookmark(version):
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}


@contextlib.asynccontextmanager
async def listening(*watches):
    """What is asked of Services and who is woken, while these watches are answered in turn; the last one stays open.

    A watch is a list of events; a number stands for an answer with that status.
    """
    asked, woken = [], []

    async def answer(request):
        if request.match_info["plural"] != kinds.SERVICE.plural:
            return web.Response(status=403)
        asked.append(dict(request.query))
        wanted = watches[min(len(asked), len(watches)) - 1]
        if isinstance(wanted, int):
            return web.json_response({"kind": "Status", "message": "no"}, status=wanted)
        response = web.StreamResponse()
        await response.prepare(request)
        text = b"".join(json.dumps(each).encode() + b"\n" for each in wanted)
        # In pieces that no line ends with.
        for start in range(0, len(text), 100):
            await response.write(text[start : start + 100])
        if len(asked) >= len(watches):
            await asyncio.sleep(60)
        return response

    application = web.Application()
    application.router.add_get("/{prefix:.*}/{plural}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with client.ApiClient(client.Configuration(host=host)) as api:
        task = asyncio.create_task(watching.children(ApiServer(api), (), lambda *key: woken.append(key)))
        try:
            yield asked, woken
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await runner.cleanup()


async def until(check):
    async with asyncio.timeout(10):
        while not check():  # noqa: ASYNC110 - what another task does
            await asyncio.sleep(0.02)


async def test_each_change_wakes_its_bakery_and_only_ours_are_asked_for():
    lost = {"type": "DELETED", "object": {"metadata": {"name": "x", "namespace": "shop", "resourceVersion": "2"}}}
    async with listening([event("ADDED", "1"), lost, bookmark("2"), event("DELETED", "3", "other")]) as (asked, woken):
        await until(lambda: len(woken) == 2)
    assert [("shop", "demo"), ("shop", "other")] == woken
    assert (names.BAKERY, "true") == (asked[0]["labelSelector"], asked[0]["allowWatchBookmarks"])


async def test_a_watch_that_ended_in_order_goes_on_where_it_was():
    async with listening([event("ADDED", "1"), bookmark("7")], [event("MODIFIED", "8")]) as (asked, woken):
        await until(lambda: len(woken) == 2)
    assert [None, "7"] == [each.get("resourceVersion") for each in asked]


async def test_a_watch_that_asked_too_late_begins_anew():
    async with listening([bookmark("1")], [TOO_OLD], [event("ADDED", "9")]) as (asked, woken):
        await until(lambda: woken)
    assert [None, "1", None] == [each.get("resourceVersion") for each in asked]


async def test_a_refused_watch_is_tried_again():
    async with listening(403, 429, [event("ADDED", "1")]) as (asked, woken):
        await until(lambda: woken)
    assert 3 == len(asked)
