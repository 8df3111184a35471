"""Where renditions' bytes lie: a Postgres table, or an object store by URL; both keep the same promises."""

import pytest

from cakegate import settings
from cakegate.adapters import blobs
from cakegate.adapters.store import renditions
from cakegate.domain import errors
from cakegate.domain.renditions import Blob, Format, Preset, Rendition, blob_key


@pytest.fixture(params=["table", "object store"])
def stored(request, db, tmp_path):
    url = f"file://{tmp_path}" if request.param == "object store" else ""
    return blobs.opened(
        settings.Pictures(storage_url=settings.SecretUrl(url)),
        table=renditions.TableBlobs(db),
    )


async def test_bytes_come_back_whole(stored):
    content = bytes(range(256)) * 1000

    await stored.put([Blob(key="renditions/ab/web.webp", content=content, media_type="image/webp")])

    assert content == await stored.get("renditions/ab/web.webp")


async def test_the_same_key_twice_is_no_error(stored):
    for _ in range(2):
        await stored.put([Blob(key="renditions/ab/web.webp", content=b"same", media_type="image/webp")])

    assert b"same" == await stored.get("renditions/ab/web.webp")


async def test_what_is_not_there_is_none(stored):
    assert await stored.get("renditions/none/web.webp") is None


@pytest.mark.parametrize("url", ["nonsense://bucket", "s3://"])
def test_a_store_that_cannot_be_used_is_named_without_its_credentials(url):
    given = settings.Pictures(storage_url=settings.SecretUrl(url.replace("://", "://user:hunter2@")))

    with pytest.raises(errors.InvalidSettings, match="CAKEGATE_PICTURES_STORAGE_URL") as caught:
        blobs.opened(given, table=None)

    assert "hunter2" not in str(caught.value)


async def test_a_rendition_is_found_by_its_picture_and_recorded_again_without_harm(db, put):
    accepted = await put.accepted()
    sha256 = b"\x07" * 32
    made = [
        Rendition(preset=Preset.WEB, format=each, width=10, height=20, content=b"x" * size)
        for each, size in ((Format.WEBP, 3), (Format.JPEG, 5))
    ]

    for _ in range(2):
        await renditions.record(db, sha256, made, submission_id=accepted.id)

    found = await renditions.find(db, sha256, Preset.WEB)
    assert [("jpeg", 5), ("webp", 3)] == [(each.format, each.size_bytes) for each in found]
    assert blob_key(sha256, Preset.WEB, Format.JPEG) == found[0].blob_key
    assert [] == await renditions.find(db, b"\x08" * 32, Preset.WEB)
