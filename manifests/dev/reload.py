"""Runs `cakegate ARGS` from the sources in /tmp/src where there are some, and anew whenever they change.

The entry point of the image's `dev` stage: `tilt up` copies changed sources into running pods, whose root is read-only
and whose /tmp is not. Standard library alone, for it is no part of the product.
"""

# ruff: noqa: INP001 - a script
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

SOURCES = Path(os.environ.get("RELOAD_SOURCES", "/tmp/src"))  # noqa: S108 - a volume of the pod's own
PAUSE_SECONDS = 0.5
#: As long as the kubelet gives by default; then the old process is killed, for a developer waits.
END_SECONDS = 30.0


def stamp(folder: Path) -> tuple[int, int]:
    """How many sources there are and how new the newest is: differs after every copy."""
    times = [path.stat().st_mtime_ns for path in folder.rglob("*.py")]
    return len(times), max(times, default=0)


def start(arguments: list[str]) -> subprocess.Popen[bytes]:
    """The process itself; sources in /tmp/src win over installed ones."""
    paths = [str(SOURCES), os.environ.get("PYTHONPATH", "")]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.Popen([sys.executable, "-m", "cakegate", *arguments], env=environ)  # noqa: S603 - our own verbs


def end(process: subprocess.Popen[bytes]) -> None:
    """Lets it finish what it does, as long as that takes no more than half a minute."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main(arguments: list[str]) -> int:
    """Until it ends by itself, or we are told to end."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    process, seen = start(arguments), stamp(SOURCES)
    while not stopped.wait(PAUSE_SECONDS):
        # Only sources that stay as they are for a moment: half a copy does not run.
        if (now := stamp(SOURCES)) != seen and not stopped.wait(PAUSE_SECONDS) and stamp(SOURCES) == now:
            print("reload: sources changed, starting anew", flush=True)  # noqa: T201
            end(process)
            process, seen = start(arguments), now
        elif process.poll() is not None:
            return process.returncode
    end(process)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
