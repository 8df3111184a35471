"""Claims, fenced leases, and every way in which judging and creating can end."""

import asyncio
import uuid

import pytest
from store_shapes import PACE, PICTURE, THRESHOLDS

from cakegate.adapters.store import breaker, creating, deletions, judging, reviewing, submissions
from cakegate.domain import errors, verdicts
from cakegate.domain.submissions import Reason, State
from cakegate.domain.verdicts import Decision


async def claim(db, row, holder="worker-1"):
    return await judging.claim(db, row.id, lease_seconds=60, holder=holder)


async def test_one_submission_is_claimed_by_one_worker(db, put):
    row = await put.pending()

    claims = await asyncio.gather(*(claim(db, row, f"worker-{n}") for n in range(4)))

    assert 1 == sum(held is not None for held in claims)


@pytest.mark.parametrize(
    ("score", "state", "reason"),
    [(0.9, State.ACCEPTED, None), (0.5, State.REVIEW, Reason.DOUBTFUL), (0.1, State.REJECTED, Reason.NOT_A_CAKE)],
)
async def test_a_verdict_decides_the_state_and_is_kept(db, put, score, state, reason):
    row = await submissions.get(db, (await put.judged(score)).id)

    assert (state, reason) == (row.state, row.reason)
    assert (score, THRESHOLDS, PICTURE) == (row.verdict.score, row.verdict.thresholds, row.picture)
    assert {"infer": 2.5} == row.timings


async def test_what_a_verdict_says_is_kept_whatever_follows_from_it(db, put):
    flawed = verdicts.Outcome(decision=Decision.REVIEW, flaw=verdicts.Flaw.TOO_SMALL, detail="shorter side 48 px")

    row = await submissions.get(db, (await put.judged(0.9, outcome=flawed)).id)

    assert (State.REVIEW, Reason.TOO_SMALL, "shorter side 48 px") == (row.state, row.reason, row.detail)
    assert (0.9, Decision.ACCEPT) == (row.verdict.score, row.verdict.decision)
    assert [("cake", 0.9), ("other cake", 0.25)] == [(each.name, each.score) for each in row.verdict.labels]


async def test_a_worker_that_lost_its_lease_writes_nothing(db, put):
    held = await put.judging()
    await judging.release(db, held, wait_seconds=0, detail=None, actor="worker-1")
    taken = await claim(db, held, "worker-2")

    with pytest.raises(errors.LeaseLost):
        await judging.settle_unusable(
            db, held, target=State.REJECTED, reason=Reason.IMAGE_GONE, detail="404", actor="worker-1", timings={}
        )

    found = await submissions.get(db, held.id)
    assert (State.JUDGING, taken.lease_token) == (found.state, found.lease_token)


async def test_a_released_submission_is_not_claimed_before_its_time(db, put):
    held = await put.judging()

    released = await judging.release(db, held, wait_seconds=60, detail="503", actor="w", fetch_failed=True)

    assert (State.PENDING, 1) == (released.state, released.fetch_attempts)
    assert released.first_fetch_at is not None
    assert await claim(db, held) is None


async def test_only_a_childs_death_counts_towards_quarantine(db, put):
    held = await put.judging()
    held = await claim(db, await judging.release(db, held, wait_seconds=0, detail=None, actor="w"))
    held = await claim(db, await judging.release(db, held, wait_seconds=0, detail=None, actor="w", decoder_died=True))

    assert (1, 0) == (held.decoder_deaths, held.fetch_attempts)


async def test_a_claim_for_creating_gives_a_marker_that_stays(db, put):
    held = await put.creating()
    await creating.give_back(db, held, wait_seconds=0, detail="refused", actor="writer-1")

    again = await creating.claim(db, held.id, pace=PACE, holder="writer-2")

    assert held.marker == again.marker
    assert (22, 2) == (len(held.marker), again.create_attempts)


async def test_no_more_creates_are_claimed_than_the_fleet_may_have(db, put):
    rows = [await put.accepted() for _ in range(6)]
    pace = creating.Pace(concurrency=2, lease_seconds=60, send_deadline_seconds=20)

    claims = await asyncio.gather(*(creating.claim(db, row.id, pace=pace, holder="w") for row in rows))

    refusals = [claim for claim in claims if isinstance(claim, creating.Refusal)]
    assert (4, {"cap"}) == (len(refusals), {refusal.why for refusal in refusals})


async def test_a_late_message_does_not_shorten_a_wait_that_the_upstream_asked_for(db, put):
    held = await put.creating()
    waiting = await creating.give_back(db, held, wait_seconds=300, detail="429", actor="w")
    for _ in range(3):
        await breaker.failed(db, failures=3, base_seconds=1, max_seconds=1)

    refusal = await creating.claim(db, held.id, pace=PACE, holder="w")

    assert refusal is None
    assert waiting.next_attempt_at == (await submissions.get(db, held.id)).next_attempt_at


async def test_the_created_cake_is_kept_with_its_id(db, put):
    row = await put.created("7")

    found = await submissions.by_upstream_id(db, "7")

    assert (State.CREATED, row.id, {"id": 7}) == (found.state, found.id, found.cake)


async def test_an_id_that_the_upstream_gives_again_belongs_to_the_newer_cake(db, put):
    older, newer = await put.created("7"), await put.created("7")

    assert newer.id == (await submissions.by_upstream_id(db, "7")).id
    assert (await submissions.get(db, older.id)).deleted_at is not None


