"""The schema, as numbered SQL run by alembic.

Safe to run twice and from many pods at once: a session-level advisory lock lets one through at a time, and Postgres
drops it when its holder dies, so that a killed migration leaves nothing to break open. Migrations only expand: old
pods keep serving on the new schema, and there is no downgrade.

Who waits for a table's lock holds up all who come after, readers too. So a migration gives up quickly where a dump or a
long query has the table, and begins again.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg
from alembic import command, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import OperationalError

from cakegate import settings
from cakegate.adapters.store import pool
from cakegate.domain import errors

#: Arbitrary, constant: nobody else's advisory lock in this database may have it.
_LOCK_KEY = 0x43414B45_0001
_LOOK_SECONDS = 0.5
#: How long a table's users may be held up while nothing is done yet. Below Postgres's own `deadlock_timeout` (1 s), so
#: that of a migration and a flow that wait for each other it is the migration that begins again.
_LOCK_SECONDS = 0.5
_TRIES_SECONDS = 600.0
_IN_USE = "A table that is to be changed is in use: by a dump, or by a long query."


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the schema: its number, its title, and whether this database has it."""

    version: str
    title: str
    applied: bool


def wait(url: settings.SecretUrl, *, seconds: float, say: Callable[[str], None]) -> None:
    """Wait until the database answers, at most so long; `say` is told once why it does not.

    Raises:
        DatabaseUnavailable: it did not.
    """
    ends_at, told = time.monotonic() + seconds, ""
    while seconds:
        try:
            with pool.connect_once(url):
                return
        except errors.DatabaseUnavailable as error:
            if time.monotonic() > ends_at:
                raise
            if str(error) != told:
                told = str(error)
                say(f"waiting: {told}")
            time.sleep(_LOOK_SECONDS)


def upgrade(url: settings.SecretUrl, *, say: Callable[[str], None] | None = None) -> str:
    """Bring the schema up to date and return its version; `say` is told once where a table is in use.

    Raises:
        DatabaseUnavailable: Postgres cannot be reached, or somebody has had a table for ten minutes.
    """
    with _locked(url) as connection:
        config = _config()
        config.attributes["connection"] = connection
        ends_at, waited = time.monotonic() + _TRIES_SECONDS, False
        while not _upgraded(config):
            if say is not None and not waited:
                say(f"waiting: {_IN_USE}")
            waited = True
            if time.monotonic() > ends_at:
                raise errors.DatabaseUnavailable(_IN_USE)
            time.sleep(_LOOK_SECONDS)
    return _script().get_current_head() or ""


def _upgraded(config: Config) -> bool:
    """Whether the schema is up to date now; if not, a table was in use. A migration that broke off left nothing."""
    try:
        command.upgrade(config, "head")
    except OperationalError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable):
            return False
        raise
    return True


def listing(url: settings.SecretUrl) -> list[Migration]:
    """All migrations, oldest first. Raises `DatabaseUnavailable`."""
    with pool.connect_once(url) as connection:
        try:
            row = connection.execute("SELECT version_num FROM schema_version").fetchone()
        except psycopg.errors.UndefinedTable:
            row = None
    present = row[0] if row else ""
    revisions = reversed(list(_script().walk_revisions()))
    return [
        Migration(version=revision.revision, title=revision.doc, applied=revision.revision <= present)
        for revision in revisions
    ]


def run_sql_beside(file: str) -> None:
    """Run the `.sql` file that stands beside a version's Python file; alembic gives the connection."""
    op.get_bind().exec_driver_sql(Path(file).with_suffix(".sql").read_text(encoding="utf-8"))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    # Without it alembic warns; no path of ours holds a separator.
    config.set_main_option("path_separator", "os")
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


@contextmanager
def _locked(url: settings.SecretUrl) -> Iterator[Connection]:
    with pool.connect_once(url) as raw:
        raw.execute("SELECT pg_advisory_lock(%s)", (_LOCK_KEY,))
        raw.execute("SELECT set_config('lock_timeout', %s, false)", (f"{_LOCK_SECONDS}s",))
        # Alembic wants SQLAlchemy's view of the connection that holds the lock.
        engine = create_engine("postgresql+psycopg://", creator=lambda: raw, poolclass=NullPool)
        raw.autocommit = False
        with engine.connect() as connection:
            yield connection
