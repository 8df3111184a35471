"""The whole gateway over real Postgres, Valkey and sample API, in this process; and the workers' part, by hand."""

import asyncio
import contextlib

import httpx
import msgspec
import psycopg
import pytest

from cakegate import settings
from cakegate.adapters import mailbox
from cakegate.adapters.store import creating, judging
from cakegate.domain import submissions, verdicts
from cakegate.gateway import app, wiring
from cakegate.local import servers

CAKE = {"name": "Lemon cheesecake", "comment": "Made of lemon", "imageUrl": "http://p.example/l.jpg", "yumFactor": 3}
MODEL = verdicts.Model(name="test", version="1", sha256="0" * 64)
THRESHOLDS = verdicts.Thresholds(accept=0.7, review=0.3)
PICTURE = submissions.Picture(sha256=b"\x01" * 32, size_bytes=1234, format="jpeg", width=640, height=480)


class Gateway:
    """A gateway that serves, `http` to talk to it, and shorthands for what workers do."""

    def __init__(self, gate: wiring.Gate, http: httpx.AsyncClient, config: settings.Settings) -> None:
        self.gate = gate
        self.db = gate.db
        self.http = http
        self.postman = mailbox.Postman(config.redis)

    async def submit(self, *, prefer: str = "respond-async", key: str | None = None, **changes) -> httpx.Response:
        headers = {"Prefer": prefer, **({"Idempotency-Key": key} if key else {})}
        return await self.http.post("/api/cakes", json={**CAKE, **changes}, headers=headers)

    async def pending(self) -> str:
        return (await self.submit()).json()["id"]

    async def held(self, submission_id: str):
        return await judging.claim(self.db, submission_id, lease_seconds=60, holder="worker")

    async def judge(self, submission_id: str, score: float, *, flaw: verdicts.Flaw | None = None):
        verdict = verdicts.Verdict(
            score=score, decision=verdicts.decide(score, THRESHOLDS), thresholds=THRESHOLDS, model=MODEL,
            labels=[verdicts.Label(name="cake", score=score), verdicts.Label(name="cheesecake", score=0.25)],
        )  # fmt: skip
        decision = verdicts.Decision.REVIEW if flaw else verdict.decision
        return await judging.settle_verdict(
            self.db, await self.held(submission_id), verdict=verdict, picture=PICTURE, actor="worker", timings={},
            outcome=verdicts.Outcome(decision=decision, flaw=flaw, detail="measured on 10.0.0.1" if flaw else None),
        )  # fmt: skip

    async def unusable(self, submission_id: str, reason: submissions.Reason, *, state=submissions.State.REJECTED):
        return await judging.settle_unusable(
            self.db, await self.held(submission_id), target=state, reason=reason, detail="10.0.0.1 said no",
            actor="worker", timings={},
        )  # fmt: skip

    async def claim(self, submission_id: str):
        await self.judge(submission_id, 0.9)
        pace = creating.Pace(concurrency=8, lease_seconds=60, send_deadline_seconds=20)
        return await creating.claim(self.db, submission_id, pace=pace, holder="writer")

    async def create(self, submission_id: str):
        """All that judge and writer do, upstream included."""
        held = await self.claim(submission_id)
        stored = await self.gate.upstream.create(held.draft, marker=held.marker)
        return await creating.settle_created(
            self.db, held, upstream_id=stored.id, cake=stored.public(), status=200, actor="writer", timings={}
        )

    async def newest(self) -> str:
        """The submission that came last, once it is there."""
        while True:
            row = await self.db.fetch_one("SELECT id FROM submissions ORDER BY created_at DESC LIMIT 1")
            if row is not None:
                return str(row["id"])
            await asyncio.sleep(0.01)


@pytest.fixture(scope="session")
def gateway_database_url(postgres_url) -> str:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE gateway TEMPLATE template_cakegate STRATEGY file_copy")
    return f"{postgres_url.rpartition('/')[0]}/gateway"


@pytest.fixture
def database_url(gateway_database_url) -> str:
    """One database for all of this folder, emptied: a new one for each of so many tests would take most of the time."""
    with psycopg.connect(gateway_database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE submissions, verdicts, transitions, renditions, blobs, deletions CASCADE")
    return gateway_database_url


@pytest.fixture
def config(database_url, redis_url, sample_api) -> settings.Settings:
    return settings.Settings(
        gateway=settings.Gateway(wait_seconds=5, body_seconds=0.3),
        database=settings.Database(
            url=settings.SecretUrl(database_url), pool_min=1, pool_max=4, pool_wait_seconds=5, connect_timeout_seconds=2
        ),
        redis=settings.Redis(url=settings.SecretUrl(redis_url), enqueue_timeout_seconds=2, limit_timeout_seconds=2),
        upstream=settings.Upstream(url=sample_api.url, timeout_seconds=2, write_timeout_seconds=1),
    )


def changed(config: settings.Settings, **groups) -> settings.Settings:
    """`changed(config, gateway={"max_pending": 1})`."""
    changes = {name: msgspec.structs.replace(getattr(config, name), **fields) for name, fields in groups.items()}
    return msgspec.structs.replace(config, **changes)


@contextlib.asynccontextmanager
async def running(config: settings.Settings):
    async with contextlib.AsyncExitStack() as stack:
        gate = await stack.enter_async_context(wiring.opened(config))
        gate.readiness.ready()
        transport = httpx.ASGITransport(app.compose(gate), raise_app_exceptions=False)
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://gateway"))
        gateway = Gateway(gate, http, config)
        stack.push_async_callback(gateway.postman.close)
        yield gateway


@pytest.fixture
async def gateway(config):
    async with running(config) as started:
        yield started


@pytest.fixture
async def start(config):
    """Starts gateways with other settings: `await start(gateway={"max_waiters": 1})`."""
    async with contextlib.AsyncExitStack() as stack:

        async def started(**groups) -> Gateway:
            return await stack.enter_async_context(running(changed(config, **groups)))

        yield started


@pytest.fixture
def nobody() -> str:
    """Where nothing listens, as `host:port`."""
    return f"127.0.0.1:{servers.free_port()}"


class Wire:
    """A way to a server that can break where it hurts: after a request was carried out, before its answer is back."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.url_port = 0
        #: While positive, the answer to what holds `after` is lost, and its connection with it.
        self.cuts = 0
        self.after = b"INSERT INTO submissions"

    async def handle(self, reader, writer):
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        armed = asyncio.Event()

        async def out() -> None:
            while piece := await reader.read(65536):
                if self.cuts > 0 and self.after in piece:
                    armed.set()
                there_writer.write(piece)
            there_writer.close()

        async def back() -> None:
            while piece := await there_reader.read(65536):
                if armed.is_set():
                    self.cuts -= 1
                    break
                writer.write(piece)
            writer.close()
            there_writer.close()

        with contextlib.suppress(ConnectionError):
            await asyncio.gather(out(), back())


@pytest.fixture
async def wire(postgres_url):
    """A breakable way to Postgres."""
    host, _, port = postgres_url.partition("@")[2].partition("/")[0].partition(":")
    broken = Wire(host, int(port))
    server = await asyncio.start_server(broken.handle, "127.0.0.1", 0)
    broken.url_port = server.sockets[0].getsockname()[1]
    yield broken
    server.close()
