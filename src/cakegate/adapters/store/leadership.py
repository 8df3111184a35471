"""One leader at a time, by a session-level advisory lock: Postgres takes it back when its holder's connection ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg

from cakegate.adapters.store import pool

#: A leader whose database does not answer for so long steps down; another may stand on another connection.
_ANSWER_SECONDS: Final = 10.0


class Leadership:
    """Held while the connection that took the lock lives; ask `check` before each round of work."""

    def __init__(self, connection: pool.Connection) -> None:
        self._connection = connection

    async def check(self) -> bool:
        """Whether the lock is still ours: the connection that holds it answers."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._connection.execute(b"SELECT 1")
        except (psycopg.OperationalError, TimeoutError):
            return False
        return True


@asynccontextmanager
async def candidacy(db: pool.Database, *, key: int) -> AsyncIterator[Leadership | None]:
    """Try to lead: None where another leads. The lock is given back on leaving the block.

    Raises:
        DatabaseUnavailable, TimeoutError: Postgres cannot be asked, or does not answer.
    """
    async with db.connection(limited=False) as connection:
        async with asyncio.timeout(_ANSWER_SECONDS):
            found = await pool.rows(connection, "SELECT pg_try_advisory_lock(%(key)s) AS ours", {"key": key})
        if not found[0]["ours"]:
            yield None
            return
        try:
            yield Leadership(connection)
        finally:
            if not connection.broken:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await connection.execute(b"SELECT pg_advisory_unlock(%(key)s)", {"key": key})
