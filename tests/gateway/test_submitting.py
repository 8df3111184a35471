"""What a POST gets, and that nothing it was promised is lost."""

import asyncio
import contextlib
import json
import re
from time import perf_counter
from uuid import UUID, uuid4

import msgspec
import pytest
import redis

from cakegate import contract, settings
from cakegate.adapters.store import reviewing, submissions
from cakegate.domain import cakes
from cakegate.domain.submissions import Reason, State
from cakegate.domain.verdicts import Flaw

PROBLEMS = "https://cakegate.dev/problems/"


def slug(answer) -> str:
    assert "application/problem+json" == answer.headers["content-type"]
    assert answer.status_code == answer.json()["status"]
    return answer.json()["type"].removeprefix(PROBLEMS)


async def test_respond_async_is_answered_at_once_with_where_to_ask(gateway):
    answer = await gateway.submit()

    submission_id = answer.json()["id"]
    assert (202, "pending") == (answer.status_code, answer.json()["state"])
    assert f"/api/submissions/{submission_id}" == answer.headers["location"]
    assert "respond-async" == answer.headers["preference-applied"]
    assert 0 < int(answer.headers["retry-after"])
    assert 1 == (await gateway.gate.work.depths())[contract.QUEUE_JUDGE].waiting


async def test_a_submission_keeps_the_ids_of_its_request(gateway):
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    answer = await gateway.http.post(
        "/api/cakes",
        json={"name": "Lemon tart", "comment": "Of lemon", "imageUrl": "http://p.example/l", "yumFactor": 3},
        headers={"Prefer": "wait=0", "X-Request-Id": "r-1", "traceparent": trace},
    )

    found = await submissions.get(gateway.db, answer.json()["id"])
    assert ("r-1", trace) == (found.request_id, found.traceparent)


async def test_a_cake_created_inside_the_wait_is_201_with_the_cake_and_its_address(gateway, sample_api):
    waiting = asyncio.create_task(gateway.submit(prefer="wait=5"))
    row = await gateway.create(await gateway.newest())
    await gateway.postman.post(gateway.gate.room.address, row.id)
    answer = await waiting

    assert 201 == answer.status_code
    assert f"/api/cakes/{row.upstream_id}" == answer.headers["location"]
    assert f'</api/submissions/{row.id}>; rel="via"' == answer.headers["link"]
    assert "http://p.example/l.jpg" == answer.json()["imageUrl"]
    assert "#cakegate=" in sample_api.cakes.page(skip=0, limit=1)[0]["imageUrl"]


async def test_news_end_a_wait_at_once(gateway):
    waiting = asyncio.create_task(gateway.submit(prefer="wait=5"))
    row = await gateway.judge(await gateway.newest(), 0.1)
    started = perf_counter()
    await gateway.postman.post(gateway.gate.room.address, row.id)
    await waiting

    assert 0.5 > perf_counter() - started


async def test_a_wait_ends_without_news_too(gateway):
    waiting = asyncio.create_task(gateway.submit(prefer="wait=5"))
    await gateway.judge(await gateway.newest(), 0.1)
    started = perf_counter()

    assert "not-a-cake" == slug(await waiting)
    assert 2 > perf_counter() - started


async def test_a_wait_that_runs_out_is_202(gateway):
    answer = await gateway.submit(prefer="wait=1")

    assert (202, "wait=1") == (answer.status_code, answer.headers["preference-applied"])


async def ended(gateway, how) -> tuple:
    """What a POST that waits, and one that asks later, get of a submission that ends like this."""
    waiting = asyncio.create_task(gateway.submit(prefer="wait=5"))
    row = await how(await gateway.newest())
    await gateway.postman.post(gateway.gate.room.address, row.id)
    return await waiting, (await gateway.http.get(f"/api/submissions/{row.id}")).json()


async def test_what_is_no_cake_is_told_with_the_verdict(gateway):
    answer, document = await ended(gateway, lambda found: gateway.judge(found, 0.1234567))

    verdict = {
        "score": 0.1235,
        "decision": "reject",
        "acceptThreshold": 0.7,
        "reviewThreshold": 0.3,
        "labels": [{"name": "cake", "score": 0.1235}, {"name": "cheesecake", "score": 0.25}],
        "model": {"name": "test", "version": "1", "sha256": "0" * 64},
    }
    assert (422, "not-a-cake") == (answer.status_code, slug(answer))
    assert (verdict, "not-a-cake") == (answer.json()["verdict"], answer.json()["reason"])
    assert ("rejected", "not-a-cake", verdict) == (document["state"], document["reason"], document["verdict"])
    assert document["links"]["self"] == answer.json()["submission"]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (Reason.IMAGE_NOT_ALLOWED, "not-allowed"),
        (Reason.IMAGE_GONE, "unreachable"),
        (Reason.IMAGE_TOO_LARGE, "too-large"),
        (Reason.IMAGE_NOT_AN_IMAGE, "not-an-image"),
    ],
)
async def test_of_an_unusable_picture_only_the_kind_of_trouble_is_told(gateway, reason, told):
    answer, document = await ended(gateway, lambda found: gateway.unusable(found, reason))

    assert (422, "image-unusable") == (answer.status_code, slug(answer))
    assert ("image-unusable", told) == (answer.json()["reason"], answer.json()["imageProblem"])
    assert ("image-unusable", told) == (document["reason"], document["imageProblem"])
    assert "10.0.0.1" not in answer.text + str(document)
    assert "detail" not in document


