"""What is ambiguous is refused, and said so in our own words."""

import itertools
import json

import pytest

CAKE = {"name": "Lemon tart", "comment": "Of lemon", "imageUrl": "http://p.example/l", "yumFactor": 3}
JSON = ("Content-Type", "application/json")
NOW = ("Prefer", "wait=0")


def complaints(answer) -> dict[str, str]:
    assert (400, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert "https://cakegate.dev/problems/bad-request" == answer.json()["type"]
    return {each["field"]: each["message"] for each in answer.json()["errors"]}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Idempotency-Key", ("a", "b")),
        ("Idempotency-Key", ("a", "a")),
        ("Content-Type", ("application/json", "text/plain")),
        ("Host", ("gateway", "elsewhere")),
    ],
)
async def test_a_header_that_means_one_thing_comes_once(gateway, name, values):
    headers = [NOW, *((name, value) for value in values)]
    if name != "Content-Type":
        headers.append(JSON)
    answer = await gateway.http.post("/api/cakes", content=json.dumps(CAKE), headers=headers)

    assert {name: "is given more than once"} == complaints(answer)
    row = await gateway.db.fetch_one("SELECT count(*) AS taken FROM submissions")
    assert 0 == row["taken"]


async def test_headers_that_are_lists_may_come_twice(gateway):
    headers = [
        JSON,
        ("Prefer", "respond-async"),
        ("Prefer", "wait=0"),
        ("Accept", "application/json"),
        ("Accept", "*/*"),
    ]
    answer = await gateway.http.post("/api/cakes", content=json.dumps(CAKE), headers=headers)

    assert (202, "respond-async, wait=0") == (answer.status_code, answer.headers["preference-applied"])


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/cakes?skip=1&skip=2", "skip"),
        ("/api/cakes?limit=1&skip=0&limit=1", "limit"),
        ("/api/cakes/1/image?platform=web&platform=mobile", "platform"),
    ],
)
async def test_a_parameter_comes_once(gateway, path, name):
    assert {name: "is given more than once"} == complaints(await gateway.http.get(path))


NUMBERS = ["1e2", "1.0", "null", "-0", "+1", "0x1", " 1", "1_0", "true", "", "\uff11", "9" * 30]


async def test_a_number_is_written_in_decimal_digits(gateway):
    for name, number in itertools.product(["skip", "limit"], NUMBERS):
        told = complaints(await gateway.http.get("/api/cakes", params={name: number}))

        assert ([name], False) == ([*told], "int" in told[name])


async def test_what_is_wrong_with_a_parameter_is_said_in_our_words(gateway):
    skip = complaints(await gateway.http.get("/api/cakes?skip=x"))
    platform = complaints(await gateway.http.get("/api/cakes/1/image?platform=tv"))

    assert {"skip": "must be a whole number from 0 to 1000000000"} == skip
    assert {"platform": "must be `web` or `mobile`"} == platform


async def test_parameters_that_nobody_knows_are_ignored(gateway):
    assert 200 == (await gateway.http.get("/api/cakes?utm_source=x&skip=0&utm_source=y")).status_code


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{", "It cannot be read as JSON (RFC 8259)."),
        (b"", "It cannot be read as JSON (RFC 8259)."),
        (b'{"name": "\xff"}', "It is not UTF-8."),
        (b'{"name": "\\ud800"}', "It cannot be read as JSON (RFC 8259)."),
        (b"[" * 50_000, "It is nested too deeply."),
    ],
    ids=["cut off", "empty", "not utf-8", "half a character", "nested"],
)
async def test_what_is_wrong_with_json_is_said_in_our_words(gateway, body, detail):
    answer = await gateway.http.post("/api/cakes", content=body, headers=[JSON])

    assert (400, detail) == (answer.status_code, answer.json()["detail"])


@pytest.mark.parametrize("path", ["/api/cakes?x=" + "y" * 9000, "/" + "a" * 9000])
async def test_an_address_above_the_cap_is_414(gateway, path):
    answer = await gateway.http.get(path)

    assert (414, "https://cakegate.dev/problems/address-too-long") == (answer.status_code, answer.json()["type"])
