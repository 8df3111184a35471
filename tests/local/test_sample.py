"""The sample legacy API has the habits of the real one, and its troubles where they are asked for."""

import asyncio

import httpx
import pytest

from cakegate.local.sample import Faults

CAKE = {"name": "Lemon cheesecake", "comment": "Made of lemon", "imageUrl": "http://p.example/l.jpg", "yumFactor": 3}


@pytest.fixture
async def client(sample_api):
    async with httpx.AsyncClient(base_url=sample_api.url) as opened:
        yield opened


async def test_cakes_are_added_listed_changed_and_deleted(client):
    added = (await client.post("/api/cakes/", json=CAKE)).json()
    changed = (await client.put(f"/api/cakes/{added['id']}", json={**CAKE, "yumFactor": 5})).json()
    listed = (await client.get("/api/cakes/")).json()
    deleted = await client.delete(f"/api/cakes/{added['id']}")

    assert {"id": added["id"], **CAKE} == added
    assert [changed] == listed
    assert (200, changed) == (deleted.status_code, deleted.json())
    assert 404 == (await client.get(f"/api/cakes/{added['id']}")).status_code


async def test_the_same_body_twice_is_two_cakes(client):
    for _ in range(2):
        await client.post("/api/cakes/", json=CAKE)

    assert 2 == len((await client.get("/api/cakes/")).json())


async def test_ten_cakes_are_listed_unless_more_are_asked_for(client):
    for _ in range(12):
        await client.post("/api/cakes/", json=CAKE)

    assert 10 == len((await client.get("/api/cakes/")).json())
    assert 2 == len((await client.get("/api/cakes/", params={"skip": 10, "limit": 50})).json())


@pytest.mark.parametrize("field", ["name", "comment"])
async def test_short_texts_pass_the_schema_and_then_fail(client, field):
    answer = await client.post("/api/cakes/", json={**CAKE, field: "abcd"})

    assert (500, "Internal Server Error") == (answer.status_code, answer.text)


@pytest.mark.parametrize("change", [{"name": "x" * 31}, {"comment": "x" * 201}, {"yumFactor": 6}, {"imageUrl": None}])
async def test_what_breaks_its_schema_is_422(client, change):
    assert 422 == (await client.post("/api/cakes/", json={**CAKE, **change})).status_code


async def test_the_other_form_of_a_path_is_redirected(client):
    assert (307, "/api/cakes/") == ((answer := await client.get("/api/cakes")).status_code, answer.headers["location"])
    assert (307, "/api/cakes/1") == (
        (answer := await client.get("/api/cakes/1/")).status_code,
        answer.headers["location"],
    )


@pytest.mark.parametrize("name", ["../cakes.sqlite3", "..%2fcakes.sqlite3", "%2e%2e/cakes.sqlite3", "missing.jpg"])
async def test_pictures_come_from_their_folder_alone(client, name):
    assert 404 == (await client.get(f"/pictures/{name}")).status_code


@pytest.mark.parametrize(
    ("faults", "kept"),
    [(Faults(drop_answer_share=1), 1), (Faults(drop_request_share=1), 0), (Faults(down=True), 0)],
)
async def test_a_cut_connection_may_or_may_not_have_done_its_work(client, sample_api, faults, kept):
    sample_api.faults = faults

    with pytest.raises(httpx.RemoteProtocolError):
        await client.post("/api/cakes/", json=CAKE)

    assert kept == len(sample_api.cakes.page(skip=0, limit=10))


async def test_a_late_write_is_done_after_its_client_is_gone(client, sample_api):
    sample_api.faults = Faults(late_share=1, late_seconds=0.1)
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post("/api/cakes/", json=CAKE)
    assert [] == sample_api.cakes.page(skip=0, limit=10)

    await sample_api.settle()

    assert 1 == len(sample_api.cakes.page(skip=0, limit=10))


async def test_faults_can_be_set_over_http_and_unknown_ones_are_refused(client, sample_api):
    assert 200 == (await client.post("/faults", json={"down": True})).status_code
    assert sample_api.faults.down
    assert 422 == (await client.post("/faults", json={"dwon": True})).status_code


async def test_its_ledger_has_every_change_whatever_its_clients_were_told(client, sample_api):
    for faults in (Faults(error_after_share=1), Faults(redirect_after_share=1), Faults(garbage_share=1)):
        sample_api.faults = faults
        await client.post("/api/cakes/", json=CAKE)
    sample_api.faults = Faults()
    await client.put("/api/cakes/2", json={**CAKE, "yumFactor": 5})
    await client.delete("/api/cakes/1")

    written = [(entry.act, entry.cake_id, entry.yum_factor) for entry in sample_api.cakes.ledger()]

    assert [("create", 1, 3), ("create", 2, 3), ("create", 3, 3), ("replace", 2, 5), ("delete", 1, 3)] == written
    assert {"error_after": 1, "redirect_after": 1, "garbage": 1} == +sample_api.given


async def test_a_stalled_write_is_done_although_nobody_waits_for_it_any_more(client, sample_api):
    sample_api.faults = Faults(stall_share=1, late_seconds=0.1)
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/api/cakes/", json=CAKE, timeout=0.02)
    assert [] == sample_api.cakes.page(skip=0, limit=10)

    async with asyncio.timeout(5):
        while True:
            if sample_api.cakes.page(skip=0, limit=10):
                break
            await asyncio.sleep(0.01)


async def test_it_can_refuse_connections_for_a_while(client, sample_api):
    async with sample_api.refusing():
        with pytest.raises(httpx.ConnectError):
            await client.get("/api/cakes/")

    assert 200 == (await client.get("/api/cakes/")).status_code
