"""The pack that a process judges by: from a folder or an address, kept for the next start, or refused."""

import contextlib
import functools
import hashlib
import http.server
import io
import tarfile
import threading

import pytest

from cakegate import settings
from cakegate.adapters import detector
from cakegate.domain import errors
from cakegate.worker import judging


@pytest.fixture(scope="module")
def archive():
    """The starter pack as a tar, and its hash."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as opened:
        opened.add(detector.starter_pack(), arcname="pack")
    return made.getvalue(), hashlib.sha256(made.getvalue()).hexdigest()


@pytest.fixture
def address(tmp_path, archive):
    """A server of the archive, closed before its end where a test says so."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "pack.tar").write_bytes(archive[0])

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *args):  # noqa: A002 - its name there
            pass

    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            http.server.ThreadingHTTPServer(
                ("127.0.0.1", 0), functools.partial(Handler, directory=str(tmp_path / "www"))
            )
        )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        yield f"http://127.0.0.1:{server.server_port}/pack.tar"


def group(place, tmp_path, **changes):
    return settings.Detector(**{"pack": place, "cache_folder": str(tmp_path / "cache"), **changes})


def test_a_pack_by_address_is_fetched_once_and_needs_no_network_at_the_next_start(address, archive, tmp_path):
    first = judging.load_detector(group(address, tmp_path, pack_sha256=archive[1]))
    again = judging.load_detector(group(f"http://127.0.0.1:1/gone.tar#sha256={archive[1]}", tmp_path))
    shadow = judging.load_shadow(group("", tmp_path, shadow_pack=f"http://127.0.0.1:1/gone.tar#sha256={archive[1]}"))

    assert detector.Detector.load(detector.starter_pack()).card == first.card == again.card == shadow.card


@pytest.mark.parametrize(
    ("archive_sha256", "model_sha256", "complaint"),
    [("0" * 64, "", "expected is 0000"), (None, "1" * 64, "the settings say '1111")],
)
def test_a_pack_that_is_not_what_was_asked_for_fails_the_start(
    address, archive, tmp_path, archive_sha256, model_sha256, complaint
):
    chosen = group(address, tmp_path, pack_sha256=archive_sha256 or archive[1], sha256=model_sha256)

    with pytest.raises(errors.InvalidPack, match=complaint):
        judging.load_detector(chosen)


def test_the_images_own_pack_is_held_to_its_hash_too(tmp_path):
    with pytest.raises(errors.InvalidPack, match="the settings say '1111"):
        judging.load_detector(group("", tmp_path, sha256="1" * 64))


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"PACK": "https://models.example/p.tar"}, "PACK_SHA256: an address needs the SHA-256"),
        ({"PACK": "/packs/strict", "PACK_SHA256": "a" * 64}, "PACK_SHA256: it is the hash of an archive"),
        ({"PACK_SHA256": "a" * 64}, "PACK_SHA256: goes with CAKEGATE_DETECTOR_PACK"),
        ({"SHADOW_PACK": "https://models.example/p.tar"}, "SHADOW_PACK_SHA256: an address needs"),
        ({"SHADOW_SHA256": "a" * 64}, "SHADOW_PACK: is missing"),
        ({"SHADOW_SHARE": "1.5"}, "CAKEGATE_DETECTOR_SHADOW_SHARE"),
        ({"PACK_SHA256": "abc"}, "CAKEGATE_DETECTOR_PACK_SHA256"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_the_name_of_its_variable(variables, complaint):
    environ = {f"CAKEGATE_DETECTOR_{name}": value for name, value in variables.items()}

    with pytest.raises(errors.InvalidSettings, match=complaint):
        settings.from_env(environ, env_file=None)
