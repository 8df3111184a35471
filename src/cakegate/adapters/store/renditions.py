"""Which renditions exist, and the default home of their bytes."""

from collections.abc import Sequence

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


async def record(db: pool.Database, image_sha256: bytes, made: Sequence[renditions.Rendition]) -> None:
    """Say that these exist; their bytes are stored already. The same picture twice is the same row."""
    async with db.transaction() as connection, connection.cursor() as cursor:
        await cursor.executemany(
            b"""
                INSERT INTO renditions (image_sha256, preset, format, blob_key, width, height, size_bytes)
                VALUES (%(sha256)s, %(preset)s, %(format)s, %(key)s, %(width)s, %(height)s, %(size)s)
                ON CONFLICT (image_sha256, preset, format) DO UPDATE
                    SET blob_key = excluded.blob_key, width = excluded.width, height = excluded.height,
                        size_bytes = excluded.size_bytes
                """,
            [
                {
                    "sha256": image_sha256,
                    "preset": each.preset.value,
                    "format": each.format.value,
                    "key": renditions.blob_key(image_sha256, each.preset, each.format),
                    "width": each.width,
                    "height": each.height,
                    "size": len(each.content),
                }
                for each in made
            ],
        )


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

    async def put(self, key: str, content: bytes, *, media_type: str) -> None:
        """Store bytes under a key. Keys name content, so that writing one again changes nothing."""
        await self._db.execute(
            "INSERT INTO blobs (key, media_type, content) VALUES (%(key)s, %(media_type)s, %(content)s)"
            " ON CONFLICT (key) DO NOTHING",
            {"key": key, "media_type": media_type, "content": content},
        )

    async def get(self, key: str) -> bytes | None:
        """The bytes under a key, or None."""
        row = await self._db.fetch_one("SELECT content FROM blobs WHERE key = %(key)s", {"key": key})
        return bytes(row["content"]) if row else None
