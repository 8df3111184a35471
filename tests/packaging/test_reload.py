"""The entry point of the image's `dev` stage: sources that are copied in win, and a change starts the process anew."""

import os
import signal
import subprocess
import sys

import pytest

SPEAKS = """
import signal, sys
print({word!r}, *sys.argv[1:], flush=True)
signal.pause()
"""
ENDS = "raise SystemExit(3)\n"


@pytest.fixture
def sources(tmp_path):
    """Writes the package that is run, as a copy of sources would."""
    package = tmp_path / "src" / "cakegate"
    package.mkdir(parents=True)

    def write(text: str) -> None:
        (package / "__init__.py").touch()
        new = package / "new"
        new.write_text(text, encoding="utf-8")
        new.rename(package / "__main__.py")

    return write


@pytest.fixture
def reloading(root, tmp_path):
    process = subprocess.Popen(
        [sys.executable, root / "manifests" / "dev" / "reload.py", "worker", "--queues", "create"],
        env={**os.environ, "RELOAD_SOURCES": str(tmp_path / "src")},
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def test_changed_sources_start_it_anew_and_a_signal_ends_it(sources, tmp_path, root, request):
    sources(SPEAKS.format(word="first"))
    process = request.getfixturevalue("reloading")
    assert "first worker --queues create\n" == process.stdout.readline()
    sources(SPEAKS.format(word="second"))
    assert "reload: sources changed, starting anew\n" == process.stdout.readline()
    assert "second worker --queues create\n" == process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert 256 - signal.SIGTERM == process.wait(20)


def test_a_process_that_ends_by_itself_ends_it_with_its_status(sources, request):
    sources(ENDS)
    assert 3 == request.getfixturevalue("reloading").wait(20)
