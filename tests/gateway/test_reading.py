"""Reads that pass through, and what a client gets when the legacy API is in trouble."""

import asyncio
import re

import pytest

from cakegate.local.sample import Faults, NewCake


def slug(answer) -> str:
    assert "application/problem+json" == answer.headers["content-type"]
    return answer.json()["type"].removeprefix("https://cakegate.dev/problems/")


def bake(sample_api, count: int) -> None:
    for number in range(count):
        cake = NewCake(name=f"Cake {number}", comment="Of lemon", image_url="http://p.example/l#x", yum_factor=3)
        sample_api.cakes.add(cake)


async def test_every_page_is_reached_by_its_links_forth_and_back(gateway, sample_api):
    bake(sample_api, 25)
    forth, back, path = [], [], "/api/cakes"
    while path:
        answer = await gateway.http.get(path)
        forth += [cake["id"] for cake in answer.json()]
        last, path = path, link(answer, "next")
    path = last
    while path:
        answer = await gateway.http.get(path)
        back = [cake["id"] for cake in answer.json()] + back
        path = link(answer, "prev")

    assert (list(range(1, 26)), list(range(1, 26))) == (forth, back)


def link(answer, relation: str) -> str | None:
    match = re.search(rf'<([^>]+)>; rel="{relation}"', answer.headers.get("link", ""))
    return match[1] if match else None


async def test_a_bare_list_is_the_first_page(gateway, sample_api):
    bake(sample_api, 12)

    for path in ("/api/cakes", "/api/cakes/"):
        assert list(range(1, 11)) == [cake["id"] for cake in (await gateway.http.get(path)).json()]


async def test_skip_and_limit_pass_through(gateway, sample_api):
    bake(sample_api, 12)
    answer = await gateway.http.get("/api/cakes/?skip=3&limit=2")

    assert [4, 5] == [cake["id"] for cake in answer.json()]
    assert ("/api/cakes?skip=5&limit=2", "/api/cakes?skip=1&limit=2") == (link(answer, "next"), link(answer, "prev"))


@pytest.mark.parametrize(
    ("query", "field"),
    [("skip=-1", "skip"), ("limit=0", "limit"), ("limit=101", "limit"), ("skip=x", "skip"), ("skip=1e99", "skip")],
)
async def test_pages_that_there_are_not_are_400(gateway, query, field):
    answer = await gateway.http.get(f"/api/cakes?{query}")

    assert (400, "bad-request") == (answer.status_code, slug(answer))
    assert [field] == [each["field"] for each in answer.json()["errors"]]


async def test_our_marker_never_leaves_the_house(gateway, sample_api):
    row = await gateway.create(await gateway.pending())

    answers = [await gateway.http.get(path) for path in ("/api/cakes", f"/api/cakes/{row.upstream_id}/")]

    assert "#cakegate=" in str(sample_api.cakes.page(skip=0, limit=10))
    assert [200, 200] == [answer.status_code for answer in answers]
    assert "cakegate=" not in "".join(answer.text for answer in answers)


async def test_another_fragment_stays(gateway, sample_api):
    bake(sample_api, 1)

    assert "http://p.example/l#x" == (await gateway.http.get("/api/cakes/1")).json()["imageUrl"]


async def test_an_unknown_cake_is_404(gateway):
    for cake_id in ("77", "lemon", "a%20b", "%2e%2e", "x" * 300, "%00", "\u00e9"):
        answer = await gateway.http.get(f"/api/cakes/{cake_id}")

        assert (404, "cake-not-found") == (answer.status_code, slug(answer))


TROUBLES = {
    "500": (Faults(error_share=1), 502, "upstream-broken"),
    "html": (Faults(garbage_share=1), 502, "upstream-broken"),
    "hang-ups": (Faults(down=True), 502, "upstream-broken"),
    "endless redirects": (Faults(redirect_share=1), 502, "upstream-broken"),
    "busy": (Faults(busy_share=1), 503, "upstream-busy"),
    "slow": (Faults(latency_seconds=1), 504, "upstream-slow"),
}


@pytest.mark.parametrize(("faults", "status", "expected"), TROUBLES.values(), ids=TROUBLES)
async def test_the_upstream_s_trouble_is_a_problem_that_names_no_address(start, sample_api, faults, status, expected):
    gateway = await start(upstream={"timeout_seconds": 0.3})
    sample_api.faults = faults
    answers = await asyncio.gather(gateway.http.get("/api/cakes"), gateway.http.get("/api/cakes/1"))

    assert [(status, expected)] * 2 == [(answer.status_code, slug(answer)) for answer in answers]
    assert "127.0.0.1" not in "".join(answer.text for answer in answers)
    assert (expected == "upstream-busy") == ("retry-after" in answers[0].headers)


async def test_an_upstream_that_is_not_there_is_a_problem(start, nobody):
    gateway = await start(upstream={"url": f"http://{nobody}"})
    answer = await gateway.http.get("/api/cakes")

    assert (502, "upstream-unreachable") == (answer.status_code, slug(answer))
    assert nobody not in answer.text
