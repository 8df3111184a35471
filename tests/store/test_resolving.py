"""A person's word on what nobody can know: created, absent, or given up."""

import pytest

from cakegate.adapters.store import creating, reviewing, settling
from cakegate.domain import cakes, errors
from cakegate.domain.submissions import Reason, State


@pytest.fixture
def uncertain(db, put):
    async def uncertain(*, ripe=True):
        held = await put.creating()
        if ripe:
            await db.execute(
                "UPDATE submissions SET send_deadline_at = now() - interval '1 day' WHERE id = %(id)s", {"id": held.id}
            )
        return await creating.settle_uncertain(db, held, status=None, detail="cut", actor="w", timings={})

    return uncertain


async def test_a_person_names_the_cake_that_was_created(db, uncertain):
    row = await uncertain()

    moved = await reviewing.say_created(db, row.id, cake_id="17", actor="ada", note="saw it")

    assert (State.CREATED, "17", "17") == (moved.state, moved.upstream_id, moved.cake["id"])


async def test_without_a_name_it_is_the_proposed_one_as_it_was_found(db, uncertain):
    row = await uncertain()
    parked = (await settling.parked(db, limit=1, write_max_seconds=1))[0]
    await settling.propose(db, parked, cakes.StoredCake(id="5", item={"id": 5, "name": "Lemon"}, marker=None))

    moved = await reviewing.say_created(db, row.id, cake_id=None, actor="ada")

    assert ("5", {"id": 5, "name": "Lemon"}) == (moved.upstream_id, moved.cake)


async def test_a_cake_that_is_neither_named_nor_proposed_is_none(db, uncertain):
    row = await uncertain()

    with pytest.raises(errors.IllegalTransition, match="name one"):
        await reviewing.say_created(db, row.id, cake_id=None, actor="ada")


async def test_another_submissions_cake_is_not_this_ones(db, put, uncertain):
    await put.created("17")
    row = await uncertain()

    with pytest.raises(errors.IllegalTransition, match="Cake 17 is another"):
        await reviewing.say_created(db, row.id, cake_id="17", actor="ada")


async def test_what_a_person_knows_to_be_absent_is_sent_again(db, uncertain):
    row = await uncertain()

    moved = await reviewing.say_absent(db, row.id, write_max_seconds=60, actor="ada")

    assert (State.ACCEPTED, row.marker) == (moved.state, moved.marker)


async def test_nobody_can_know_it_absent_while_it_may_still_arrive(db, uncertain):
    row = await uncertain(ripe=False)

    with pytest.raises(errors.IllegalTransition, match="may still arrive"):
        await reviewing.say_absent(db, row.id, write_max_seconds=60, actor="ada")


async def test_what_is_given_up_may_have_been_created_and_is_never_sent_again(db, uncertain):
    row = await uncertain()

    moved = await reviewing.give_up(db, row.id, actor="ada")

    assert (State.FAILED, Reason.UPSTREAM_UNCERTAIN) == (moved.state, moved.reason)
    with pytest.raises(errors.IllegalTransition, match="may have been created"):
        await reviewing.replay(db, row.id, actor="ada")


@pytest.mark.parametrize(
    "word",
    [
        lambda db, row: reviewing.say_created(db, row.id, cake_id="1", actor="ada"),
        lambda db, row: reviewing.say_absent(db, row.id, write_max_seconds=1, actor="ada"),
        lambda db, row: reviewing.give_up(db, row.id, actor="ada"),
    ],
    ids=["created", "absent", "given up"],
)
async def test_what_is_not_uncertain_needs_no_such_word(db, put, word):
    row = await put.accepted()

    with pytest.raises(errors.IllegalTransition, match="not uncertain"):
        await word(db, row)
