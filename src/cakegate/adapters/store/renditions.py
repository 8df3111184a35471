"""Which renditions exist, and the default home of their bytes."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from cakegate.adapters.store import pool
from cakegate.domain import renditions


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A rendition that exists: where its bytes lie, its size in pixels and bytes."""

    preset: renditions.Preset
    format: renditions.Format
    blob_key: str
    width: int
    height: int
    size_bytes: int


async def record(
    db: pool.Database, image_sha256: bytes, made: Sequence[renditions.Rendition], *, submission_id: UUID
) -> None:
    """Say that these exist, and are all of that submission's; their bytes are stored already.

    The same picture twice is the same row.
    """
    values, parameters = _values(
        [
            {
                "preset": each.preset.value,
                "format": each.format.value,
                "key": renditions.blob_key(image_sha256, each.preset, each.format),
                "width": each.width,
                "height": each.height,
                "size": len(each.content),
            }
            for each in made
        ],
        "%(sha256)s",
    )
    await db.execute(
        f"""
        WITH made AS (
            INSERT INTO renditions (image_sha256, preset, format, blob_key, width, height, size_bytes)
            VALUES {values}
            ON CONFLICT (image_sha256, preset, format) DO UPDATE
                SET blob_key = excluded.blob_key, width = excluded.width, height = excluded.height,
                    size_bytes = excluded.size_bytes
        )
        UPDATE submissions SET renditions_at = now() WHERE id = %(id)s
        """,
        {**parameters, "sha256": image_sha256, "id": submission_id},
    )


def _values(rows: Sequence[Mapping[str, Any]], *first: str) -> tuple[str, dict[str, Any]]:
    """The rows of a VALUES, each beginning with `first`, and their parameters.

    One statement costs us a third of what one a row does, and bytes in an array would be sent as hexadecimal text.
    """
    parameters = {f"{name}_{number}": value for number, row in enumerate(rows) for name, value in row.items()}
    lines = [", ".join([*first, *(f"%({name}_{number})s" for name in row)]) for number, row in enumerate(rows)]
    return ", ".join(f"({line})" for line in lines), parameters


async def find(db: pool.Database, image_sha256: bytes, preset: renditions.Preset) -> list[Stored]:
    """The renditions of one picture for one purpose, one a format."""
    found = await db.fetch(
        "SELECT preset, format, blob_key, width, height, size_bytes FROM renditions"
        " WHERE image_sha256 = %(sha256)s AND preset = %(preset)s ORDER BY format",
        {"sha256": image_sha256, "preset": preset.value},
    )
    return [
        Stored(**{**row, "preset": renditions.Preset(row["preset"]), "format": renditions.Format(row["format"])})
        for row in found
    ]


class TableBlobs:
    """Blobs in Postgres: what `adapters.blobs.Blobs` asks for."""

    def __init__(self, db: pool.Database) -> None:
        self._db = db

    async def put(self, blobs: Sequence[renditions.Blob]) -> None:
        """Store bytes, all or none. Keys name content, so that writing one again changes nothing."""
        values, parameters = _values([msgspec.structs.asdict(each) for each in blobs])
        await self._db.execute(
            f"INSERT INTO blobs (key, content, media_type) VALUES {values} ON CONFLICT (key) DO NOTHING", parameters
        )

    async def get(self, key: str) -> bytes | None:
        """The bytes under a key, or None."""
        row = await self._db.fetch_one("SELECT content FROM blobs WHERE key = %(key)s", {"key": key})
        return bytes(row["content"]) if row else None
