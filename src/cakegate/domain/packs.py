"""Where a model pack comes from: a folder, or an archive by its address and hash."""

import re
from typing import Final
from urllib.parse import urldefrag

import msgspec

_ADDRESS: Final = re.compile(r"https?://", re.IGNORECASE)
_FRAGMENT: Final = re.compile(r"sha256=([0-9a-f]{64})")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """`place` is a folder, or an address where `archive_sha256` is set; `model_sha256` is that of the model file in it.

    Hashes are hexadecimal; an empty `model_sha256` asks for none but the card's.
    """

    place: str
    archive_sha256: str = ""
    model_sha256: str = ""

    @property
    def is_remote(self) -> bool:
        """Whether it has to be fetched."""
        return bool(self.archive_sha256)


def source(place: str, *, archive_sha256: str = "", model_sha256: str = "") -> Source:
    """What was said of a pack, as one. An address may carry its archive's hash as its fragment, `#sha256=...`.

    Raises:
        ValueError: an address without its archive's hash, or with two; or a folder with one.
    """
    if not _ADDRESS.match(place):
        if archive_sha256:
            raise ValueError("it is the hash of an archive, which goes with an http or https address")
        return Source(place=place, model_sha256=model_sha256)
    address, fragment = urldefrag(place)
    carried = _FRAGMENT.fullmatch(fragment)
    if fragment and carried is None:
        raise ValueError("the fragment of an address can be sha256= and 64 hexadecimal digits, nothing else")
    found = {each for each in (archive_sha256, carried[1] if carried else "") if each}
    if len(found) != 1:
        raise ValueError(
            "an address needs the SHA-256 of its archive, here or as its fragment #sha256=..."
            if not found
            else "it is not the hash that the address has as its fragment"
        )
    return Source(place=address, archive_sha256=found.pop(), model_sha256=model_sha256)
