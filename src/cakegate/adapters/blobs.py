"""Where renditions' bytes lie: a Postgres table by default, an object store where a URL says so.

The table is the store's (`store/renditions.py`), handed in by the wiring, so that this adapter knows no other; the
object store is obstore's (S3, GCS, Azure, a folder), which comes with the extra `objectstore`.
"""

from collections.abc import Sequence
from typing import Protocol

from cakegate import settings
from cakegate.domain import errors, renditions


class Blobs(Protocol):
    """Bytes by key. Keys name content: what is once under a key never changes."""

    async def put(self, blobs: Sequence[renditions.Blob]) -> None:
        """Store bytes; again with the same key changes nothing."""

    async def get(self, key: str) -> bytes | None:
        """The bytes, or None."""


def opened(group: settings.Pictures, *, table: Blobs) -> Blobs:
    """The object store that the settings name, else the table. Raises `InvalidSettings`."""
    return ObjectStoreBlobs(group.storage_url) if group.storage_url else table


class ObjectStoreBlobs:
    """Blobs in an object store; credentials come from the URL or the store's own environment variables."""

    def __init__(self, url: settings.SecretUrl) -> None:
        try:
            from obstore.exceptions import BaseError  # noqa: PLC0415 - an extra
            from obstore.store import from_url  # noqa: PLC0415
        except ImportError as error:
            raise errors.InvalidSettings(
                "CAKEGATE_PICTURES_STORAGE_URL needs the extra: pip install 'cakegate[objectstore]'"
            ) from error
        try:
            self._store = from_url(url.reveal())
        except (BaseError, ValueError) as error:
            raise errors.InvalidSettings(f"CAKEGATE_PICTURES_STORAGE_URL: {url} cannot be used") from error

    async def put(self, blobs: Sequence[renditions.Blob]) -> None:
        """See `Blobs.put`."""
        local = "Local" in type(self._store).__name__
        for each in blobs:
            attributes = {} if local else {"Content-Type": each.media_type}
            await self._store.put_async(each.key, each.content, attributes=attributes)

    async def get(self, key: str) -> bytes | None:
        """See `Blobs.get`."""
        try:
            found = await self._store.get_async(key)
        except FileNotFoundError:
            return None
        return bytes(await found.bytes_async())
