import asyncio

import pytest

from cakegate_operator import metrics
from cakegate_operator.loop import Loop, open_seconds


async def until(check):
    async with asyncio.timeout(5):
        while not check():  # noqa: ASYNC110 - nobody here could set an event
            await asyncio.sleep(0.01)


async def test_a_wake_leads_to_a_pass_and_many_wakes_to_few(world):
    world.bakery()
    loop = Loop(world.reconciler)
    for _ in range(50):
        loop.wake("default", "demo")
    await until(world.conditions)
    before = metrics.RECONCILES.labels("waiting")._value.get()
    for _ in range(50):
        loop.wake("default", "demo")
    await asyncio.sleep(0.2)
    assert 2 >= metrics.RECONCILES.labels("waiting")._value.get() - before
    assert 0.0 == loop.longest_pass_seconds()
    await loop.close()


async def test_without_events_the_clock_wakes(world):
    world.bakery()
    loop = Loop(world.reconciler, resync_seconds=0.05)
    loop.wake("default", "demo")

    def ready():
        world.settle()
        return ("True", "Available") == world.conditions().get("Ready")

    await until(ready)
    await loop.close()


async def test_a_pass_that_fails_is_made_again_and_counted(world):
    world.bakery()
    world.cluster.failing = 3
    before = metrics.ERRORS.labels("Unreachable")._value.get()
    loop = Loop(world.reconciler)
    loop.wake("default", "demo")
    await until(world.conditions)
    assert before + 1 == metrics.ERRORS.labels("Unreachable")._value.get()
    await loop.close()


@pytest.mark.parametrize(
    ("passes", "resync", "seconds"),
    [(1, 120, 10), (11, 120, 10), (12, 120, 20), (24, 120, 40), (10_000, 120, 120), (1, 5, 5)],
)
def test_what_stays_open_is_looked_at_less_often_in_the_end_at_the_resync(passes, resync, seconds):
    assert seconds == open_seconds(passes, resync)


async def test_a_bakery_that_is_gone_is_followed_no_longer(world):
    world.bakery()
    loop = Loop(world.reconciler, resync_seconds=0.05)
    loop.wake("default", "demo")
    await until(world.conditions)
    del world.cluster.objects["CakeBakery", "default", "demo"]
    await until(lambda: not loop._tasks)
    assert 0 == metrics.BAKERIES._value.get()
    await loop.close()
