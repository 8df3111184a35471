"""The sample legacy API's cakes, and the ledger of all that ever happened to them, in an SQLite file."""

import sqlite3
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta


class NewCake(msgspec.Struct, kw_only=True, rename="camel"):
    """Its schema: upper limits alone."""

    name: Annotated[str, Meta(max_length=30)]
    comment: Annotated[str, Meta(max_length=200)]
    image_url: str
    yum_factor: Annotated[int, Meta(ge=1, le=5)]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the ledger: `act` is create, replace or delete; `at` is in seconds since 1970.

    The cake is as it became by the act, or as it was deleted.
    """

    number: int
    at: float
    act: str
    cake_id: int
    name: str
    comment: str
    image_url: str
    yum_factor: int


#: The ledger is written by the database itself, in the transaction of the change: it cannot differ from what was done.
_SCHEMA: Final = """
-- AUTOINCREMENT: an id is never given twice, not even that of the last cake, deleted.
CREATE TABLE IF NOT EXISTS cakes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, comment TEXT, image_url TEXT, yum_factor INTEGER);
CREATE TABLE IF NOT EXISTS ledger (
    number INTEGER PRIMARY KEY, at REAL, act TEXT, cake_id INTEGER, name TEXT, comment TEXT, image_url TEXT,
    yum_factor INTEGER);
CREATE TRIGGER IF NOT EXISTS created AFTER INSERT ON cakes BEGIN
    INSERT INTO ledger (at, act, cake_id, name, comment, image_url, yum_factor)
    VALUES ((julianday('now') - 2440587.5) * 86400.0, 'create', new.id, new.name, new.comment, new.image_url,
            new.yum_factor);
END;
CREATE TRIGGER IF NOT EXISTS replaced AFTER UPDATE ON cakes BEGIN
    INSERT INTO ledger (at, act, cake_id, name, comment, image_url, yum_factor)
    VALUES ((julianday('now') - 2440587.5) * 86400.0, 'replace', new.id, new.name, new.comment, new.image_url,
            new.yum_factor);
END;
CREATE TRIGGER IF NOT EXISTS deleted AFTER DELETE ON cakes BEGIN
    INSERT INTO ledger (at, act, cake_id, name, comment, image_url, yum_factor)
    VALUES ((julianday('now') - 2440587.5) * 86400.0, 'delete', old.id, old.name, old.comment, old.image_url,
            old.yum_factor);
END;
"""


class Cakes:
    """The cakes and their ledger, in an SQLite file. Calls block for well under a millisecond."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(_SCHEMA)

    def page(self, *, skip: int, limit: int) -> list[dict[str, Any]]:
        """Items by id."""
        return [
            _item(row) for row in self._db.execute("SELECT * FROM cakes ORDER BY id LIMIT ? OFFSET ?", (limit, skip))
        ]

    def get(self, cake_id: int) -> dict[str, Any] | None:
        """One item."""
        row = self._db.execute("SELECT * FROM cakes WHERE id = ?", (cake_id,)).fetchone()
        return _item(row) if row else None

    def add(self, cake: NewCake) -> dict[str, Any]:
        """A new item, also where the same one is there already."""
        row = self._db.execute(
            "INSERT INTO cakes (name, comment, image_url, yum_factor) VALUES (?, ?, ?, ?) RETURNING *",
            (cake.name, cake.comment, cake.image_url, cake.yum_factor),
        ).fetchone()
        return _item(row)

    def replace(self, cake_id: int, cake: NewCake) -> dict[str, Any] | None:
        """The item as it is now."""
        row = self._db.execute(
            "UPDATE cakes SET name = ?, comment = ?, image_url = ?, yum_factor = ? WHERE id = ? RETURNING *",
            (cake.name, cake.comment, cake.image_url, cake.yum_factor, cake_id),
        ).fetchone()
        return _item(row) if row else None

    def delete(self, cake_id: int) -> dict[str, Any] | None:
        """The item that was."""
        row = self._db.execute("DELETE FROM cakes WHERE id = ? RETURNING *", (cake_id,)).fetchone()
        return _item(row) if row else None

    def ledger(self) -> list[Entry]:
        """Every change since the file was made, oldest first."""
        names = Entry.__struct_fields__
        return [
            Entry(**dict(zip(names, row, strict=True)))
            for row in self._db.execute(f"SELECT {', '.join(names)} FROM ledger ORDER BY number")  # noqa: S608
        ]

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _item(row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(("id", "name", "comment", "imageUrl", "yumFactor"), row, strict=True))
