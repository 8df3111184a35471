"""The life of accepted submissions with every actor interleaved: writers that die, stop and come back; an upstream that
answers late, wrongly or not at all; scans that are overtaken, page by page; clients that create, change and delete.

The rows are real, in Postgres, moved by the store's own functions and the scheduler's own `Settler`; the upstream is a
model with a ledger. Time passes by moving the rows' clocks back. Whatever the order, no marker is ever created twice,
what a row says is true, and once everybody has calmed down every row is settled.
"""

import asyncio
import uuid

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from upstream_model import Unreachable, UpstreamModel

from cakegate import settings as configuration
from cakegate.adapters.store import creating, deletions, pool, reviewing, settling, submissions, sweeping
from cakegate.domain import cakes, errors
from cakegate.domain.submissions import TERMINAL, Reason, State, Submission, SubmissionId
from cakegate.scheduler import settle

LEASE_SECONDS, SEND_SECONDS, WRITE_MAX_SECONDS = 60, 20, 40
PACE = creating.Pace(concurrency=100, lease_seconds=LEASE_SECONDS, send_deadline_seconds=SEND_SECONDS)
DRAFT = cakes.CakeDraft(name="Lemon", comment="Lemon", image_url="http://p.example/l.jpg", yum_factor=3)
#: What became of a create that was sent, as its writer sees it.
ANSWERS = ("created", "refused", "unreachable", "lost", "lost after creating", "lost and created later")


class Writer(msgspec.Struct):
    """One claim of one writer, by the writer's own clock."""

    held: Submission
    deadline: float
    answer: str | None = None
    cake: dict | None = None


