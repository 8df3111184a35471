"""The circuit breaker of creates, kept in Postgres so that the whole fleet obeys one.

Closed: all pass. After `failures` failures in a row it opens for a pause that doubles with each opening in a row. Past
the pause one caller at a time may probe (half-open); its success closes the breaker, its failure opens it again.
"""

from typing import Final

import msgspec

from cakegate import contract
from cakegate.adapters.store import pool


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is closed, open or half-open; `wait_seconds` until it lets somebody probe, 0 when it may pass now."""

    state: str
    failures: int
    wait_seconds: float


_READ: Final = """
    SELECT state, failures,
        CASE WHEN state = 'closed' THEN 0
             ELSE greatest(0, extract(epoch FROM retry_at - now()))::float8 END AS wait_seconds
    FROM breakers WHERE name = %(name)s
"""


async def read(db: pool.Database) -> Breaker:
    """How the breaker stands."""
    row = await db.fetch_one(_READ, {"name": contract.UPSTREAM_BREAKER})
    return Breaker(**row) if row else Breaker(state="closed", failures=0, wait_seconds=0.0)


async def lock(connection: pool.Connection) -> Breaker:
    """How the breaker stands, its row locked until the transaction ends: claims of creates go one at a time."""
    found = await pool.rows(connection, f"{_READ} FOR UPDATE", {"name": contract.UPSTREAM_BREAKER})
    return Breaker(**found[0])


async def start_probe(connection: pool.Connection, *, seconds: float) -> None:
    """Let the caller alone pass for `seconds`; past that another may try. Call under `lock`."""
    await connection.execute(
        b"UPDATE breakers SET state = 'half-open', changed_at = now(),"
        b" retry_at = now() + %(seconds)s * interval '1 second' WHERE name = %(name)s",
        {"name": contract.UPSTREAM_BREAKER, "seconds": seconds},
    )


async def succeeded(db: pool.Database) -> None:
    """The upstream answered sensibly: close. Writes nothing when it is closed already."""
    await db.execute(
        "UPDATE breakers SET state = 'closed', failures = 0, openings = 0, retry_at = NULL, changed_at = now()"
        " WHERE name = %(name)s AND (state <> 'closed' OR failures > 0)",
        {"name": contract.UPSTREAM_BREAKER},
    )


async def failed(db: pool.Database, *, failures: int, base_seconds: float, max_seconds: float) -> Breaker:
    """The upstream failed: count it, and open after `failures` in a row or when a probe fails.

    A failure that was under way when the breaker opened does not lengthen the pause.
    """
    row = await db.fetch_one(
        """
        UPDATE breakers b SET
            failures = b.failures + 1,
            state = CASE WHEN opens THEN 'open' ELSE b.state END,
            openings = b.openings + opens::int,
            retry_at = CASE WHEN opens THEN now() + least(%(max)s, %(base)s * power(2, least(b.openings, 30)))
                            * interval '1 second' ELSE b.retry_at END,
            changed_at = CASE WHEN opens THEN now() ELSE b.changed_at END
        FROM (SELECT name, state = 'half-open' OR (state = 'closed' AND failures + 1 >= %(failures)s) AS opens
              FROM breakers WHERE name = %(name)s FOR UPDATE) AS was
        WHERE b.name = was.name
        RETURNING b.state, b.failures, coalesce(greatest(0, extract(epoch FROM b.retry_at - now())), 0)::float8
            AS wait_seconds
        """,
        {"name": contract.UPSTREAM_BREAKER, "failures": failures, "base": base_seconds, "max": max_seconds},
    )
    return Breaker(**row) if row else await read(db)
