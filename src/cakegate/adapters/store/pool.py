"""Connections to Postgres, and psycopg's errors turned into ours.

Connections are in autocommit: a single statement needs no BEGIN and COMMIT of its own. What must hold together
goes through `transaction()`.
"""

import asyncio
import contextlib
import select
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import msgspec
import psycopg
import structlog
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from cakegate import settings
from cakegate.domain import errors

Connection = psycopg.AsyncConnection[DictRow]

_log = structlog.get_logger()

T = TypeVar("T")


def _as_json(value: Any) -> bytes:
    """JSON that Postgres takes: its jsonb has no NUL, which JSON and the legacy API may well have."""
    encoded = msgspec.json.encode(value)
    return msgspec.json.encode(_without_nul(value)) if rb"\u0000" in encoded else encoded


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(each) for name, each in value.items()}
    return [_without_nul(each) for each in value] if isinstance(value, list) else value


set_json_dumps(_as_json)
set_json_loads(msgspec.json.decode)


class Database:
    """A pool of connections; open it with `Database.open`, hand it to the functions of this package."""

    def __init__(self, pool: AsyncConnectionPool[Connection], *, most_seconds: float) -> None:
        self._pool = pool
        self._most_seconds = most_seconds

    @classmethod
    async def open(cls, group: settings.Database, *, application_name: str) -> "Database":
        """Start the pool. It connects in the background: Postgres may be down now and come up later.

        Raises `InvalidSettings` where the URL cannot be read.
        """
        pool = AsyncConnectionPool[Connection](
            _readable(group.url),
            connection_class=psycopg.AsyncConnection[DictRow],
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "application_name": application_name,
                "connect_timeout": group.connect_timeout_seconds,
                "options": f"-c statement_timeout={int(group.statement_timeout_seconds * 1000)} -c timezone=UTC",
                # A peer that vanished without a word is noticed in about 20 seconds instead of hours.
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 2,
            },
            min_size=group.pool_min,
            max_size=group.pool_max,
            timeout=group.pool_wait_seconds,
            # Its default is a line without end.
            max_waiting=group.pool_queue,
            # After a restart of Postgres every pooled connection is dead: find out before a request does.
            check=_check,
            # Reconnect without giving up, at most this long between tries.
            reconnect_timeout=10,
            open=False,
        )
        await pool.open(wait=False)
        # A server that is frozen keeps its connections and its clock stands still: the limit must be ours as well.
        return cls(pool, most_seconds=group.pool_wait_seconds + group.statement_timeout_seconds)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    def stats(self) -> dict[str, int]:
        """psycopg_pool's figures: `pool_size`, `pool_available`, `requests_waiting` and more."""
        return self._pool.get_stats()

    @asynccontextmanager
    async def connection(self, *, limited: bool = True) -> AsyncIterator[Connection]:
        """A connection in autocommit, for a few statements, or for as long as one likes where not `limited`.

        Raises:
            DatabaseBusy: too many wait for one already.
            DatabaseUnavailable: none came in time, it broke in use, or the statements took too long.
        """
        sent = False
        limit = asyncio.timeout(self._most_seconds if limited else None)
        try:
            async with limit, self._pool.connection() as connection:
                sent = True
                yield connection
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise errors.DatabaseUnavailable("The database does not answer.", outcome_unknown=sent) from error
        except TooManyRequests as error:
            raise errors.DatabaseBusy("Too many requests wait for the database.", retry_after_seconds=1) from error
        except (PoolTimeout, PoolClosed) as error:
            raise errors.DatabaseUnavailable("The database has no connection for us.") from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            _log.warning("database.failed", error=_first_line(error))
            raise errors.DatabaseUnavailable("The database failed us.", outcome_unknown=sent) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction, rolled back on any exception. Raises as `connection` does."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def ping(self) -> None:
        """Raise `DatabaseUnavailable` unless Postgres answers."""
        await self.fetch("SELECT 1 AS one")

    async def fetch(self, query: str, parameters: dict[str, Any] | None = None) -> list[DictRow]:
        """All rows of one statement, in autocommit."""
        return await self._bounded(self._fetch(query, parameters))

    async def _fetch(self, query: str, parameters: dict[str, Any] | None) -> list[DictRow]:
        async with self.connection(limited=False) as connection:
            return await rows(connection, query, parameters)

    async def fetch_one(self, query: str, parameters: dict[str, Any] | None = None) -> DictRow | None:
        """The first row of one statement, in autocommit, or None."""
        found = await self.fetch(query, parameters)
        return found[0] if found else None

    async def execute(self, query: str, parameters: dict[str, Any] | None = None) -> int:
        """Run one statement that returns no rows, in autocommit; how many rows it touched."""
        return await self._bounded(self._execute(query, parameters))

    async def _execute(self, query: str, parameters: dict[str, Any] | None) -> int:
        async with self.connection(limited=False) as connection:
            return (await connection.execute(query.encode(), parameters)).rowcount

    async def _bounded(self, work: Coroutine[Any, Any, T]) -> T:
        """`work`'s result, waited for no longer than the limit.

        Cancelled in the middle of a statement, psycopg 3.3 takes up to ten seconds to ask a frozen server to stop. It
        does so in a task of its own, behind our back.
        """
        task = asyncio.create_task(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=self._most_seconds)
        except asyncio.CancelledError:
            _abandon(task)
            raise
        if not done:
            _abandon(task)
            raise errors.DatabaseUnavailable("The database does not answer.", outcome_unknown=True)
        return task.result()


async def _check(connection: Connection) -> None:
    """Raise unless a connection that was idle is there still.

    A server that ended, or ended us, has closed its side, which shows as something to read where nothing is awaited.
    Only then is it asked: psycopg's own check asks each time, which cost a third of each single statement.
    """
    idle = select.poll()
    idle.register(connection.fileno(), select.POLLIN)
    if idle.poll(0):
        await AsyncConnectionPool.check_connection(connection)


def _abandon(task: "asyncio.Task[Any]") -> None:
    """Cancel a task whose end nobody waits for; its error, if any, is not reported as never retrieved."""

    def retrieve(ended: "asyncio.Task[Any]") -> None:
        with contextlib.suppress(asyncio.CancelledError):
            ended.exception()

    task.cancel()
    task.add_done_callback(retrieve)


async def rows(connection: Connection, query: str, parameters: dict[str, Any] | None = None) -> list[DictRow]:
    """All rows of one statement on a connection at hand."""
    cursor = await connection.execute(query.encode(), parameters)
    return await cursor.fetchall()


@contextmanager
def connect_once(url: settings.SecretUrl, *, timeout_seconds: int = 5) -> Iterator[psycopg.Connection[Any]]:
    """One blocking connection for a tool that runs and ends. Raises `DatabaseUnavailable`, and as `_readable` does."""
    conninfo = _readable(url)
    try:
        connection = psycopg.connect(conninfo, connect_timeout=timeout_seconds, autocommit=True)
    except psycopg.OperationalError as error:
        raise errors.DatabaseUnavailable(f"Cannot connect to {url}: {_first_line(error)}") from error
    with connection:
        yield connection


def _readable(url: settings.SecretUrl) -> str:
    """The URL as libpq can read it, else `InvalidSettings`: libpq's own words about a wrong one quote the password."""
    try:
        psycopg.conninfo.conninfo_to_dict(url.reveal())
    except psycopg.ProgrammingError:
        raise errors.InvalidSettings(
            "CAKEGATE_DATABASE_URL: no URL that libpq can read; special characters of a password are percent-encoded"
        ) from None
    return url.reveal()


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