class Scheduler(settle.Settler):
    """A settler that stops before each page, and before its word on what it found absent, until it is let go on."""

    def __init__(self, config: configuration.Settings, db: pool.Database) -> None:
        super().__init__(config, db, legacy=self)
        self.task: asyncio.Task | None = None
        self.stopped = asyncio.Event()
        self.go_on: asyncio.Future | None = None
        self.asked: tuple[int, int] | None = None

    async def list(self, *, skip: int, limit: int) -> list[dict]:
        self.asked = (skip, limit)
        return await self._stop()

    async def _absent(self, row: settling.Parked) -> int:
        self.asked = None
        await self._stop()
        return await super()._absent(row)

    async def _stop(self):
        self.go_on = asyncio.get_running_loop().create_future()
        self.stopped.set()
        return await self.go_on

    async def step(self, answer) -> None:
        """To the next stop, or to the end of the round. `answer` makes a page of what was asked for, or raises."""
        self.stopped.clear()
        if self.task is None:
            self.task = asyncio.create_task(self.round())
        else:
            try:
                self.go_on.set_result(answer(*self.asked) if self.asked else None)
            except errors.UpstreamError as error:
                self.go_on.set_exception(error)
        stop = asyncio.create_task(self.stopped.wait())
        await asyncio.wait({self.task, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if self.task.done():
            ended, self.task = self.task, None
            if not isinstance(ended.exception(), errors.UpstreamError):
                ended.result()


class LostAnswers(RuleBasedStateMachine):
    """Every rule is one step of one actor."""

    database_url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = 0.0
        self.writers: list[Writer] = []
        self.asked_to_delete: set[str] = set()
        self.config = configuration.Settings(
            upstream=configuration.Upstream(page_max=3, write_max_seconds=WRITE_MAX_SECONDS),
            database=configuration.Database(url=configuration.SecretUrl(self.database_url), pool_min=1, pool_max=3),
        )
        self.db = self.wait(pool.Database.open(self.config.database, application_name="tests"))
        self.wait(self.db.execute("TRUNCATE submissions, deletions CASCADE"))
        self.schedulers = [self.wait(self._scheduler()) for _ in range(2)]

    def wait(self, coroutine):
        return self.runner.run(coroutine)

    async def _scheduler(self) -> Scheduler:
        return Scheduler(self.config, self.db)

    @initialize(newest_first=st.booleans(), cap=st.integers(2, 4), others=st.integers(0, 5))
    def begin(self, newest_first, cap, others):
        self.upstream = UpstreamModel(newest_first=newest_first, cap=cap, write_max_seconds=WRITE_MAX_SECONDS)
        # A cake of ours that is there and stays: without one no scan proves anything.
        self.a_writer_takes_one_from_its_claim_to_its_end("created")
        self.witness = self.upstream.created[0]
        for _ in range(others):
            self.upstream.create(self.upstream.item(DRAFT, None))

    # Clients and people

    @rule()
    def a_cake_is_submitted_and_accepted(self):
        self.wait(self._accepted())

    async def _accepted(self) -> None:
        row = await submissions.insert(self.db, submissions.NewSubmission(id=SubmissionId(uuid.uuid4()), draft=DRAFT))
        await self.db.execute(
            "UPDATE submissions SET state = 'review', reason = 'doubtful' WHERE id = %(id)s", {"id": row.submission.id}
        )
        await reviewing.decide(self.db, row.submission.id, target=State.ACCEPTED, actor="ada")

    @rule()
    def somebody_else_creates_the_same_cake(self):
        self.upstream.create(self.upstream.item(DRAFT, None))

    @precondition(lambda self: self.upstream.unmarked())
    @rule(place=st.integers(0, 50))
    def somebody_else_deletes_a_cake_of_theirs(self, place):
        others = self.upstream.unmarked()
        self.upstream.delete(others[place % len(others)]["id"])

    @precondition(lambda self: self.upstream.marked())
    @rule(place=st.integers(0, 50))
    def a_cake_is_changed(self, place):
        ours = self.upstream.marked()
        ours[place % len(ours)]["name"] = f"Lemon {self.clock}"

    @precondition(lambda self: len(self.upstream.marked()) > 1)
    @rule(place=st.integers(0, 50), fate=st.sampled_from(["answered", "lost", "not sent", "died", "died before"]))
    def a_cake_is_deleted_through_us(self, place, fate):
        ours = [item for item in self.upstream.marked() if cakes.marker_of(item["imageUrl"]) != self.witness]
        self.wait(self._delete(ours[place % len(ours)], fate))

    async def _delete(self, item: dict, fate: str) -> None:
        marker = cakes.marker_of(item["imageUrl"])
        number = await deletions.record(self.db, str(item["id"]), marker=marker, item=item)
        if fate in {"not sent", "died before"}:
            outcome = deletions.Outcome.UNREACHABLE
        else:
            self.upstream.delete(item["id"])
            outcome = deletions.Outcome.DELETED if fate == "answered" else deletions.Outcome.UNCERTAIN
        if not fate.startswith("died"):
            await deletions.settle(self.db, number, outcome)
        if outcome is deletions.Outcome.DELETED:
            self.asked_to_delete.add(marker)

    @rule()
    def a_person_tries_again_what_failed(self):
        self.wait(self._replay())

    async def _replay(self) -> None:
        for row in await submissions.listing(self.db, states=[State.FAILED], limit=1):
            await reviewing.replay(self.db, row.id, actor="ada")

    # Writers

    @rule()
    def a_writer_claims(self):
        self.wait(self._claim())

    async def _claim(self) -> Writer | None:
        for row in await submissions.listing(self.db, states=[State.ACCEPTED], limit=1):
            held = await creating.claim(self.db, row.id, pace=PACE, holder="writer")
            if isinstance(held, Submission):
                self.writers.append(Writer(held, self.clock + SEND_SECONDS))
                return self.writers[-1]
        return None

    @precondition(lambda self: self.writers)
    @rule(place=st.integers(0, 50), answer=st.sampled_from(ANSWERS))
    def a_writer_sends(self, place, answer):
        self._send(self.writers[place % len(self.writers)], answer)

    def _send(self, writer: Writer, answer: str) -> None:
        if writer.answer is not None:
            return
        item = self.upstream.item(writer.held.draft, writer.held.marker)
        writer.answer = answer if self.clock < writer.deadline else "unreachable"
        if writer.answer in {"created", "lost after creating"}:
            writer.cake = self.upstream.create(item)
        elif writer.answer == "lost and created later":
            self.upstream.create_later(item)

    @precondition(lambda self: any(writer.answer for writer in self.writers))
    @rule(place=st.integers(0, 50))
    def a_writer_settles(self, place):
        answered = [writer for writer in self.writers if writer.answer]
        writer = answered[place % len(answered)]
        self.writers.remove(writer)
        self.wait(self._settle(writer))

    async def _settle(self, writer: Writer) -> None:
        try:
            if writer.answer == "created":
                await creating.settle_created(
                    self.db, writer.held, upstream_id=str(writer.cake["id"]), cake=cakes.public(writer.cake),
                    status=200, actor="writer", timings={},
                )  # fmt: skip
            elif writer.answer == "refused":
                await creating.settle_refused(
                    self.db, writer.held, status=422, detail="no", actor="writer", timings={}
                )  # fmt: skip
            elif writer.answer == "unreachable":
                await creating.give_back(self.db, writer.held, wait_seconds=0, detail=None, actor="writer")
            else:
                await creating.settle_uncertain(
                    self.db, writer.held, status=None, detail="cut", actor="writer", timings={}
                )  # fmt: skip
        except errors.LeaseLost:
            pass  # it was stopped for too long, and stops at once

    @rule(answer=st.sampled_from(ANSWERS))
    def a_writer_takes_one_from_its_claim_to_its_end(self, answer):
        """What the rules above do step by step, in one: most creates are not interrupted."""
        writer = self.wait(self._claim())
        if writer is None:
            self.a_cake_is_submitted_and_accepted()
            writer = self.wait(self._claim())
        self._send(writer, answer)
        self.writers.remove(writer)
        self.wait(self._settle(writer))

    @precondition(lambda self: self.writers)
    @rule(place=st.integers(0, 50))
    def a_writer_dies(self, place):
        self.writers.pop(place % len(self.writers))

    # The upstream, the scheduler, time

    @precondition(lambda self: self.upstream.under_way)
    @rule(place=st.integers(0, 50))
    def the_upstream_finishes_what_it_took(self, place):
        self.upstream.finish(place)

    @rule()
    def leases_are_swept(self):
        self.wait(sweeping.expire_leases(self.db, State.CREATING, batch=100))

    @rule(which=st.integers(0, 1), steps=st.integers(1, 6))
    def a_scan_goes_on(self, which, steps):
        for _ in range(steps):
            self.wait(self.schedulers[which].step(self.upstream.page))

    @rule(which=st.integers(0, 1), rounds=st.integers(1, 2))
    def a_scan_is_not_interrupted(self, which, rounds):
        for _ in range(rounds):
            self._round(self.schedulers[which])

    def _round(self, scheduler: Scheduler) -> None:
        self.wait(scheduler.step(self.upstream.page))
        while scheduler.task is not None:
            self.wait(scheduler.step(self.upstream.page))

    @rule(which=st.integers(0, 1))
    def a_page_does_not_come(self, which):
        if self.schedulers[which].task is not None:
            self.wait(self.schedulers[which].step(_no_page))

    @rule(seconds=st.sampled_from([1, 10, 30, 70]))
    def time_passes(self, seconds):
        self.clock += seconds
        self.upstream.pass_time(seconds)
        self.wait(
            self.db.execute(
                "UPDATE submissions SET lease_expires_at = lease_expires_at - %(by)s * interval '1 second',"
                " send_deadline_at = send_deadline_at - %(by)s * interval '1 second',"
                " next_attempt_at = next_attempt_at - %(by)s * interval '1 second'",
                {"by": seconds},
            )
        )

    # What must hold

    @invariant()
    def no_marker_is_created_twice(self):
        created = self.upstream.created if hasattr(self, "upstream") else []
        assert len(created) == len(set(created))

    @invariant()
    def what_a_row_says_is_true(self):
        for row in self.wait(submissions.listing(self.db, states=list(TERMINAL), limit=1000)):
            if row.state is State.CREATED:
                assert row.marker in self.upstream.created
                assert row.deleted_at is None or row.marker in self.upstream.deleted or not self._live(row.marker)
            else:
                assert row.reason in {Reason.UPSTREAM_REFUSED, Reason.UPSTREAM_ABSENT}
                assert row.marker not in self.upstream.created

    def _live(self, marker: str) -> bool:
        return any(cakes.marker_of(item["imageUrl"]) == marker for item in self.upstream.cakes)

    def teardown(self) -> None:
        try:
            if hasattr(self, "upstream"):
                self._calm_down()
        finally:
            self.wait(self.db.close())
            self.runner.close()

    def _calm_down(self) -> None:
        """Nobody dies, stops or answers wrongly any more: every row finds its end."""
        self.writers.clear()
        for _ in range(12):
            rows = self.wait(submissions.listing(self.db, states=list(State), limit=1000))
            if all(row.state in TERMINAL for row in rows):
                break
            self.time_passes(LEASE_SECONDS + WRITE_MAX_SECONDS)
            self.leases_are_swept()
            while (writer := self.wait(self._claim())) is not None:
                self._send(writer, "created")
                self.wait(self._settle(writer))
            self.writers.clear()
            for scheduler in self.schedulers:
                self._round(scheduler)
        assert [] == [row for row in rows if row.state not in TERMINAL]
        self.no_marker_is_created_twice()
        self.what_a_row_says_is_true()
        marked = {row.marker for row in rows if row.deleted_at is not None}
        assert self.asked_to_delete <= marked


def _no_page(skip, limit):
    raise Unreachable(f"{skip} {limit}")


@pytest.mark.timeout(120)
def test_no_order_of_events_doubles_loses_or_brings_back_a_cake(database_url):
    machine = type("Machine", (LostAnswers,), {"database_url": database_url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
