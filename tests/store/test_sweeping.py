"""What the sweeper finds, what it leaves alone, and how often."""

import asyncio

from cakegate.adapters.store import judging, leadership, renditions, submissions, sweeping
from cakegate.domain.renditions import Format, Preset, Rendition
from cakegate.domain.submissions import Reason, State


async def take(db, state=State.PENDING, base_seconds=3600.0):
    found = await sweeping.take_due(db, state, batch=100, base_seconds=base_seconds, max_seconds=86_400)
    return {due.id for due in found}


async def test_an_expired_judging_goes_back_to_pending_and_counts_against_nobody(db, put):
    held, fresh = await put.judging(lease_seconds=0), await put.judging()

    assert [held.id] == await sweeping.expire_leases(db, State.JUDGING, batch=10)

    found = await submissions.get(db, held.id)
    assert (State.PENDING, None, 0, 0) == (found.state, found.lease_token, found.fetch_attempts, found.decoder_deaths)
    assert State.JUDGING == (await submissions.get(db, fresh.id)).state


async def test_an_expired_creating_goes_to_uncertain_never_back_to_the_queue(db, put):
    held = await put.creating(lease_seconds=0)

    assert [held.id] == await sweeping.expire_leases(db, State.CREATING, batch=10)

    found = await submissions.get(db, held.id)
    assert (State.UNCERTAIN, Reason.UPSTREAM_UNCERTAIN, held.marker) == (found.state, found.reason, found.marker)
    assert set() == await take(db, State.ACCEPTED)


async def test_what_was_just_enqueued_is_left_alone(db, put):
    await put.pending()

    assert set() == await take(db)


async def test_what_could_not_be_enqueued_is_due_at_once_and_then_left_alone(db, put):
    row = await put.pending()
    await submissions.not_enqueued(db, [row.id])

    assert {row.id} == await take(db)
    assert set() == await take(db)


async def test_what_waits_for_its_time_is_due_when_it_comes(db, put):
    later, now = await put.judging(), await put.judging()
    await judging.release(db, later, wait_seconds=60, detail=None, actor="w")
    await judging.release(db, now, wait_seconds=0, detail=None, actor="w")

    assert {now.id} == await take(db)


async def test_the_pause_between_two_enqueues_of_one_row_doubles(db, put):
    row = await put.pending()
    taken = []
    for age_seconds in (11, 11, 21, 21, 41):
        await db.execute(f"UPDATE submissions SET enqueued_at = now() - interval '{age_seconds} seconds'")
        taken.append({row.id} == await take(db, base_seconds=10))

    assert [True, False, True, False, True] == taken


async def test_a_redis_that_lost_everything_gets_everything_back(db, put):
    rows = [await put.pending() for _ in range(5)] + [await put.accepted()]

    counts = [await sweeping.forget_enqueues(db, batch=4) for _ in range(3)]

    assert [4, 2, 0] == counts
    assert {row.id for row in rows} == await take(db) | await take(db, State.ACCEPTED)


async def test_two_sweeps_at_once_take_each_row_once(db, put):
    rows = [await put.pending() for _ in range(20)]
    await submissions.not_enqueued(db, [row.id for row in rows])

    taken = await asyncio.gather(*(take(db) for _ in range(4)))

    assert {row.id for row in rows} == set().union(*taken)
    assert 20 == sum(len(part) for part in taken)


async def test_keys_past_their_lifetime_are_freed(db, put):
    await put.pending(idempotency_key="old", idempotency_seconds=0)
    await put.pending(idempotency_key="new")

    assert [1, 0] == [await sweeping.forget_idempotency(db, batch=10) for _ in range(2)]


async def test_pictures_without_renditions_are_found_within_their_window(db, put):
    missing, done = await put.accepted(), await put.accepted()
    made = Rendition(preset=Preset.WEB, format=Format.JPEG, width=1, height=1, content=b"x")
    await renditions.record(db, b"\x07" * 32, [made], submission_id=done.id)

    found = await sweeping.take_unrendered(db, batch=10, after_seconds=0, until_seconds=60)
    too_early = await sweeping.take_unrendered(db, batch=10, after_seconds=30, until_seconds=60)

    assert ([missing.id], []) == ([due.id for due in found], too_early)


async def test_open_states_are_counted_with_the_age_of_their_oldest(db, put):
    await put.pending()
    await put.pending()
    await put.judged(0.1)

    found = {standing.state: standing for standing in await sweeping.standings(db)}

    assert {State.PENDING} == set(found)
    assert 2 == found[State.PENDING].count
    assert 0 <= found[State.PENDING].oldest_seconds < 60


async def test_one_leads_at_a_time_and_gives_it_back(db):
    async with leadership.candidacy(db, key=99) as first, leadership.candidacy(db, key=99) as second:
        assert first is not None
        assert await first.check()
        assert second is None
    async with leadership.candidacy(db, key=99) as third:
        assert third is not None


async def test_leadership_ends_with_its_connection(db):
    async with leadership.candidacy(db, key=99) as leader:
        await db.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")

        assert not await leader.check()
