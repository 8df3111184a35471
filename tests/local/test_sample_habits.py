"""Habits of the sample legacy API that a client stumbles over, and what its pictures come as."""

import asyncio
import http.client
import sqlite3
import subprocess
import sys

import httpx
import pytest

from cakegate.local import sample, servers
from cakegate.local.sample import Faults

CAKE = {"name": "Lemon cheesecake", "comment": "Made of lemon", "imageUrl": "http://p.example/l.jpg", "yumFactor": 3}


@pytest.fixture
async def client(sample_api):
    async with httpx.AsyncClient(base_url=sample_api.url) as opened:
        yield opened


async def test_the_id_of_a_deleted_cake_is_never_given_again(client):
    first, last = [(await client.post("/api/cakes/", json=CAKE)).json()["id"] for _ in range(2)]
    await client.delete(f"/api/cakes/{last}")

    assert [first + 1, first + 2] == [last, (await client.post("/api/cakes/", json=CAKE)).json()["id"]]


@pytest.mark.parametrize(
    ("asked", "sent_to"),
    [
        ("/api/cakes?skip=10&limit=5", "/api/cakes/?skip=10&limit=5"),
        ("/api/cakes/7/?a=b", "/api/cakes/7?a=b"),
        ("/api/cakes/%0d%0aX-Evil:%201/", "/api/cakes/%0d%0aX-Evil:%201"),
    ],
)
async def test_a_redirect_keeps_the_query_and_the_encoding(sample_api, client, asked, sent_to):
    answer = await client.get(httpx.URL(sample_api.url).copy_with(raw_path=asked.encode()))

    assert (307, sent_to) == (answer.status_code, answer.headers["location"])


@pytest.mark.parametrize("cake_id", ["x", "-1", "9" * 30, "%00"])
async def test_what_is_no_id_of_its_is_not_found(client, cake_id):
    answer = await client.get(f"/api/cakes/{cake_id}")

    assert (404, {"detail": "Cake not found"}) == (answer.status_code, answer.json())


async def test_cakes_outlive_a_restart(tmp_path):
    for number in (1, 2):
        async with sample.serve(tmp_path) as running, httpx.AsyncClient(base_url=running.url) as client:
            await client.post("/api/cakes/", json=CAKE)
            assert number == len((await client.get("/api/cakes/")).json())


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.jpg", "image/jpeg"),
        ("a.png", "image/png"),
        ("a.webp", "image/webp"),
        ("a.html", "text/html; charset=utf-8"),
        ("a", "application/octet-stream"),
    ],
)
async def test_a_picture_comes_with_the_type_of_its_name(sample_api, client, name, content_type):
    (sample_api.pictures / name).write_bytes(b"content")

    got, head = await client.get(f"/pictures/{name}"), await client.head(f"/pictures/{name}")

    assert (200, b"content") == (got.status_code, got.content)
    assert content_type.partition(";")[0] == got.headers["content-type"].partition(";")[0]
    assert (200, "7", b"") == (head.status_code, head.headers["content-length"], head.content)
    assert 405 == (await client.post(f"/pictures/{name}")).status_code


@pytest.mark.parametrize("name", ["..", "%00", "..%5ccakes.sqlite3", "...", "%2fetc%2fpasswd"])
async def test_no_name_leads_out_of_the_folder_of_pictures(sample_api, name):
    # As it stands: a client of manners would resolve the dots.
    host = sample_api.url.removeprefix("http://")
    status = await _raw_status(host, f"/pictures/{name}")

    assert 404 == status


async def _raw_status(host, path):
    def ask():
        connection = http.client.HTTPConnection(host, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    return await asyncio.to_thread(ask)


@pytest.mark.parametrize(
    ("faults", "status", "kept"),
    [
        (Faults(error_share=1), 500, 0),
        (Faults(error_after_share=1), 500, 1),
        (Faults(garbage_share=1), 200, 1),
        (Faults(redirect_share=1), 307, 0),
        (Faults(busy_share=1), 429, 0),
    ],
)
async def test_an_answer_may_lie_about_what_was_done(client, sample_api, faults, status, kept):
    sample_api.faults = faults

    answer = await client.post("/api/cakes/", json=CAKE)

    assert (status, kept) == (answer.status_code, len(sample_api.cakes.page(skip=0, limit=10)))


async def test_a_share_of_requests_is_troubled_as_the_dice_fall(tmp_path):
    falls = iter([0.1, 0.9, 0.2])
    async with (
        sample.serve(tmp_path, dice=lambda: next(falls)) as running,
        httpx.AsyncClient(base_url=running.url) as client,
    ):
        running.faults = Faults(error_share=0.5)

        assert [500, 200, 500] == [(await client.get("/api/cakes/")).status_code for _ in range(3)]


async def test_trouble_of_the_api_is_none_of_its_pictures_and_switches(client, sample_api):
    (sample_api.pictures / "a.jpg").write_bytes(b"content")
    sample_api.faults = Faults(down=True)

    assert [200, 200, 200] == [
        (await client.get(path)).status_code for path in ("/pictures/a.jpg", "/faults", "/healthz")
    ]


def test_as_a_process_it_starts_with_the_faults_it_is_given_and_ends_when_asked(tmp_path):
    port = servers.free_port()
    command = [sys.executable, "-m", "cakegate", "sample", "--folder", tmp_path, "--port", str(port)]
    with subprocess.Popen([*command, "--faults", '{"error_share": 1}']) as process:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=httpx.HTTPTransport(retries=5)) as client:
            assert 200 == client.get("/healthz").status_code
            assert 500 == client.get("/api/cakes/").status_code
        process.terminate()

    assert 0 == process.returncode
    with sqlite3.connect(tmp_path / "cakes.sqlite3") as kept:
        assert (0,) == kept.execute("SELECT count(*) FROM cakes").fetchone()
    kept.close()
