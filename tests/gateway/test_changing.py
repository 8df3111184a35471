"""PUT keeps the picture, DELETE keeps a record: whatever the legacy API does."""

import pytest

from cakegate import settings
from cakegate.adapters.store import deletions, submissions
from cakegate.adapters.store.deletions import Outcome
from cakegate.local.sample import Faults, NewCake

CHANGE = {"name": "Lime cheesecake", "comment": "Made of limes", "yumFactor": 5}


def slug(answer) -> str:
    assert "application/problem+json" == answer.headers["content-type"]
    return answer.json()["type"].removeprefix("https://cakegate.dev/problems/")


@pytest.fixture
async def created(gateway):
    """A cake that came through us."""
    return await gateway.create(await gateway.pending())


@pytest.mark.parametrize("address", [None, "http://p.example/l.jpg", "http://p.example/l.jpg#elsewhere"])
async def test_a_put_changes_all_but_the_picture_and_its_marker(gateway, sample_api, created, address):
    body = CHANGE if address is None else {**CHANGE, "imageUrl": address}
    answer = await gateway.http.put(f"/api/cakes/{created.upstream_id}/", json=body)

    expected = {"id": int(created.upstream_id), **CHANGE, "imageUrl": "http://p.example/l.jpg"}
    assert (200, expected) == (answer.status_code, answer.json())
    stored = sample_api.cakes.get(int(created.upstream_id))
    assert {**expected, "imageUrl": f"http://p.example/l.jpg#cakegate={created.marker}"} == stored


async def test_a_put_with_another_picture_is_refused(gateway, sample_api, created):
    before = sample_api.cakes.get(int(created.upstream_id))
    answer = await gateway.http.put(
        f"/api/cakes/{created.upstream_id}", json={**CHANGE, "imageUrl": "http://p.example/other.jpg"}
    )

    assert (422, "picture-changed") == (answer.status_code, slug(answer))
    assert before == sample_api.cakes.get(int(created.upstream_id))


async def test_a_put_is_held_to_the_limits_of_a_cake(gateway, created):
    answer = await gateway.http.put(f"/api/cakes/{created.upstream_id}", json={**CHANGE, "name": "Lime", "x": 1})

    assert (422, "invalid-cake") == (answer.status_code, slug(answer))
    assert {"name", "x"} == {each["field"] for each in answer.json()["errors"]}


async def test_a_put_to_no_cake_is_404(gateway):
    answer = await gateway.http.put("/api/cakes/77", json=CHANGE)

    assert (404, "cake-not-found") == (answer.status_code, slug(answer))


async def test_a_put_whose_answer_is_lost_says_that_nobody_knows(gateway, sample_api, created):
    sample_api.faults = Faults(error_after_share=1)
    answer = await gateway.http.put(f"/api/cakes/{created.upstream_id}", json=CHANGE)

    assert (502, "upstream-uncertain") == (answer.status_code, slug(answer))


async def recorded(gateway) -> list[tuple]:
    return [(each.cake_id, each.outcome, each.marker) for each in await deletions.newest(gateway.db)]


async def test_a_delete_answers_with_the_cake_and_leaves_a_record(gateway, sample_api, created):
    answer = await gateway.http.delete(f"/api/cakes/{created.upstream_id}/")

    assert (200, created.cake) == (answer.status_code, answer.json())
    assert [] == sample_api.cakes.page(skip=0, limit=10)
    assert [(created.upstream_id, Outcome.DELETED, created.marker)] == await recorded(gateway)
    assert None is not (await submissions.get(gateway.db, created.id)).deleted_at
    document = (await gateway.http.get(f"/api/submissions/{created.id}")).json()
    assert ("created", False, True) == (document["state"], "cake" in document["links"], "deletedAt" in document)


async def test_a_delete_of_no_cake_is_404_and_leaves_a_record(gateway):
    answer = await gateway.http.delete("/api/cakes/77")

    assert (404, "cake-not-found") == (answer.status_code, slug(answer))
    assert [("77", Outcome.ABSENT, None)] == await recorded(gateway)


async def test_what_can_be_nobody_s_id_leaves_none(gateway):
    answer = await gateway.http.delete("/api/cakes/%00")

    assert (404, []) == (answer.status_code, await recorded(gateway))


async def test_a_delete_while_the_upstream_is_down_leaves_a_record_with_the_marker(gateway, sample_api, created):
    sample_api.faults = Faults(down=True)
    answer = await gateway.http.delete(f"/api/cakes/{created.upstream_id}")

    assert (502, "upstream-broken") == (answer.status_code, slug(answer))
    assert [(created.upstream_id, Outcome.UNREACHABLE, created.marker)] == await recorded(gateway)
    assert None is (await submissions.get(gateway.db, created.id)).deleted_at


async def test_a_delete_whose_answer_is_lost_is_on_record_as_uncertain(gateway, sample_api, created):
    sample_api.faults = Faults(drop_answer_share=1)
    answer = await gateway.http.delete(f"/api/cakes/{created.upstream_id}")

    assert (502, "upstream-uncertain") == (answer.status_code, slug(answer))
    assert [(created.upstream_id, Outcome.UNCERTAIN, created.marker)] == await recorded(gateway)


async def test_what_cannot_be_recorded_is_not_deleted(start, gateway, sample_api, created, nobody):
    url = settings.SecretUrl(f"postgresql://cakegate@{nobody}/cakegate")
    without = await start(database={"url": url, "pool_wait_seconds": 0.2, "connect_timeout_seconds": 1})
    answer = await without.http.delete(f"/api/cakes/{created.upstream_id}")

    assert (503, "database-unavailable") == (answer.status_code, slug(answer))
    assert None is not sample_api.cakes.get(int(created.upstream_id))


async def test_a_cake_whose_text_postgres_does_not_take_can_be_deleted(gateway, sample_api, created):
    sample_api.cakes.replace(
        int(created.upstream_id),
        NewCake(
            name="Lem\0n", comment="Lemon", image_url=f"http://p.example/l.jpg#cakegate={created.marker}", yum_factor=3
        ),
    )

    answer = await gateway.http.delete(f"/api/cakes/{created.upstream_id}")

    assert (200, "Lem\0n") == (answer.status_code, answer.json()["name"])
    assert Outcome.DELETED == (await deletions.newest(gateway.db))[0].outcome
