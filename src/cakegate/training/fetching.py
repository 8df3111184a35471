"""A model pack fetched by its URL. What it is must be known before: nothing is unpacked before its hash is right.

The archive is a tar of the pack's folder, compressed or not. Its two files are looked for by their names and written by
us, so that no entry of it decides where anything goes.
"""

import hashlib
import tarfile
import tempfile
import time
from pathlib import Path, PurePosixPath
from typing import IO, Final

import httpx

from cakegate.adapters import detector
from cakegate.domain import errors

#: A pack's two files at their largest, and something for what lies beside them.
ARCHIVE_MAX_BYTES: Final = detector.MODEL_MAX_BYTES + detector.CARD_MAX_BYTES + 15 * 1024 * 1024
_MEMBERS_MAX: Final = 1000
_FETCH_SECONDS: Final = 600.0
_SILENCE_SECONDS: Final = 20.0
_LIMITS: Final = {
    detector.MODEL_FILE: detector.MODEL_MAX_BYTES,
    detector.CARD_FILE: detector.CARD_MAX_BYTES,
}


def fetch(url: str, *, sha256: str, into: Path, seconds: float = _FETCH_SECONDS) -> None:
    """Fetch a pack's archive and put its files into a folder, which is made; files of that name are replaced.

    Raises:
        InvalidPack: it cannot be had in time, is too large, is not what its hash says, or holds no pack.
    """
    with tempfile.TemporaryFile() as archive:
        found = _download(url, archive, ends_at=time.monotonic() + seconds)
        if found != sha256:
            raise errors.InvalidPack(f"{url} has SHA-256 {found}, expected is {sha256}")
        archive.seek(0)
        try:
            _unpack(archive, into, url)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise errors.InvalidPack(f"{url} cannot be unpacked: {error}") from error


def _download(url: str, archive: IO[bytes], *, ends_at: float) -> str:
    """Write what is at an address to a file; its SHA-256."""
    digest, size = hashlib.sha256(), 0
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=_SILENCE_SECONDS) as response:
            if response.status_code != httpx.codes.OK:
                raise errors.InvalidPack(f"{url} answers with status {response.status_code}")
            # As it is sent: an archive's compression is the archive's own, and its hash covers that.
            for chunk in response.iter_raw():
                size += len(chunk)
                if size > ARCHIVE_MAX_BYTES:
                    raise errors.InvalidPack(f"{url} is larger than {ARCHIVE_MAX_BYTES:,} bytes")
                if time.monotonic() > ends_at:
                    raise errors.InvalidPack(f"{url} takes too long")
                digest.update(chunk)
                archive.write(chunk)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise errors.InvalidPack(f"{url} cannot be fetched: {str(error) or type(error).__name__}") from error
    return digest.hexdigest()


def _unpack(archive: IO[bytes], into: Path, url: str) -> None:
    into.mkdir(parents=True, exist_ok=True)
    found: dict[str, str] = {}
    with tarfile.open(fileobj=archive, mode="r:*") as opened:
        total = 0
        for number, member in enumerate(opened):
            # Asked before the next one is looked for, which would unpack this one.
            total += member.size
            if total > ARCHIVE_MAX_BYTES or number >= _MEMBERS_MAX:
                raise errors.InvalidPack(f"{url} unpacks to more than a pack can be")
            path = PurePosixPath(member.name)
            if path.name not in _LIMITS:
                continue
            if path.name in found:
                raise errors.InvalidPack(f"{url} holds more than one {path.name}")
            _write(opened, member, into / path.name, url)
            found[path.name] = str(path.parent)
    if missing := sorted(_LIMITS.keys() - found.keys()):
        raise errors.InvalidPack(f"{url} holds no {' and no '.join(missing)}")
    if len(set(found.values())) > 1:
        raise errors.InvalidPack(f"{url} holds {' and '.join(sorted(found))} in different folders")


def _write(opened: tarfile.TarFile, member: tarfile.TarInfo, target: Path, url: str) -> None:
    """Write one file under another name and rename it when it is whole."""
    if not member.isreg() or member.issparse() or member.size > _LIMITS[target.name]:
        raise errors.InvalidPack(f"{url}: {member.name} is no plain file of at most {_LIMITS[target.name]:,} bytes")
    source = opened.extractfile(member)
    assert source is not None
    partial = target.with_suffix(".partial")
    content = source.read()
    if len(content) != member.size:
        raise errors.InvalidPack(f"{url}: {member.name} is cut off")
    partial.write_bytes(content)
    partial.replace(target)
