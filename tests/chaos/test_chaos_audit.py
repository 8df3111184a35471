"""The audit finds each kind of broken promise where one is planted, and none where none is."""

import uuid

import msgspec
import pytest

from cakegate.local.sample_cakes import Entry
from chaos import audit, plans, records
from chaos.audit import Kind

ID = uuid.UUID("0b9f6c0e-7a41-4d63-9a53-5a0d7b1c2f10")
MARKER = "m" * 22
ORDER = plans.Order(
    number=1, picture="cake-1.jpg", name="Lemon cake", comment="Of lemon", yum_factor=3, key="k", wait_seconds=4,
    patience_seconds=15,
)  # fmt: skip
CAKE = {"id": 7, "name": "Lemon cake", "comment": "Of lemon", "yumFactor": 3, "imageUrl": "http://p/cake-1.jpg"}
CREATED = records.Attempt(request_id="order-1/0", status=201, submission=ID, cake=CAKE)
ROW = records.Row(
    id=ID, state="created", reason=None, name="Lemon cake", comment="Of lemon", picture="cake-1.jpg", yum_factor=3,
    request_id="order-1/0", key="k", marker=MARKER, upstream_id="7", deleted=False, needs_person=False, leased=False,
    decoder_deaths=0, history=["→ pending"],
)  # fmt: skip


def entry(number, act, cake_id=7, *, marker=MARKER, **changes):
    fields = {"name": "Lemon cake", "comment": "Of lemon", "yum_factor": 3, **changes}
    address = f"http://p/cake-1.jpg#cakegate={marker}"
    return Entry(number=number, at=float(number), act=act, cake_id=cake_id, image_url=address, **fields)


LEDGER = (entry(1, "create"),)


def seen(*, row=ROW, attempts=(CREATED,), ledger=LEDGER, final="created", **others):
    told = records.Told(order=ORDER, attempts=[*attempts], final={"state": final} if final else None)
    fields = {"changes": [], "quiet": {"cake-1.jpg": ("created", None)}, **others}
    return records.Seen(told=[told], rows=[row] if row else [], ledger=[*ledger], **fields)


def changed(**changes):
    return msgspec.structs.replace(ROW, **changes)


def kinds(found):
    return {violation.kind for violation in audit.violations(found)}


def test_a_run_that_kept_its_promises_has_no_violations():
    assert [] == audit.violations(seen())
    assert [] == audit.violations(seen(row=changed(deleted=True), ledger=[entry(1, "create"), entry(2, "delete")]))
    # Others may copy our cake without its marker, and delete it.
    copied = [entry(1, "create"), entry(2, "create", 8, marker=""), entry(3, "delete", 8, marker="")]
    assert [] == audit.violations(seen(ledger=copied))


def test_a_cake_created_twice_is_found():
    found = audit.violations(seen(ledger=[entry(1, "create"), entry(2, "create", 8)]))

    assert [(Kind.DOUBLED, str(ID), ["→ pending"])] == [(v.kind, v.subject, v.history) for v in found]


def test_a_cake_that_came_back_after_its_deletion_is_found():
    back = [entry(1, "create"), entry(2, "delete"), entry(3, "create", 8)]

    assert {Kind.RESURRECTED} == kinds(seen(ledger=back))


def test_a_cake_deleted_after_its_double_is_a_double_all_the_same():
    assert {Kind.DOUBLED} == kinds(seen(ledger=[entry(1, "create"), entry(2, "create", 8), entry(3, "delete")]))


def test_two_submissions_of_one_key_are_found():
    other = changed(id=uuid.uuid4(), marker="n" * 22, upstream_id="8")
    ledger = [entry(1, "create"), entry(2, "create", 8, marker="n" * 22)]
    found = seen(ledger=ledger)
    found.rows.append(other)

    assert {Kind.DOUBLED} == kinds(found)


@pytest.mark.parametrize("state", ["pending", "judging", "accepted", "creating", "uncertain"])
def test_a_submission_that_has_not_ended_is_lost(state):
    row = changed(state=state, reason="upstream-uncertain", upstream_id=None)
    accepted = records.Attempt(request_id="order-1/0", status=202, submission=ID)

    assert {Kind.LOST} == kinds(seen(row=row, attempts=[accepted], ledger=[], final=state))


def test_one_that_waits_for_a_person_is_not_lost():
    row = changed(state="uncertain", reason="upstream-uncertain", upstream_id=None, needs_person=True)
    accepted = records.Attempt(request_id="order-1/0", status=202, submission=ID)

    assert set() == kinds(seen(row=row, attempts=[accepted], ledger=[], final="uncertain"))


def test_a_promised_submission_that_is_not_there_is_lost():
    assert Kind.LOST in kinds(seen(row=None, ledger=[], final=None, quiet={}))


def test_a_created_one_that_the_upstream_never_created_is_lost():
    assert Kind.LOST in kinds(seen(ledger=[]))


def test_a_marker_of_no_submission_is_found():
    stray = [entry(1, "create"), entry(2, "create", 8, marker="s" * 22)]

    assert {Kind.LOST} == kinds(seen(ledger=stray))


