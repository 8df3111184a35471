"""Packs by URL and hash, from a server of the test's own: `cakegate model fetch`, and the cache of a process."""

import contextlib
import hashlib
import http.server
import io
import random
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cakegate import cli
from cakegate.adapters import detector, packs
from cakegate.domain import errors

CARD = b'{"name": "a card"}'
MODEL = b"a model" * 1000


def archive(members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as opened:  # type: ignore[call-overload]
        for member, content in members:
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return made.getvalue()


def plain(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, target
    return found


PACK = [(plain("strict/card.json"), CARD), (plain("strict/model.onnx"), MODEL), (plain("strict/README"), b"hello")]


@contextlib.contextmanager
def served(content: bytes, *, status: int = 200) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/strict.tar.gz"
        finally:
            server.shutdown()
            thread.join()


def fetch(content: bytes, into: Path, *, status: int = 200, sha256: str = "") -> None:
    with served(content, status=status) as url:
        packs.fetch(url, sha256=sha256 or hashlib.sha256(content).hexdigest(), into=into, files=detector.FILES)


def held(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_pack_is_fetched_and_its_two_files_are_unpacked(tmp_path: Path, mode: str) -> None:
    fetch(archive(PACK, mode), tmp_path / "pack")
    assert {"card.json": CARD, "model.onnx": MODEL} == held(tmp_path / "pack")


def test_a_second_fetch_replaces_the_first(tmp_path: Path) -> None:
    fetch(archive(PACK), tmp_path)
    fetch(archive([(plain("card.json"), b"{}"), (plain("model.onnx"), b"other")]), tmp_path)
    assert {"card.json": b"{}", "model.onnx": b"other"} == held(tmp_path)


def test_what_the_hash_does_not_vouch_for_is_not_unpacked(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidPack, match="expected is 0000"):
        fetch(archive(PACK), tmp_path / "pack", sha256="0" * 64)
    assert {} == held(tmp_path)


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ([(plain("card.json"), CARD)], "holds no model.onnx"),
        ([(plain("readme"), CARD)], "holds no card.json and no model.onnx"),
        ([*PACK, (plain("other/card.json"), CARD)], "more than one card.json"),
        ([(plain("a/card.json"), CARD), (plain("b/model.onnx"), MODEL)], "in different folders"),
        ([(link("card.json", "/etc/passwd"), b""), (plain("model.onnx"), MODEL)], "no plain file"),
        ([(link("model.onnx", "card.json", tarfile.LNKTYPE), b""), (plain("card.json"), CARD)], "no plain file"),
        ([(plain("card.json"), b" " * (detector.CARD_MAX_BYTES + 1))], "no plain file of at most"),
    ],
)
def test_an_archive_that_is_no_pack_is_refused(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], complaint: str
) -> None:
    with pytest.raises(errors.InvalidPack, match=complaint):
        fetch(archive(members), tmp_path)


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_an_archive_whose_compression_is_broken_is_refused(tmp_path: Path, mode: str) -> None:
    """The hash may be right all the same: it is that of what somebody put there."""
    content = archive([(plain("card.json"), CARD), (plain("model.onnx"), random.Random(0).randbytes(400_000))], mode)
    with pytest.raises(errors.InvalidPack, match="cannot be unpacked"):
        fetch(content[:100_000] + bytes(200_000) + content[300_000:], tmp_path)


def test_an_archive_that_says_too_much_of_an_entry_is_refused_before_that_fills_the_memory(tmp_path: Path) -> None:
    header = tarfile.TarInfo("words")
    header.type = tarfile.XHDTYPE
    content = archive([(header, bytes(2 * 1024 * 1024)), *PACK])
    with pytest.raises(errors.InvalidPack, match="2,097,152 bytes of words about one entry"):
        fetch(content, tmp_path)


def test_no_entry_of_an_archive_decides_where_it_goes(tmp_path: Path) -> None:
    wild = [(plain("../../card.json"), CARD), (plain("../../model.onnx"), MODEL), (plain("/etc/cakegate"), b"no")]
    fetch(archive(wild), tmp_path / "deep" / "pack")
    assert {"deep/pack/card.json": CARD, "deep/pack/model.onnx": MODEL} == held(tmp_path)


