"""Collects what a run left behind: Postgres's rows and their histories, and Redis's queues."""

import asyncio
import contextlib
import time
from typing import Any, Final

import psycopg
import redis
from psycopg.rows import dict_row

from cakegate import contract
from chaos.records import Row

_ASK_SECONDS: Final = 0.2
_OPEN: Final = "state IN ('pending', 'judging', 'accepted', 'creating') OR (state = 'uncertain' AND NOT needs_person)"


async def open_submissions(url: str) -> int:
    """How many have neither ended nor wait for a person."""
    return int((await _fetch(url, f"SELECT count(*) AS open FROM submissions WHERE {_OPEN}"))[0]["open"])


async def all_settled(url: str, *, seconds: float) -> bool:
    """Wait until nothing is open, the database being up; false where something still is after so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if await open_submissions(url) == 0:
            return True
        await asyncio.sleep(_ASK_SECONDS)
    return False


async def _fetch(url: str, query: str) -> list[dict[str, Any]]:
    async with await psycopg.AsyncConnection.connect(url, row_factory=dict_row) as connection:
        return await (await connection.execute(query.encode())).fetchall()


async def rows(url: str) -> list[Row]:
    """Every submission, with its history."""
    histories: dict[Any, list[str]] = {}
    for step in await _fetch(url, "SELECT * FROM transitions ORDER BY id"):
        reason, note = (f" ({step[name]})" if step[name] else "" for name in ("reason", "note"))
        line = f"{step['at']:%H:%M:%S.%f} {step['origin'] or ''} → {step['target']}{reason} by {step['actor']}{note}"
        histories.setdefault(step["submission_id"], []).append(line)
    return [
        Row(
            id=found["id"],
            state=found["state"],
            reason=found["reason"],
            name=found["name"],
            comment=found["comment"],
            picture=found["image_url"].rpartition("/")[2],
            yum_factor=found["yum_factor"],
            request_id=found["request_id"],
            key=found["idempotency_key"],
            marker=found["marker"],
            upstream_id=found["upstream_id"],
            deleted=found["deleted_at"] is not None,
            needs_person=found["needs_person"],
            leased=found["lease_token"] is not None,
            decoder_deaths=found["decoder_deaths"],
            history=histories.get(found["id"], []),
        )
        for found in await _fetch(url, "SELECT * FROM submissions ORDER BY created_at")
    ]


async def stranded_messages(url: str, *, seconds: float) -> list[str]:
    """Messages that no worker will ever see, or that wait although workers are idle, after at most so many seconds."""
    began = time.monotonic()
    while True:
        found = await asyncio.to_thread(_stranded, url)
        if not found or time.monotonic() - began > seconds:
            return found
        await asyncio.sleep(_ASK_SECONDS)


def _stranded(url: str) -> list[str]:
    found = []
    with contextlib.closing(redis.Redis.from_url(url, db=contract.REDIS_QUEUE_DATABASE)) as client:
        for name in contract.QUEUES:
            key = f"{contract.QUEUE_NAMESPACE}:{name}"
            waiting: Any = client.lrange(key, 0, -1)
            stored: Any = client.hkeys(f"{key}.msgs")
            # What a killed worker had taken comes back when Dramatiq finds its heartbeat old, after a minute.
            taken: set[bytes] = set()
            for acks in client.scan_iter(f"{contract.QUEUE_NAMESPACE}:__acks__.*.{name}"):
                taken |= client.smembers(acks)  # type: ignore[arg-type]
            if waiting:
                found.append(f"{name}: {len(waiting)} messages wait")
            if lost := set(stored) - set(waiting) - taken:
                found.append(f"{name}: {len(lost)} messages are on no list")
    return found
