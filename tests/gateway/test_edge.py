"""What holds for every answer, also those that the web framework makes alone."""

import asyncio
import re

import httpx
import pytest
import structlog
from prometheus_client import REGISTRY

from cakegate import contract, settings
from cakegate.adapters import allowances
from cakegate.gateway import clients, edge, limiting
from cakegate.gateway.edge import MAX_HEADER_BYTES

CAKE = b'{"name": "Lemon tart", "comment": "Of lemon", "imageUrl": "http://p.example/l", "yumFactor": 3}'
JSON = {"Content-Type": "application/json"}


def slug(answer) -> str:
    assert "application/problem+json" == answer.headers["content-type"]
    assert (answer.status_code, answer.headers["x-request-id"]) == (
        answer.json()["status"],
        answer.json()["request_id"],
    )
    return answer.json()["type"].removeprefix("https://cakegate.dev/problems/")


async def test_every_answer_carries_the_request_s_id(gateway):
    for path in ("/healthz", "/nowhere", "/api/cakes"):
        own = (await gateway.http.get(path, headers={"X-Request-Id": "mine-1"})).headers["x-request-id"]
        given = (await gateway.http.get(path)).headers["x-request-id"]

        assert "mine-1" == own
        assert re.fullmatch(r"[0-9a-f-]{36}", given)


@pytest.mark.parametrize("unsound", ["a b", "x" * 129, "<script>", "a\tb", "caf\u00e9"])
async def test_an_unsound_id_is_replaced(gateway, unsound):
    answer = await gateway.http.get("/healthz", headers={"X-Request-Id": unsound.encode()})

    assert unsound != answer.headers["x-request-id"]


async def test_addresses_that_are_none_are_404_problems(gateway):
    for path in ("/nope", "/api", "/api/cakes/1/2/3", "/schema/elements", "/docs-assets/x/../../settings.py", "/%ff"):
        answer = await gateway.http.get(path)

        assert (404, "not-found") == (answer.status_code, slug(answer))


async def test_methods_that_an_address_does_not_have_are_405_with_those_that_it_has(gateway):
    answers = [
        await gateway.http.patch("/api/cakes"),
        await gateway.http.post("/api/cakes/1"),
        await gateway.http.request("BREW", "/api/cakes/1/image"),
    ]

    assert [(405, "method-not-allowed")] * 3 == [(answer.status_code, slug(answer)) for answer in answers]
    assert ["GET, HEAD, OPTIONS, POST", "DELETE, GET, HEAD, OPTIONS, PUT", "GET, HEAD, OPTIONS"] == [
        ", ".join(sorted(answer.headers["allow"].split(", "))) for answer in answers
    ]


async def test_options_names_the_methods(gateway):
    answer = await gateway.http.options("/api/cakes/1/")

    assert (204, "DELETE, GET, HEAD, OPTIONS, PUT") == (answer.status_code, answer.headers["allow"])


async def test_head_is_get_without_the_body(gateway):
    for path in ("/healthz", "/api/cakes", "/api/cakes/77", "/nope", "/"):
        head, got = await gateway.http.head(path), await gateway.http.get(path)

        assert (got.status_code, b"") == (head.status_code, head.content)
        assert got.headers["content-type"] == head.headers["content-type"]


async def test_a_body_above_the_cap_is_413_by_its_length_and_as_it_comes(start):
    gateway = await start(gateway={"max_body_bytes": 100})

    async def chunks():
        for _ in range(30):
            yield b" " * 10

    answers = [
        await gateway.http.post("/api/cakes", content=b" " * 101, headers=JSON),
        await gateway.http.put("/api/cakes/1", content=b" " * 101, headers=JSON),
        await gateway.http.post("/api/cakes", content=chunks(), headers=JSON),
        await gateway.http.post("/api/cakes", content=chunks(), headers={**JSON, "Content-Length": "5"}),
    ]

    assert [(413, "body-too-large")] * 4 == [(answer.status_code, slug(answer)) for answer in answers]
    assert (
        202 == (await gateway.http.post("/api/cakes", content=CAKE, headers={**JSON, "Prefer": "wait=0"})).status_code
    )


async def test_a_body_that_is_not_json_is_400_and_one_that_says_so_415(gateway):
    broken = await gateway.http.post("/api/cakes", content=b"{", headers=JSON)
    other = await gateway.http.post("/api/cakes", content=CAKE, headers={"Content-Type": "text/plain"})

    assert [(400, "broken-json"), (415, "unsupported-media-type")] == [
        (answer.status_code, slug(answer)) for answer in (broken, other)
    ]


async def test_complaints_name_their_fields(gateway):
    answer = await gateway.http.post("/api/cakes", content=b'{"name": "Tart"}', headers=JSON)

    assert (422, "invalid-cake") == (answer.status_code, slug(answer))
    assert {"name", "comment", "imageUrl", "yumFactor"} == {each["field"] for each in answer.json()["errors"]}


async def test_headers_above_the_cap_are_431(gateway):
    answer = await gateway.http.get("/healthz", headers={"X": "x" * MAX_HEADER_BYTES})

    assert (431, "headers-too-large") == (answer.status_code, slug(answer))


async def spoken(app, messages, *, method: str = "POST", path: str = "/api/cakes") -> list[dict]:
    """What an ASGI application says to these messages of a client that then says no more."""
    said = []

    async def receive():
        return messages.pop(0) if messages else await asyncio.get_running_loop().create_future()

    async def send(message):
        said.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}
    await app(
        {**scope, "raw_path": path.encode(), "root_path": "", "scheme": "http", "http_version": "1.1"}, receive, send
    )
    return said