def test_an_archive_that_unpacks_to_far_more_than_a_pack_is_refused(tmp_path: Path) -> None:
    members = [(plain(f"filler-{number}"), bytes(10 * 1024 * 1024)) for number in range(9)]
    with pytest.raises(errors.InvalidPack, match="unpacks to more than a pack can be"):
        fetch(archive([*members, *PACK]), tmp_path)


def test_an_archive_of_too_many_entries_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidPack, match="unpacks to more than a pack can be"):
        fetch(archive([(plain(f"{number}"), b"") for number in range(1001)] + PACK), tmp_path)


@pytest.mark.parametrize("content", [b"", b"no archive", archive(PACK, "w")[:3000]], ids=["empty", "other", "cut off"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(errors.InvalidPack, match="cannot be unpacked"):
        fetch(content, tmp_path)


def test_an_address_without_a_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidPack, match="answers with status 404"):
        fetch(b"", tmp_path, status=404)


def test_an_archive_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    # What may lie beside the files is a constant: so many bytes, and one.
    content = bytes(15 * 1024 * 1024 + 1)
    with served(content) as url, pytest.raises(errors.InvalidPack, match="larger than 15,728,640 bytes"):
        packs.fetch(url, sha256=hashlib.sha256(content).hexdigest(), into=tmp_path, files={})


def test_a_server_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    with served(archive(PACK)) as url, pytest.raises(errors.InvalidPack, match="takes too long"):
        packs.fetch(url, sha256="0" * 64, into=tmp_path, files=detector.FILES, seconds=-1)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/pack.tar", "ftp://example.com/pack.tar", "http://[/"])
def test_an_address_that_cannot_be_asked_is_an_error_that_names_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(errors.InvalidPack, match="cannot be fetched"):
        packs.fetch(url, sha256="0" * 64, into=tmp_path, files=detector.FILES)


def test_the_verb_says_what_it_put_where(tmp_path: Path) -> None:
    content = archive(PACK)
    with served(content) as url:
        done = CliRunner().invoke(
            cli.verbs,
            ["model", "fetch", url, "--sha256", hashlib.sha256(content).hexdigest().upper(), "--into", str(tmp_path)],
        )
    assert (0, f"{tmp_path}: card.json, model.onnx\n") == (done.exit_code, done.output)


def read(url: str, content: bytes, cache: Path | None) -> dict[str, bytes]:
    sha256 = hashlib.sha256(content).hexdigest()
    with packs.opened(url, sha256=sha256, files=detector.FILES, cache=cache) as folder:
        return held(folder)


def test_a_pack_that_was_fetched_once_needs_no_network_again(tmp_path: Path) -> None:
    content = archive(PACK)
    with served(content) as url:
        first = read(url, content, tmp_path / "cache")
    assert {"card.json": CARD, "model.onnx": MODEL} == first
    assert first == read("http://127.0.0.1:1/gone.tar", content, tmp_path / "cache")
    assert {f"{hashlib.sha256(content).hexdigest()}.tar": content} == held(tmp_path / "cache")


def test_a_kept_archive_that_is_not_what_its_name_says_is_fetched_anew(tmp_path: Path) -> None:
    content = archive(PACK)
    kept = tmp_path / f"{hashlib.sha256(content).hexdigest()}.tar"
    kept.write_bytes(archive([(plain("card.json"), b"evil"), (plain("model.onnx"), b"evil")]))
    with served(content) as url:
        assert {"card.json": CARD, "model.onnx": MODEL} == read(url, content, tmp_path)
    assert content == kept.read_bytes()


def test_what_its_hash_does_not_vouch_for_is_not_kept(tmp_path: Path) -> None:
    with served(b"other") as url, pytest.raises(errors.InvalidPack, match="expected is"):
        read(url, archive(PACK), tmp_path / "cache")
    assert {} == held(tmp_path)


def test_a_cache_that_cannot_be_written_is_no_reason_to_do_without_the_pack(tmp_path: Path) -> None:
    content = archive(PACK)
    (tmp_path / "file").write_bytes(b"no folder")
    with served(content) as url:
        assert {"card.json": CARD, "model.onnx": MODEL} == read(url, content, tmp_path / "file" / "cache")


def test_what_may_be_a_key_to_an_address_is_not_told(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidPack) as raised:
        packs.fetch("http://user:pass@127.0.0.1:1/a.tar?sig=secret", sha256="0" * 64, into=tmp_path, files={})
    assert str(raised.value).startswith("http://***@127.0.0.1:1/a.tar?*** cannot be fetched")