@pytest.mark.parametrize(
    ("key", "status", "problem", "found"),
    [
        ("k", None, None, {Kind.LOST}),
        ("k", 503, "outcome-unknown", {Kind.LOST}),
        # Without a key it could not ask again.
        (None, None, None, set()),
        (None, 503, "outcome-unknown", set()),
        (None, 503, "overloaded", {Kind.LOST}),
    ],
)
def test_an_order_that_was_never_answered_although_it_asked_again_is_lost(key, status, problem, found):
    attempt = records.Attempt(request_id="order-1/9", status=status, problem=problem)
    evidence = seen(attempts=[attempt])
    evidence.told[0].order = msgspec.structs.replace(ORDER, key=key)

    assert found == kinds(evidence)


@pytest.mark.parametrize(
    "row",
    [
        changed(state="failed", reason="upstream-absent", upstream_id=None),
        changed(upstream_id="9"),
        changed(deleted=True),
        changed(comment="Of another"),
    ],
)
def test_a_row_that_is_not_true_is_found(row):
    accepted = records.Attempt(request_id="order-1/0", status=202, submission=ID)

    assert {Kind.UNTRUE} == kinds(seen(row=row, attempts=[accepted], final=row.state))


@pytest.mark.parametrize(
    "attempt",
    [
        records.Attempt(request_id="order-1/0", status=422, problem="not-a-cake", submission=ID),
        records.Attempt(request_id="order-1/0", status=502, problem="submission-failed", submission=ID),
        records.Attempt(request_id="order-1/0", status=201, submission=ID, cake={**CAKE, "id": 8}),
        records.Attempt(request_id="order-1/0", status=201, submission=ID, cake={**CAKE, "comment": "Another"}),
        records.Attempt(request_id="order-1/0", status=500, problem="internal-error"),
        records.Attempt(request_id="order-1/0", status=503, problem="database-unavailable"),
    ],
)
def test_a_client_that_was_told_what_is_not_is_found(attempt):
    assert {Kind.UNTRUE} == kinds(seen(attempts=[attempt, CREATED]))


def test_an_address_that_tells_another_state_is_found():
    assert {Kind.UNTRUE} == kinds(seen(final="accepted"))


def deletion(status, problem=None):
    return records.Change(method="DELETE", cake_id="7", status=status, problem=problem)


def replacement(status, problem=None):
    return records.Change(method="PUT", cake_id="7", status=status, problem=problem, comment="Changed")


@pytest.mark.parametrize(
    ("change", "ledger"),
    [
        (deletion(200), [entry(1, "create")]),
        (deletion(404), [entry(1, "create")]),
        (deletion(500), [entry(1, "create")]),
        (replacement(200), [entry(1, "create")]),
        (replacement(502, "upstream-broken"), [entry(1, "create"), entry(2, "replace", comment="Changed")]),
        (replacement(200), [entry(1, "create"), entry(2, "replace", comment="Changed", marker="x" * 22)]),
    ],
)
def test_a_change_that_was_told_and_not_done_or_done_and_denied_is_found(change, ledger):
    assert {Kind.UNTRUE} == kinds(seen(ledger=ledger, changes=[change]))


def test_true_changes_are_no_violations():
    ledger = [entry(1, "create"), entry(2, "replace", comment="Changed"), entry(3, "delete", comment="Changed")]
    changes = [replacement(502, "upstream-uncertain"), replacement(200), deletion(502, "upstream-uncertain")]

    found = seen(ledger=ledger, changes=[*changes, deletion(200), deletion(404)])

    assert [] == audit.violations(found)
    assert [ID] == audit.unnoted_deletions(found)


@pytest.mark.parametrize(
    "row",
    [
        changed(state="failed", reason="poison", upstream_id=None, marker=None),
        changed(state="rejected", reason="not-a-cake", upstream_id=None, marker=None),
        changed(state="failed", reason="image-unreachable", upstream_id=None, marker=None),
    ],
)
def test_an_end_that_its_picture_did_not_earn_is_found(row):
    accepted = records.Attempt(request_id="order-1/0", status=202, submission=ID)

    assert {Kind.UNEARNED} == kinds(seen(row=row, attempts=[accepted], ledger=[], final=row.state))


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (changed(), set()),
        (changed(state="rejected", reason="rejected-by-person", upstream_id=None), set()),
        (changed(state="failed", reason="upstream-absent", upstream_id=None), set()),
        (changed(state="rejected", reason="not-a-cake", upstream_id=None), {Kind.UNEARNED}),
    ],
)
def test_what_a_person_decided_is_as_they_decided(row, found):
    row = msgspec.structs.replace(row, history=["review → accepted by person:staff"])
    accepted = records.Attempt(request_id="order-1/0", status=202, submission=ID)
    ledger = LEDGER if row.state == "created" else []
    quiet = {"cake-1.jpg": ("review", "doubtful")}

    assert found == kinds(seen(row=row, attempts=[accepted], ledger=ledger, final=row.state, quiet=quiet))


def test_what_nobody_decided_stays_in_review():
    quiet = {"cake-1.jpg": ("review", "doubtful")}

    assert {Kind.UNEARNED} == kinds(seen(quiet=quiet))


def test_leases_processes_markers_that_got_out_and_what_never_came_back_are_found():
    assert {Kind.LEFT_OVER} == kinds(seen(row=changed(leased=True)))
    assert {Kind.LEFT_OVER} == kinds(seen(left_over=["17 cakegate"]))
    assert {Kind.STUCK} == kinds(seen(stuck=["writer did not get ready within 60 s"]))
    assert {Kind.UNFORESEEN} == kinds(seen(unforeseen=["writer: flow.failed"]))
    assert {Kind.LEAKED} == kinds(seen(leaks=["GET /api/cakes: #cakegate="]))
