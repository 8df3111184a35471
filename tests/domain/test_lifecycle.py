"""The state table, and that whatever happens to a submission follows it."""

import hypothesis.strategies as st
import pytest
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cakegate.domain import errors, submissions
from cakegate.domain.submissions import State


def test_every_state_is_in_the_table():
    assert set(State) == set(submissions.TRANSITIONS)


def test_only_ends_without_appeal_have_no_way_out():
    final = {state for state, targets in submissions.TRANSITIONS.items() if not targets}

    assert {State.CREATED, State.REJECTED} == final


def test_every_state_can_be_reached_from_pending():
    reached, frontier = {State.PENDING}, [State.PENDING]
    while frontier:
        for target in submissions.TRANSITIONS[frontier.pop()] - reached:
            reached.add(target)
            frontier.append(target)

    assert set(State) == reached


def test_every_state_that_is_not_an_end_can_still_end():
    for state in State:
        reached, frontier = {state}, [state]
        while frontier:
            for target in submissions.TRANSITIONS[frontier.pop()] - reached:
                reached.add(target)
                frontier.append(target)
        assert reached & submissions.TERMINAL, state


@given(origin=st.sampled_from(State), target=st.sampled_from(State))
def test_a_transition_outside_the_table_is_refused_with_both_names(origin, target):
    if target in submissions.TRANSITIONS[origin]:
        submissions.check_transition(origin, target)
    else:
        with pytest.raises(errors.IllegalTransition, match=f"{origin.value} to {target.value}"):
            submissions.check_transition(origin, target)


def test_a_create_that_may_have_been_sent_never_goes_back_to_the_queue_by_itself():
    assert State.PENDING not in submissions.TRANSITIONS[State.CREATING]
    assert State.PENDING not in submissions.TRANSITIONS[State.UNCERTAIN]
    assert State.CREATING not in submissions.TRANSITIONS[State.UNCERTAIN]


def test_every_reason_about_a_picture_has_a_coarse_form_for_the_client():
    about_pictures = {reason for reason in submissions.Reason if reason.value.startswith("image-")}

    assert about_pictures | {submissions.Reason.POISON} == set(submissions.UNUSABLE)


class Life(RuleBasedStateMachine):
    """A submission moved at random along the table: no cake is created twice, and nothing leaves `created`."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State.PENDING
        self.created = 0

    @rule(towards=st.sampled_from(State))
    def step(self, towards: State) -> None:
        try:
            submissions.check_transition(self.state, towards)
        except errors.IllegalTransition:
            return
        self.state = towards
        self.created += towards is State.CREATED

    @invariant()
    def at_most_one_cake(self) -> None:
        assert self.created <= 1

    @invariant()
    def created_stays(self) -> None:
        assert not self.created or self.state is State.CREATED


TestLife = Life.TestCase