async def test_a_refused_cake_fails_and_an_unknown_outcome_is_parked(db, put):
    refused, unknown = await put.creating(), await put.creating()

    refused = await creating.settle_refused(db, refused, status=422, detail="no", actor="w", timings={})
    unknown = await creating.settle_uncertain(db, unknown, status=500, detail="500", actor="w", timings={})

    assert (State.FAILED, Reason.UPSTREAM_REFUSED) == (refused.state, refused.reason)
    assert (State.UNCERTAIN, Reason.UPSTREAM_UNCERTAIN) == (unknown.state, unknown.reason)


async def test_a_person_settles_a_review_once(db, put):
    row = await put.judged(0.5)

    decided = await reviewing.decide(db, row.id, target=State.ACCEPTED, actor="ada", note="a fine cake")

    assert State.ACCEPTED == decided.state
    with pytest.raises(errors.IllegalTransition, match="is accepted, not in review"):
        await reviewing.decide(db, row.id, target=State.REJECTED, actor="bob")
    assert "person:ada" == (await submissions.history(db, row.id))[-1].actor


async def test_what_failed_before_its_acceptance_is_judged_again_with_a_clean_slate(db, put):
    held = await put.judging()
    held = await claim(db, await judging.release(db, held, wait_seconds=0, detail="503", actor="w", fetch_failed=True))
    await judging.settle_unusable(
        db, held, target=State.FAILED, reason=Reason.IMAGE_UNREACHABLE, detail="503", actor="w", timings={}
    )

    replayed = await reviewing.replay(db, held.id, actor="ada", note="the host is back")

    assert (State.PENDING, None, 0, None) == (
        replayed.state, replayed.reason, replayed.fetch_attempts, replayed.first_fetch_at,
    )  # fmt: skip
    assert (await claim(db, replayed)).state is State.JUDGING


async def test_what_failed_after_its_acceptance_is_created_again_with_its_marker(db, put):
    held = await put.creating()
    await creating.settle_refused(db, held, status=422, detail="no", actor="w", timings={})

    replayed = await reviewing.replay(db, held.id, actor="ada")

    assert (State.ACCEPTED, held.marker) == (replayed.state, replayed.marker)
    assert State.CREATING == (await creating.claim(db, held.id, pace=PACE, holder="w")).state


async def test_what_has_not_failed_is_not_replayed(db, put):
    row = await put.created()

    with pytest.raises(errors.IllegalTransition, match="is created, not failed"):
        await reviewing.replay(db, row.id, actor="ada")
    with pytest.raises(errors.SubmissionNotFound):
        await reviewing.replay(db, uuid.uuid4(), actor="ada")


async def fail(db):
    return await breaker.failed(db, failures=3, base_seconds=30, max_seconds=300)


async def test_the_breaker_opens_after_failures_in_a_row_and_holds_rows_back(db, put):
    row = await put.accepted()

    states = [(await fail(db)).state for _ in range(3)]
    refusal = await creating.claim(db, row.id, pace=PACE, holder="w")

    assert ["closed", "closed", "open"] == states
    assert "breaker" == refusal.why
    assert 29 < refusal.wait_seconds < 32
    assert State.ACCEPTED == (await submissions.get(db, row.id)).state


async def test_success_in_between_starts_the_count_anew(db):
    await fail(db)
    await fail(db)
    await breaker.succeeded(db)

    assert "closed" == (await fail(db)).state


async def test_past_the_pause_one_writer_probes_and_its_failure_doubles_the_pause(db, put):
    rows = [await put.accepted() for _ in range(2)]
    await breaker.failed(db, failures=1, base_seconds=0, max_seconds=300)

    probe = await creating.claim(db, rows[0].id, pace=PACE, holder="w")
    refusal = await creating.claim(db, rows[1].id, pace=PACE, holder="w")
    reopened = await breaker.failed(db, failures=1, base_seconds=10, max_seconds=300)

    assert State.CREATING == probe.state
    assert "breaker" == refusal.why
    assert ("open", True) == (reopened.state, 19 < reopened.wait_seconds <= 20)


async def test_a_successful_probe_closes_the_breaker(db, put):
    row = await put.accepted()
    await breaker.failed(db, failures=1, base_seconds=0, max_seconds=300)
    await creating.claim(db, row.id, pace=PACE, holder="w")

    await breaker.succeeded(db)

    assert ("closed", 0) == ((await breaker.read(db)).state, (await breaker.read(db)).failures)


async def test_a_deletion_is_recorded_and_marks_its_submission(db, put):
    row = await put.created("7")

    record = await deletions.record(db, "7", marker=row.marker, item={"id": 7}, request_id="r")
    await deletions.settle(db, record, deletions.Outcome.DELETED, status=200)

    newest = (await deletions.newest(db))[0]
    assert (row.id, deletions.Outcome.DELETED, 200) == (newest.submission_id, newest.outcome, newest.upstream_status)
    assert (await submissions.get(db, row.id)).deleted_at is not None
    assert await submissions.by_upstream_id(db, "7") is None


async def test_a_deletion_that_did_not_arrive_is_recorded_and_marks_nothing(db, put):
    row = await put.created("7")

    await deletions.record(db, "7", outcome=deletions.Outcome.UNREACHABLE)

    assert deletions.Outcome.UNREACHABLE == (await deletions.newest(db))[0].outcome
    assert (await submissions.get(db, row.id)).deleted_at is None
