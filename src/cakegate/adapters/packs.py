"""Model packs by URL. What one is must be known before: nothing is unpacked before its hash is right.

The archive is a tar of the pack's folder, compressed or not. Its files are looked for by their names and written by us,
so that no entry of it decides where anything goes. Which names, and how large each may be, the caller says: packs'
contents are the detector's matter.
"""

import contextlib
import hashlib
import lzma
import os
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Final, Self

import httpx
import structlog

from cakegate import settings
from cakegate.domain import errors

_log = structlog.get_logger()

#: For what lies in an archive beside the pack's own files.
_BESIDE_BYTES: Final = 15 * 1024 * 1024
_MEMBERS_MAX: Final = 1000
#: What says more of the entry that follows it (a long name, PAX records): `tarfile` reads all of it into memory, before
#: it shows that entry.
_SAYS_MORE: Final = frozenset({
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
})  # fmt: skip
_SAYS_MOST_BYTES: Final = 1024 * 1024
_FETCH_SECONDS: Final = 600.0
_SILENCE_SECONDS: Final = 20.0


def shown(url: str) -> str:
    """An address as it is logged and told: what may be a key to it (its user, its query) is left out."""
    return settings.redact_url(url)


@contextlib.contextmanager
def opened(url: str, *, sha256: str, files: Mapping[str, int], cache: Path | None = None) -> Iterator[Path]:
    """A pack's files in a folder of its own for a block: from `cache` where its archive is there, else from `url`.

    Archives are kept in `cache` by their hash, and asked for it each time: what was tampered with or broke on the disk
    is fetched anew. A cache that cannot be written costs the next start a download, and is no reason not to start.

    Raises:
        InvalidPack: it cannot be had in time, is too large, is not what its hash says, or holds no pack.
    """
    with tempfile.TemporaryDirectory(prefix="cakegate-pack-") as folder, contextlib.ExitStack() as stack:
        archive = _kept(cache, sha256)
        if archive is None:
            archive = stack.enter_context(tempfile.TemporaryFile())
            _download(url, archive, sha256=sha256, most_bytes=_most_bytes(files))
            _keep(archive, cache, sha256)
        else:
            stack.enter_context(archive)
        _unpack(archive, Path(folder), shown(url), files)
        yield Path(folder)


def fetch(url: str, *, sha256: str, into: Path, files: Mapping[str, int], seconds: float = _FETCH_SECONDS) -> None:
    """Fetch a pack's archive and put its files into a folder, which is made; files of that name are replaced.

    `files` maps each file's name to its most bytes.

    Raises:
        InvalidPack: it cannot be had in time, is too large, is not what its hash says, or holds no pack.
    """
    with tempfile.TemporaryFile() as archive:
        _download(url, archive, sha256=sha256, most_bytes=_most_bytes(files), seconds=seconds)
        _unpack(archive, into, shown(url), files)


def _most_bytes(files: Mapping[str, int]) -> int:
    return sum(files.values()) + _BESIDE_BYTES


def _kept(cache: Path | None, sha256: str) -> IO[bytes] | None:
    """The archive of this hash as it was kept, at its beginning; None where there is none that is whole."""
    if cache is None:
        return None
    try:
        archive = (cache / f"{sha256}.tar").open("rb")
    except OSError:
        return None
    if hashlib.file_digest(archive, "sha256").hexdigest() != sha256:
        archive.close()
        _log.warning("pack.kept_broken", path=str(cache / f"{sha256}.tar"))
        return None
    archive.seek(0)
    return archive


def _keep(archive: IO[bytes], cache: Path | None, sha256: str) -> None:
    """Write an archive under another name and rename it when it is whole: others may start at the same time."""
    if cache is None:
        return
    archive.seek(0)
    try:
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, partial = tempfile.mkstemp(dir=cache, suffix=".partial")
        try:
            with os.fdopen(handle, "wb") as written:
                while chunk := archive.read(1024 * 1024):
                    written.write(chunk)
            Path(partial).replace(cache / f"{sha256}.tar")
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
    except OSError as error:
        _log.warning("pack.not_kept", cache=str(cache), error=error.strerror)


