"""Accepting submissions: inserted once, found again, bound to their Idempotency-Key for its lifetime."""

import asyncio
import uuid

import msgspec
import pytest

from cakegate.adapters.store import submissions
from cakegate.domain import errors
from cakegate.domain.submissions import State


async def test_a_submission_comes_back_as_it_was_put_in(db, put):
    new = put.new(request_id="r-1", traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")

    await submissions.insert(db, new)
    found = await submissions.get(db, new.id)

    assert (State.PENDING, new.draft, "r-1") == (found.state, found.draft, found.request_id)
    assert (None, None, None) == (found.verdict, found.picture, found.reason)


async def test_the_same_insert_twice_is_one_submission(db, put):
    new = put.new()

    first, second = await submissions.insert(db, new), await submissions.insert(db, new)

    assert (True, True) == (first.fresh, second.fresh)
    assert first.submission.id == second.submission.id
    assert 1 == await submissions.count_waiting(db, cap=10)


async def test_a_reason_that_only_a_newer_release_knows_is_left_out(db, put):
    row = await put.judged(0.5)
    await db.execute("UPDATE submissions SET reason = 'too-beautiful' WHERE id = %(id)s", {"id": row.id})

    found = await submissions.get(db, row.id)

    assert (State.REVIEW, None) == (found.state, found.reason)


async def test_an_unknown_id_is_not_found(db):
    with pytest.raises(errors.SubmissionNotFound):
        await submissions.get(db, uuid.uuid4())


async def test_a_key_used_again_with_the_same_body_names_the_first_submission(db, put):
    first = await submissions.insert(db, put.new(idempotency_key="k"))
    second = await submissions.insert(db, put.new(idempotency_key="k"))

    assert second.fresh is False
    assert first.submission.id == second.submission.id


async def test_a_key_used_again_with_another_body_is_refused(db, put):
    await submissions.insert(db, put.new(idempotency_key="k"))
    other = msgspec.structs.replace(put.new().draft, yum_factor=5)

    with pytest.raises(errors.IdempotencyMismatch):
        await submissions.insert(db, put.new(idempotency_key="k", draft=other))


async def test_a_key_past_its_lifetime_can_be_used_again(db, put):
    first = await submissions.insert(db, put.new(idempotency_key="k", idempotency_seconds=0))
    second = await submissions.insert(db, put.new(idempotency_key="k"))

    assert second.fresh is True
    assert first.submission.id != second.submission.id


async def test_one_key_from_many_clients_at_once_makes_one_submission(db, put):
    inserted = await asyncio.gather(*(submissions.insert(db, put.new(idempotency_key="k")) for _ in range(12)))

    assert 1 == sum(each.fresh for each in inserted)
    assert 1 == len({each.submission.id for each in inserted})


async def test_no_key_binds_nobody(db, put):
    inserted = [await submissions.insert(db, put.new()) for _ in range(2)]

    assert [True, True] == [each.fresh for each in inserted]


async def test_pending_rows_are_counted_no_further_than_the_cap(db, put):
    for _ in range(3):
        await put.pending()

    assert 2 == await submissions.count_waiting(db, cap=2)


async def test_news_are_for_ends_and_for_what_waits_for_a_person(db, put):
    ends = [await put.judged(0.1), await put.judged(0.5), await put.created()]
    others = [await put.pending(), await put.judging(), await put.accepted(), await put.creating()]

    found = await submissions.settled_among(db, [row.id for row in ends + others])

    assert {row.id for row in ends} == set(found)


async def test_the_history_names_every_step_and_who_took_it(db, put):
    row = await put.created()

    steps = [(step.origin, step.target, step.actor) for step in await submissions.history(db, row.id)]

    assert [
        (None, "pending", "gateway"),
        ("pending", "judging", "worker-1"),
        ("judging", "accepted", "worker-1"),
        ("accepted", "creating", "writer-1"),
        ("creating", "created", "writer-1"),
    ] == steps