async def test_a_body_that_does_not_come_is_408(gateway):
    said = await spoken(gateway.http._transport.app, [{"type": "http.request", "body": b'{"name":', "more_body": True}])

    assert (408, b"body-too-slow") == (said[0]["status"], re.search(rb"problems/([a-z-]+)", said[1]["body"])[1])


async def test_a_client_that_goes_away_in_the_middle_is_no_error_of_ours(gateway):
    said = await spoken(
        gateway.http._transport.app,
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}],
    )

    assert 408 == said[0]["status"]


def through_edge(app) -> httpx.AsyncClient:
    config = settings.Settings(gateway=settings.Gateway(read_rate="off", write_rate="off"))
    counted = allowances.Allowances(settings.Redis(url=settings.SecretUrl("redis://nowhere.invalid")))
    limiter = limiting.Limiter(config.gateway, counted=counted, told_apart=clients.Clients(config))
    wrapped = edge.Edge(app, config.gateway, limiter)
    transport = httpx.ASGITransport(wrapped, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


async def test_what_nobody_foresaw_is_a_500_that_tells_nothing():
    async def app(_scope, _receive, _send):
        raise RuntimeError("password=s3cret")

    with structlog.testing.capture_logs() as logged:
        async with through_edge(app) as http:
            answer = await http.get("/boom?token=s3cret")

    assert (500, "internal-error") == (answer.status_code, slug(answer))
    assert "s3cret" not in answer.text
    assert "request.failed" == logged[0]["event"]


async def test_a_handler_s_surprise_is_a_500_too(gateway, monkeypatch):
    monkeypatch.setattr(gateway.gate.upstream, "list", None)
    with structlog.testing.capture_logs() as logged:
        answer = await gateway.http.get("/api/cakes")

    assert (500, "internal-error") == (answer.status_code, slug(answer))
    assert ["request.failed", "request.answered"] == [line["event"] for line in logged]


async def test_the_access_log_names_the_route_and_not_the_query(gateway):
    with structlog.testing.capture_logs() as logged:
        await gateway.http.get("/api/cakes/9?token=s3cret")

    assert [("request.answered", "/api/cakes/{cake_id}", 404)] == [
        (line["event"], line["route"], line["status"]) for line in logged
    ]
    assert "s3cret" not in str(logged)


def counted(method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("cakegate_http_requests_total", labels) or 0.0


async def test_requests_are_counted_by_template_method_and_status_and_no_label_is_unbounded(gateway):
    labels = [("GET", "/api/cakes/{cake_id}", 404), ("OTHER", "unmatched", 405), ("HEAD", "unmatched", 404)]
    before = [counted(*each) for each in labels]

    await gateway.http.get("/api/cakes/12345")
    await gateway.http.request("BREW", "/api/cakes/12345")
    await gateway.http.head("/wp-login.php")

    assert [count + 1 for count in before] == [counted(*each) for each in labels]


async def test_nothing_is_kept_by_others_unless_it_says_so(gateway):
    kept = {
        path: (await gateway.http.get(path)).headers["cache-control"] for path in ("/healthz", "/nope", "/api/cakes")
    }

    assert {"/healthz": "no-store", "/nope": "no-store", "/api/cakes": "no-cache"} == kept


ASKS = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}


async def test_browsers_of_the_listed_origins_may_call_and_read_errors_too(start):
    gateway = await start(gateway={"cors_origins": ("https://shop.example",)})
    preflight = await gateway.http.options("/api/cakes", headers=ASKS)
    error = await gateway.http.get("/nope", headers={"Origin": "https://shop.example"})
    other = await gateway.http.get("/api/cakes", headers={"Origin": "https://elsewhere.example"})

    assert (204, "https://shop.example") == (preflight.status_code, preflight.headers["access-control-allow-origin"])
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "Idempotency-Key" in preflight.headers["access-control-allow-headers"]
    assert "https://shop.example" == error.headers["access-control-allow-origin"]
    assert "Location" in error.headers["access-control-expose-headers"]
    assert ("access-control-allow-origin" not in other.headers, "Origin") == (True, other.headers["vary"])


async def test_any_origin_may_call_where_the_setting_says_so(start):
    gateway = await start(gateway={"cors_origins": ("*",)})
    answer = await gateway.http.get("/api/cakes", headers={"Origin": "https://anything.example"})

    assert "*" == answer.headers["access-control-allow-origin"]


async def test_no_origin_may_call_by_default(gateway):
    preflight = await gateway.http.options("/api/cakes", headers=ASKS)

    assert [] == [name for name in preflight.headers if name.startswith("access-control-")]


async def test_readiness_reports_dependencies_and_fails_only_when_it_must(start, nobody):
    gateway = await start(upstream={"url": f"http://{nobody}"}, redis={"url": settings.SecretUrl(f"redis://{nobody}")})
    ready = await gateway.http.get("/readyz/")
    gateway.gate.readiness.drain()
    draining = await gateway.http.get("/readyz")

    assert (200, "ready") == (ready.status_code, ready.json()["status"])
    assert ["up", "down", "down"] == [text.split(":")[0] for text in ready.json()["dependencies"].values()]
    assert (503, "draining") == (draining.status_code, draining.json()["phase"])


async def test_a_schema_that_is_too_old_is_not_ready(gateway):
    await gateway.db.execute("UPDATE schema_version SET version_num = '0000'")
    answer = await gateway.http.get("/readyz")
    await gateway.db.execute("UPDATE schema_version SET version_num = %(now)s", {"now": contract.SCHEMA_VERSION})

    assert (503, True) == (answer.status_code, answer.json()["schema"].startswith("too old"))
