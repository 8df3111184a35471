"""Which migration this database is at. Apart from `migrations`, whose libraries cost a process a second to import."""

import psycopg

from cakegate.adapters.store import pool


async def current(db: pool.Database) -> str | None:
    """The database's schema version, or None before the first migration. Raises `DatabaseUnavailable`."""
    async with db.connection() as connection:
        try:
            found = await pool.rows(connection, "SELECT version_num FROM schema_version")
        except psycopg.errors.UndefinedTable:
            return None
    return str(found[0]["version_num"]) if found else None