async def test_trouble_that_outlasted_its_attempts_is_a_502(gateway):
    answer, document = await ended(
        gateway, lambda found: gateway.unusable(found, Reason.IMAGE_UNREACHABLE, state=State.FAILED)
    )

    assert (502, "submission-failed") == (answer.status_code, slug(answer))
    assert ("failed", "unreachable") == (document["state"], document["imageProblem"])


async def test_what_waits_for_a_person_is_202_at_once(gateway):
    answer, document = await ended(gateway, lambda found: gateway.judge(found, 0.5))

    assert (202, "review", "doubtful") == (answer.status_code, document["state"], document["reason"])
    assert 60 == int(answer.headers["retry-after"])


@pytest.mark.parametrize("flaw", list(Flaw))
async def test_a_picture_that_cannot_be_judged_waits_for_a_person_and_says_why(gateway, flaw):
    answer, document = await ended(gateway, lambda found: gateway.judge(found, 0.9, flaw=flaw))

    assert (202, "review", flaw.value) == (answer.status_code, document["state"], document["reason"])
    assert "a person decides" in document["detail"]
    assert "10.0.0.1" not in answer.text + str(document)
    assert ("accept", 0.9) == (document["verdict"]["decision"], document["verdict"]["score"])


async def test_a_verdict_from_before_labels_has_none(gateway):
    submission_id = await gateway.pending()
    await gateway.judge(submission_id, 0.5)
    await gateway.db.execute("UPDATE verdicts SET labels = DEFAULT")

    document = (await gateway.http.get(f"/api/submissions/{submission_id}")).json()

    assert [] == document["verdict"]["labels"]


async def test_a_score_that_is_not_a_number_is_no_verdict_to_a_client(gateway):
    submission_id = await gateway.pending()
    await gateway.judge(submission_id, float("nan"))

    document = (await gateway.http.get(f"/api/submissions/{submission_id}")).json()

    assert ("review", "doubtful") == (document["state"], document["reason"])
    assert "verdict" not in document


async def test_a_submission_tells_its_cake_and_its_end(gateway):
    row = await gateway.create(await gateway.pending())

    answer = await gateway.http.get(f"/api/submissions/{row.id}/")

    assert (200, "created", row.cake) == (answer.status_code, answer.json()["state"], answer.json()["cake"])
    assert f"/api/cakes/{row.upstream_id}" == answer.json()["links"]["cake"]
    assert "retry-after" not in answer.headers


async def test_an_unknown_submission_is_not_found(gateway):
    for name in (str(uuid4()), "1", "not-a-uuid", "%00", "x" * 300):
        answer = await gateway.http.get(f"/api/submissions/{name}")

        assert (404, "submission-not-found") == (answer.status_code, slug(answer))


async def test_the_same_key_and_body_name_the_same_submission(gateway):
    first, second = await gateway.submit(key="k-1"), await gateway.submit(key='"k-1"')

    assert first.json()["id"] == second.json()["id"]
    assert 1 == (await gateway.gate.work.depths())[contract.QUEUE_JUDGE].waiting


async def test_a_repeated_request_is_answered_as_the_first_ended(gateway):
    first = await gateway.submit(key="k-1")
    row = await gateway.create(first.json()["id"])

    answers = [await gateway.submit(key="k-1", prefer=prefer) for prefer in ("respond-async", "wait=5")]

    assert [(201, row.cake)] * 2 == [(answer.status_code, answer.json()) for answer in answers]


async def test_a_repeated_request_waits_for_the_end_too(gateway):
    submission_id = (await gateway.submit(key="k-1")).json()["id"]
    waiting = asyncio.create_task(gateway.submit(key="k-1", prefer="wait=5"))
    await gateway.judge(submission_id, 0.1)

    assert "not-a-cake" == slug(await waiting)


async def test_the_same_key_with_another_body_is_refused(gateway):
    await gateway.submit(key="k-1")
    answer = await gateway.submit(key="k-1", yumFactor=4)

    assert (422, "idempotency-mismatch") == (answer.status_code, slug(answer))


async def test_more_waiters_than_places_are_answered_at_once(start):
    gateway = await start(gateway={"max_waiters": 1})
    waiting = asyncio.create_task(gateway.submit(prefer="wait=5"))
    await gateway.newest()
    started = perf_counter()
    answer = await gateway.submit(prefer="wait=5")

    assert (202, True) == (answer.status_code, perf_counter() - started < 2)
    gateway.gate.room.close()
    assert 202 == (await waiting).status_code


