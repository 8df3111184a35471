"""A plan is data made from a seed: the same seed replays it, and every kind of trouble has its turn."""

import asyncio
from collections import Counter

import pytest

from chaos import plans, progress

PICTURES = ["cake-1.jpg", "other-1.jpg"]


def made(seed, *, submissions=1000, kills=50):
    return plans.made(
        seed, submissions=submissions, kills=kills, freezes=14, lease_seconds=6, pictures=PICTURES
    )  # fmt: skip


def test_a_seed_replays_its_plan():
    assert made(7) == made(7)
    assert made(7) != made(8)


def test_every_kind_of_blow_falls_about_equally_often():
    plan = made(3)

    struck = Counter((strike.target, strike.blow) for strike in plan.strikes)

    assert (50, 64) == (plan.kills, len(plan.strikes))
    assert {7, 8} == {count for (_, blow), count in struck.items() if blow is not plans.Blow.FREEZE}
    assert {2, 3} == {count for (_, blow), count in struck.items() if blow is plans.Blow.FREEZE}
    assert set(plans.Target) == {strike.target for strike in plan.strikes if strike.blow is plans.Blow.KILL}


def test_blows_fall_in_order_and_leave_time_before_and_after():
    points = [strike.after for strike in made(3).strikes]

    assert sorted(points) == points
    assert 30 <= points[0] <= points[-1] <= 970


def test_some_freezes_outlast_a_lease_and_some_do_not():
    lengths = {strike.seconds > 6 for strike in made(3).strikes if strike.blow is plans.Blow.FREEZE}

    assert {True, False} == lengths


def test_the_upstream_has_every_mood_and_behaves_at_last():
    spells = made(3).spells

    assert {"calm", "down", "drops answers", "creates late, stalls", "refuses connections"} < {s.name for s in spells}
    assert 1000 == spells[-1].until


def test_late_writes_are_done_in_the_time_that_the_upstream_has_for_them():
    plan = made(3)

    assert plan.late_seconds < 5.0
    assert {plan.late_seconds} == {s.faults.late_seconds for s in plan.spells if s.faults.late_share}


def test_some_orders_are_the_same_cake_again_under_another_key():
    orders = made(3).orders
    twins = Counter((order.name, order.comment, order.picture, order.yum_factor) for order in orders)
    keys = [order.key for order in orders if order.key]

    assert 100 < sum(count - 1 for count in twins.values()) < 250
    assert len(set(keys)) == len(keys)


async def test_who_may_not_run_ahead_waits_for_leave():
    moving = progress.Progress()
    await moving.allow(1)
    await moving.step()
    second = asyncio.create_task(moving.step())
    await asyncio.wait({second}, timeout=0.01)
    assert (1, False) == (moving.sent, second.done())

    await moving.allow(2)
    await second
    await moving.reached(2)

    assert 2 == moving.sent


@pytest.mark.parametrize("point", [0, 1])
async def test_a_point_that_was_reached_is_not_waited_for(point):
    moving = progress.Progress()
    await moving.through()

    await moving.finished(point)