def _download(url: str, archive: IO[bytes], *, sha256: str, most_bytes: int, seconds: float = _FETCH_SECONDS) -> None:
    """Write what is at an address to a file, if it is what its hash says."""
    ends_at, said = time.monotonic() + seconds, shown(url)
    digest, size = hashlib.sha256(), 0
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=_SILENCE_SECONDS) as response:
            if response.status_code != httpx.codes.OK:
                raise errors.InvalidPack(f"{said} answers with status {response.status_code}")
            # As it is sent: an archive's compression is the archive's own, and its hash covers that.
            for chunk in response.iter_raw():
                size += len(chunk)
                if size > most_bytes:
                    raise errors.InvalidPack(f"{said} is larger than {most_bytes:,} bytes")
                if time.monotonic() > ends_at:
                    raise errors.InvalidPack(f"{said} takes too long")
                digest.update(chunk)
                archive.write(chunk)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise errors.InvalidPack(f"{said} cannot be fetched: {str(error) or type(error).__name__}") from error
    if digest.hexdigest() != sha256:
        raise errors.InvalidPack(f"{said} has SHA-256 {digest.hexdigest()}, expected is {sha256}")


def _unpack(archive: IO[bytes], into: Path, said: str, files: Mapping[str, int]) -> None:
    """Put the pack's files into a folder."""
    archive.seek(0)
    try:
        found = _written(archive, into, said, files)
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise errors.InvalidPack(f"{said} cannot be unpacked: {error}") from error
    if missing := sorted(files.keys() - found.keys()):
        raise errors.InvalidPack(f"{said} holds no {' and no '.join(missing)}")
    if len(set(found.values())) > 1:
        raise errors.InvalidPack(f"{said} holds {' and '.join(sorted(found))} in different folders")


class _Entry(tarfile.TarInfo):
    """What an archive says of one entry."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """See `tarfile.TarInfo`. Raises `tarfile.TarError` also for what would fill the memory."""
        found = super().frombuf(buf, encoding, errors)
        if found.type in _SAYS_MORE and found.size > _SAYS_MOST_BYTES:
            raise tarfile.TarError(f"{found.size:,} bytes of words about one entry")
        return found


def _written(archive: IO[bytes], into: Path, said: str, files: Mapping[str, int]) -> dict[str, str]:
    """Which of the pack's files were found and written, and in which folder of the archive each lay."""
    into.mkdir(parents=True, exist_ok=True)
    found: dict[str, str] = {}
    with tarfile.open(fileobj=archive, mode="r:*", tarinfo=_Entry) as entries:
        total = 0
        for number, member in enumerate(entries):
            # Asked before the next one is looked for, which would unpack this one.
            total += member.size
            if total > _most_bytes(files) or number >= _MEMBERS_MAX:
                raise errors.InvalidPack(f"{said} unpacks to more than a pack can be")
            path = PurePosixPath(member.name)
            if path.name not in files:
                continue
            if path.name in found:
                raise errors.InvalidPack(f"{said} holds more than one {path.name}")
            _write(entries, member, into / path.name, said, most_bytes=files[path.name])
            found[path.name] = str(path.parent)
    return found


def _write(entries: tarfile.TarFile, member: tarfile.TarInfo, target: Path, said: str, *, most_bytes: int) -> None:
    """Write one file under another name and rename it when it is whole."""
    if not member.isreg() or member.issparse() or member.size > most_bytes:
        raise errors.InvalidPack(f"{said}: {member.name} is no plain file of at most {most_bytes:,} bytes")
    source = entries.extractfile(member)
    assert source is not None
    partial = target.with_suffix(".partial")
    content = source.read()
    if len(content) != member.size:
        raise errors.InvalidPack(f"{said}: {member.name} is cut off")
    partial.write_bytes(content)
    partial.replace(target)