async def test_a_full_house_takes_nothing_more_in(start):
    gateway = await start(gateway={"max_pending": 2})
    for _ in range(2):
        await submissions.insert(gateway.db, new_submission())
    answer = await gateway.submit()

    assert (503, "overloaded") == (answer.status_code, slug(answer))
    assert 0 < int(answer.headers["retry-after"])
    assert 2 == await submissions.count_waiting(gateway.db, cap=10)


async def test_a_full_house_still_tells_what_it_took_in_before(start):
    gateway = await start(gateway={"max_pending": 1})
    known = msgspec.structs.replace(new_submission(), idempotency_key="k")
    await submissions.insert(gateway.db, known)
    words = {"name": known.draft.name, "comment": known.draft.comment, "imageUrl": known.draft.image_url}

    repeated = await gateway.submit(key="k", **words, yumFactor=known.draft.yum_factor)
    other = await gateway.submit(key="k", **words, yumFactor=5)

    assert (202, str(known.id)) == (repeated.status_code, repeated.json()["id"])
    assert (422, "idempotency-mismatch") == (other.status_code, slug(other))
    assert (503, "overloaded") == ((fresh := await gateway.submit(key="l")).status_code, slug(fresh))


def new_submission():
    draft = cakes.CakeDraft(name="Lemon tart", comment="Of lemon", image_url="http://p.example/l", yum_factor=3)
    return submissions.NewSubmission(id=uuid4(), draft=draft)


async def test_without_redis_a_submission_is_taken_in_all_the_same(start, nobody):
    gateway = await start(
        redis={"url": settings.SecretUrl(f"redis://:s3cret@{nobody}"), "enqueue_timeout_seconds": 0.2}
    )
    answer = await gateway.submit(prefer="wait=1")

    row = await gateway.db.fetch_one("SELECT enqueued_at FROM submissions WHERE id = %(id)s", answer.json())
    assert (202, None) == (answer.status_code, row["enqueued_at"])


async def test_without_postgres_nothing_is_taken_in(start, nobody):
    url = settings.SecretUrl(f"postgresql://cakegate:s3cret@{nobody}/cakegate")
    gateway = await start(database={"url": url, "pool_wait_seconds": 0.2, "connect_timeout_seconds": 1})
    answers = [await gateway.submit(), await gateway.http.get(f"/api/submissions/{uuid4()}")]

    assert [(503, "database-unavailable")] * 2 == [(answer.status_code, slug(answer)) for answer in answers]
    assert all(0 < int(answer.headers["retry-after"]) for answer in answers)
    assert 0 == (await gateway.gate.work.depths())[contract.QUEUE_JUDGE].waiting


def through(wire, url: str) -> settings.SecretUrl:
    return settings.SecretUrl(re.sub(r"@[^/]+/", f"@127.0.0.1:{wire.url_port}/", url))


async def test_an_insert_whose_answer_is_lost_is_repeated_and_is_one_submission(start, wire, database_url):
    gateway = await start(database={"url": through(wire, database_url)})
    wire.cuts = 2
    answer = await gateway.submit()

    assert (202, 0) == (answer.status_code, wire.cuts)
    rows = await gateway.db.fetch("SELECT id FROM submissions")
    assert [UUID(answer.json()["id"])] == [row["id"] for row in rows]


async def test_an_insert_whose_outcome_stays_unknown_says_so_and_where_to_ask(start, wire, database_url):
    gateway = await start(database={"url": through(wire, database_url)}, gateway={"accept_seconds": 0.6})
    wire.cuts = 1000
    answer = await gateway.submit()
    wire.cuts = 0

    assert (503, "outcome-unknown") == (answer.status_code, slug(answer))
    assert 200 == (await gateway.http.get(answer.headers["location"])).status_code


async def test_a_person_s_no_is_no_cake(gateway):
    row = await gateway.judge(await gateway.pending(), 0.5)
    await reviewing.decide(gateway.db, row.id, target=State.REJECTED, actor="baker")

    document = (await gateway.http.get(f"/api/submissions/{row.id}")).json()
    assert ("rejected", "rejected-by-person") == (document["state"], document["reason"])


async def test_a_message_names_the_mailbox_only_where_somebody_waits(gateway, redis_url):
    await gateway.submit()
    waiting = asyncio.create_task(gateway.submit(prefer="wait=1"))
    await waiting

    with contextlib.closing(redis.Redis.from_url(redis_url)) as client:
        messages = [
            json.loads(each) for each in client.hvals(f"{contract.QUEUE_NAMESPACE}:{contract.QUEUE_JUDGE}.msgs")
        ]
    assert {None, gateway.gate.room.address} == {message["kwargs"]["reply_to"] for message in messages}
