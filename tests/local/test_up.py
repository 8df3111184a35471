"""The whole stack, as a user starts it: the demo's way, and nothing left behind even after `kill -9`."""

import json
import signal
import subprocess
import sys
import time

import httpx
import psutil
import pytest

from cakegate import drawings


@pytest.fixture(scope="module")
def started(stack_folder):
    """A stack of its own, started by the command line in a folder of its own."""
    folder = stack_folder("up")
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "cakegate", "up", "--state", "state"], cwd=folder, stdout=log, stderr=log
    )
    deadline = time.monotonic() + 50
    while not (folder / "state" / "stack.json").exists():
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.05)
    yield folder, process
    process.kill()
    process.wait()
    log.close()


def cakegate(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "cakegate", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.timeout(120)
def test_the_stack_judges_a_file_of_the_users_and_leaves_nothing_behind(started):
    folder, process = started
    drawings.draw_cake(drawings.DEMO_SEEDS[0]).save(folder / "cake.jpg")
    drawings.draw_other(drawings.DEMO_SEEDS[1]).save(folder / "other.jpg")
    found = json.loads((folder / "state" / "stack.json").read_text())

    created = cakegate(folder, "submit", "cake.jpg", "--state", "state")
    rejected = cakegate(folder, "submit", "other.jpg", "--state", "state")
    private = cakegate(folder, "submit", "http://169.254.169.254/latest/", "--state", "state")
    missing = cakegate(folder, "submit", "missing.jpg", "--state", "state")
    listed = httpx.get(f"{found['gateway_url']}/api/cakes").json()

    assert (0, 1, 1, 2) == (created.returncode, rejected.returncode, private.returncode, missing.returncode)
    assert "201 created" in created.stdout
    assert "not-a-cake" in rejected.stdout
    assert "not-allowed" in private.stdout
    assert 1 == len(listed)
    assert [] == list((folder / "state" / "sample" / "pictures").iterdir())
    second = cakegate(folder, "up", "--state", "state")
    assert (2, True) == (second.returncode, f"as process {process.pid}" in second.stderr)

    family = psutil.Process(process.pid).children(recursive=True)
    assert {"postgres", "cakegate"} <= {"postgres" if "postgres" in p.name() else "cakegate" for p in family}
    process.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=20)
    # A zombie has ended; whoever adopted it has not looked yet.
    assert [] == [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
