"""A whole gateway on a socket, in a thread of its own: the tests that talk to it are not asynchronous.

Real Postgres, Valkey and sample API. In the workers' place stands a loop that moves each submission by the functions
that workers use, to an end that its id decides, so that a POST gets every answer there is.
"""

import asyncio
import collections
import contextlib
import random
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from cakegate import settings
from cakegate.adapters import mailbox
from cakegate.adapters.store import creating, judging
from cakegate.adapters.store import renditions as stored_renditions
from cakegate.domain import renditions, submissions, verdicts
from cakegate.domain.submissions import Reason, State
from cakegate.gateway import app, wiring
from cakegate.local import sample, servers
from cakegate.local.sample_cakes import NewCake

CAKES = 400
#: Answers so far, by operation and status.
seen: collections.Counter[tuple[str, int]] = collections.Counter()
_MODEL = verdicts.Model(name="test", version="1", sha256="0" * 64)
_THRESHOLDS = verdicts.Thresholds(accept=0.7, review=0.3)
_PICTURE = submissions.Picture(sha256=b"\x01" * 32, size_bytes=1234, format="jpeg", width=640, height=480)
#: By the last digit of a submission's id; whatever is missing here stays pending.
_SCORES = {**dict.fromkeys("0123456", 0.9), "7": 0.1, "8": 0.5}
_UNUSABLE = {"9": (State.REJECTED, Reason.IMAGE_NOT_ALLOWED), "a": (State.FAILED, Reason.IMAGE_UNREACHABLE)}


class Stage:
    """A gateway that serves at `url`; `sample` is the legacy API behind it."""

    def __init__(self, config: settings.Settings, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._ready = threading.Event()
        self._over: asyncio.Event
        self._loop: asyncio.AbstractEventLoop
        self.url = f"http://{config.gateway.host}:{config.gateway.port}"
        self.sample: sample.Sample
        #: Ids that there are, in the order in which they came to be.
        self.submissions: list[str] = []
        self.cakes: list[str] = []

    @contextlib.contextmanager
    def running(self) -> Iterator["Stage"]:
        """Serve for a block."""
        thread = threading.Thread(target=asyncio.run, args=[self._run()])
        thread.start()
        assert self._ready.wait(20)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._over.set)
            thread.join()

    async def _run(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with contextlib.AsyncExitStack() as stack:
            self.sample = await stack.enter_async_context(sample.serve(self._folder, dice=random.Random(7).random))
            for number in range(CAKES):
                self.sample.cakes.add(NewCake(name=f"Cake {number}", comment="Of lemon", image_url="x", yum_factor=3))
            upstream = settings.Upstream(url=self.sample.url, timeout_seconds=0.5, write_timeout_seconds=0.5)
            config = settings.Settings(
                gateway=self._config.gateway,
                database=self._config.database,
                redis=self._config.redis,
                upstream=upstream,
            )
            gate = await stack.enter_async_context(wiring.opened(config))
            gate.readiness.ready()
            await self._render(gate)
            postman = mailbox.Postman(config.redis)
            stack.push_async_callback(postman.close)
            await stack.enter_async_context(app.listening(config.gateway, app.compose(gate)))
            works = asyncio.create_task(self._work(gate, postman))
            self._ready.set()
            await self._over.wait()
            works.cancel()
            await asyncio.gather(works, return_exceptions=True)

    async def _render(self, gate: wiring.Gate) -> None:
        """The one picture that all submissions are said to have."""
        made = [
            renditions.Rendition(preset=preset, format=each, width=4, height=3, content=b"a picture")
            for preset in renditions.Preset
            for each in renditions.Format
        ]
        await gate.blobs.put([renditions.blob(_PICTURE.sha256, one) for one in made])
        await stored_renditions.record(gate.db, _PICTURE.sha256, made, submission_id=uuid.uuid4())

    async def _work(self, gate: wiring.Gate, postman: mailbox.Postman) -> None:
        pace = creating.Pace(concurrency=8, lease_seconds=60, send_deadline_seconds=20)
        left: set[UUID] = set()
        while True:
            waiting = await gate.db.fetch("SELECT id FROM submissions WHERE state = 'pending'")
            for row in waiting:
                if row["id"] in left:
                    continue
                self.submissions.append(str(row["id"]))
                if not await self._move(gate, row["id"], pace):
                    left.add(row["id"])
                await postman.post(gate.room.address, row["id"])
            await asyncio.sleep(0.005)

    async def _move(self, gate: wiring.Gate, submission_id: UUID, pace: creating.Pace) -> bool:
        digit = str(submission_id)[-1]
        if digit not in _SCORES and digit not in _UNUSABLE:
            return False
        held = await judging.claim(gate.db, submission_id, lease_seconds=60, holder="worker")
        if digit in _UNUSABLE:
            target, reason = _UNUSABLE[digit]
            await judging.settle_unusable(
                gate.db, held, target=target, reason=reason, detail="no", actor="worker", timings={}
            )
            return True
        score = _SCORES[digit]
        verdict = verdicts.Verdict(
            score=score, decision=verdicts.decide(score, _THRESHOLDS), thresholds=_THRESHOLDS, model=_MODEL
        )
        await judging.settle_verdict(gate.db, held, verdict=verdict, picture=_PICTURE, actor="worker", timings={})
        if verdict.decision is verdicts.Decision.ACCEPT:
            creator = await creating.claim(gate.db, submission_id, pace=pace, holder="writer")
            draft = creator.draft
            made = self.sample.cakes.add(
                NewCake(name=draft.name, comment=draft.comment, image_url=draft.image_url, yum_factor=draft.yum_factor)
            )
            await creating.settle_created(
                gate.db, creator, upstream_id=str(made["id"]), cake=made, status=200, actor="writer", timings={}
            )
            self.cakes.append(str(made["id"]))
        return True


def config_of(database_url: str, redis_url: str) -> settings.Settings:
    """No rate limit: all cases come from one client."""
    return settings.Settings(
        gateway=settings.Gateway(
            host="127.0.0.1", port=servers.free_port(), wait_seconds=0.2, max_wait_seconds=0.2, body_seconds=1,
            read_rate="off", write_rate="off",
        ),
        database=settings.Database(url=settings.SecretUrl(database_url), pool_min=1, pool_max=4),
        redis=settings.Redis(url=settings.SecretUrl(redis_url), enqueue_timeout_seconds=1),
    )  # fmt: skip
