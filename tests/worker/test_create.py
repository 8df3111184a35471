"""Creating upstream: sent once, and settled by what the answer proves."""

import msgspec
import pytest

from cakegate.adapters.store import breaker
from cakegate.domain import cakes
from cakegate.domain.submissions import Reason, State
from cakegate.local.sample import Faults


@pytest.fixture
async def accepted(bakery, cake_jpeg):
    return await bakery.judge(await bakery.submit(cake_jpeg))


async def test_an_accepted_cake_is_created_with_its_marker_and_shown_without(bakery, accepted):
    row = await bakery.create(accepted)

    item = bakery.listed()[0]
    assert (State.CREATED, str(item["id"])) == (row.state, row.upstream_id)
    assert row.marker == cakes.marker_of(item["imageUrl"])
    assert accepted.draft.image_url == row.cake["imageUrl"]
    assert "create" in row.timings


async def test_a_second_message_creates_nothing(bakery, accepted):
    await bakery.create(accepted)
    await bakery.create(accepted)

    assert 1 == len(bakery.listed())


@pytest.mark.parametrize(
    ("faults", "created"),
    [
        (Faults(drop_answer_share=1), 1),
        (Faults(drop_request_share=1), 0),
        (Faults(error_share=1), 0),
        (Faults(error_after_share=1), 1),
        (Faults(garbage_share=1), 1),
        (Faults(redirect_share=1), 0),
        (Faults(latency_seconds=1.5), 1),
    ],
    ids=["answer dropped", "request dropped", "500", "500 after creating", "garbage", "redirect", "slow"],
)
async def test_what_nobody_can_know_is_uncertain_and_not_sent_again(bakery, accepted, sample_api, faults, created):
    sample_api.faults = faults

    row = await bakery.create(accepted)
    sample_api.faults = Faults()
    await bakery.create(accepted)

    assert (State.UNCERTAIN, Reason.UPSTREAM_UNCERTAIN) == (row.state, row.reason)
    assert row.marker is not None
    assert len(bakery.listed()) <= created


async def test_a_busy_upstream_is_tried_later_because_nothing_was_done(bakery, accepted, sample_api):
    sample_api.faults = Faults(busy_share=1)
    row = await bakery.create(accepted)
    assert State.ACCEPTED == row.state
    assert row.next_attempt_at is not None

    sample_api.faults = Faults()
    await bakery.due_now(row)
    again = await bakery.create(row)

    assert (State.CREATED, row.marker, 2) == (again.state, again.marker, again.create_attempts)


async def test_a_refused_cake_fails(bakery, accepted):
    await bakery.context.db.execute("UPDATE submissions SET yum_factor = 9")

    row = await bakery.create(accepted)

    assert (State.FAILED, Reason.UPSTREAM_REFUSED) == (row.state, row.reason)


async def test_failures_in_a_row_open_the_breaker_and_the_row_waits_in_postgres(
    bakery, accepted, cake_jpeg, sample_api
):
    sample_api.faults = Faults(busy_share=1)
    for _ in range(5):
        await bakery.create(accepted)
        await bakery.due_now(accepted)

    assert "open" == (await breaker.read(bakery.context.db)).state
    attempts = (await bakery.get(accepted)).create_attempts
    row = await bakery.create(accepted)
    assert (State.ACCEPTED, attempts) == (row.state, row.create_attempts)


async def test_after_sigterm_nothing_is_created(bakery, accepted):
    bakery.context.stopping.set()

    row = await bakery.create(accepted)

    assert (State.ACCEPTED, []) == (row.state, bakery.listed())


async def test_without_the_marker_none_is_sent_and_an_uncertain_row_is_for_a_person(
    bakery, accepted, sample_api, config
):
    plain = msgspec.structs.replace(config, upstream=msgspec.structs.replace(config.upstream, marker=False))
    bakery.context = msgspec.structs.replace(bakery.context, config=plain)
    sample_api.faults = Faults(drop_answer_share=1)

    row = await bakery.create(accepted)

    assert (State.UNCERTAIN, None) == (row.state, row.marker)
    assert accepted.draft.image_url == bakery.listed()[0]["imageUrl"]
    found = await bakery.context.db.fetch_one("SELECT needs_person FROM submissions")
    assert found == {"needs_person": True}


async def test_one_good_answer_makes_the_breaker_forget(bakery, accepted, sample_api):
    sample_api.faults = Faults(busy_share=1)
    await bakery.create(accepted)
    assert 1 == (await breaker.read(bakery.context.db)).failures

    sample_api.faults = Faults()
    await bakery.due_now(accepted)
    await bakery.create(accepted)

    assert 0 == (await breaker.read(bakery.context.db)).failures
