"""One leader at a time, by a session-level advisory lock: Postgres takes it back when its holder's connection ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from cakegate.adapters.store import pool


class Leadership:
    """Held while the connection that took the lock lives; ask `check` before each round of work."""

    def __init__(self, connection: pool.Connection) -> None:
        self._connection = connection

    async def check(self) -> bool:
        """Whether the lock is still ours: the connection that holds it answers."""
        try:
            await self._connection.execute(b"SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


@asynccontextmanager
async def candidacy(db: pool.Database, *, key: int) -> AsyncIterator[Leadership | None]:
    """Try to lead: None where another leads. The lock is given back on leaving the block.

    Raises:
        DatabaseUnavailable: Postgres cannot be asked.
    """
    async with db.connection() as connection:
        found = await pool.rows(connection, "SELECT pg_try_advisory_lock(%(key)s) AS ours", {"key": key})
        if not found[0]["ours"]:
            yield None
            return
        try:
            yield Leadership(connection)
        finally:
            if not connection.broken:
                await connection.execute(b"SELECT pg_advisory_unlock(%(key)s)", {"key": key})
