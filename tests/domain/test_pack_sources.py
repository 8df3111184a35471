"""Where a pack comes from: what may be said together, and what may not."""

import pytest

from cakegate.domain import packs

A, B = "a" * 64, "b" * 64
URL = "https://models.example/strict.tar.gz"


@pytest.mark.parametrize(
    ("place", "archive", "expected"),
    [
        ("/packs/strict", "", packs.Source(place="/packs/strict", model_sha256=B)),
        (URL, A, packs.Source(place=URL, archive_sha256=A, model_sha256=B)),
        (f"{URL}#sha256={A}", "", packs.Source(place=URL, archive_sha256=A, model_sha256=B)),
        (f"{URL}#sha256={A}", A, packs.Source(place=URL, archive_sha256=A, model_sha256=B)),
        (f"HTTP://h/a?b=c#sha256={A}", "", packs.Source(place="http://h/a?b=c", archive_sha256=A, model_sha256=B)),
    ],
)
def test_a_folder_or_an_address_with_a_hash(place, archive, expected):
    found = packs.source(place, archive_sha256=archive, model_sha256=B)

    assert expected == found
    assert (place.lower().startswith("http")) == found.is_remote


@pytest.mark.parametrize(
    ("place", "archive", "complaint"),
    [
        (URL, "", "needs the SHA-256"),
        (f"{URL}#sha256={A}", B, "not the hash that the address has"),
        (f"{URL}#md5=1", A, "nothing else"),
        (f"{URL}#sha256={A[:10]}", A, "nothing else"),
        ("/packs/strict", A, "goes with an http or https address"),
    ],
)
def test_what_vouches_for_nothing_or_for_two_things_is_refused(place, archive, complaint):
    with pytest.raises(ValueError, match=complaint):
        packs.source(place, archive_sha256=archive)
