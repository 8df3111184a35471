"""The renditions of pictures that Cakegate judged."""

import pytest

from cakegate.adapters.store import renditions as stored
from cakegate.domain import renditions
from cakegate.domain.renditions import Format, Preset

SHA256 = b"\x01" * 32


def slug(answer) -> str:
    assert "application/problem+json" == answer.headers["content-type"]
    return answer.json()["type"].removeprefix("https://cakegate.dev/problems/")


def made(preset: Preset, image_format: Format) -> renditions.Rendition:
    content = f"{preset.value} as {image_format.value}".encode()
    return renditions.Rendition(preset=preset, format=image_format, width=4, height=3, content=content)


@pytest.fixture
async def created(gateway):
    """A cake whose picture was rendered."""
    row = await gateway.create(await gateway.pending())
    each = [made(preset, image_format) for preset in Preset for image_format in Format]
    await gateway.gate.blobs.put([renditions.blob(SHA256, one) for one in each])
    await stored.record(gateway.db, SHA256, each, submission_id=row.id)
    return row


@pytest.mark.parametrize(
    ("query", "accept", "content"),
    [
        ("", "*/*", b"web as jpeg"),
        ("?platform=web", "image/webp,*/*", b"web as webp"),
        ("/?platform=mobile", "image/jpeg", b"mobile as jpeg"),
        ("?platform=mobile", "image/avif,image/webp", b"mobile as webp"),
    ],
)
async def test_a_platform_gets_its_size_in_a_format_that_it_takes(gateway, created, query, accept, content):
    answer = await gateway.http.get(f"/api/cakes/{created.upstream_id}/image{query}", headers={"Accept": accept})

    assert (200, content, "Accept") == (answer.status_code, answer.content, answer.headers["vary"])
    assert content.rpartition(b" ")[2].decode() == answer.headers["content-type"].removeprefix("image/")
    assert "public, max-age=3600" == answer.headers["cache-control"]


async def test_a_client_that_has_it_gets_304_and_no_bytes(gateway, created):
    path = f"/api/cakes/{created.upstream_id}/image"
    etag = (await gateway.http.get(path)).headers["etag"]
    answer = await gateway.http.get(path, headers={"If-None-Match": f'"other", W/{etag}'})
    webp = await gateway.http.get(path, headers={"If-None-Match": etag, "Accept": "image/webp"})

    assert (304, b"", etag, "Accept") == (
        answer.status_code,
        answer.content,
        answer.headers["etag"],
        answer.headers["vary"],
    )
    assert 200 == webp.status_code


async def test_a_form_that_there_is_not_is_406(gateway, created):
    answer = await gateway.http.get(f"/api/cakes/{created.upstream_id}/image", headers={"Accept": "image/avif"})

    assert (406, "not-acceptable") == (answer.status_code, slug(answer))


async def test_a_platform_that_there_is_not_is_400(gateway, created):
    answer = await gateway.http.get(f"/api/cakes/{created.upstream_id}/image?platform=thumbnail")

    assert (400, "platform") == (answer.status_code, answer.json()["errors"][0]["field"])


async def test_a_cake_that_was_not_judged_here_has_no_image(gateway, created):
    await gateway.http.delete(f"/api/cakes/{created.upstream_id}")

    for cake_id in ("77", created.upstream_id):
        answer = await gateway.http.get(f"/api/cakes/{cake_id}/image")

        assert (404, "image-not-found") == (answer.status_code, slug(answer))


async def test_a_picture_not_rendered_yet_has_no_image(gateway):
    row = await gateway.create(await gateway.pending())
    answer = await gateway.http.get(f"/api/cakes/{row.upstream_id}/image")

    assert (404, "image-not-found") == (answer.status_code, slug(answer))
