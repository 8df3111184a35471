"""Where the kernel has no parent-death signal: a small process between us and a server, that ends it when we are gone.

Run as `python -m cakegate.local.guard FD COMMAND…`.
"""

import os
import signal
import subprocess
import sys
import threading


def argv(reading_end: int, command: list[str]) -> list[str]:
    """The command line of a guarded command."""
    return [sys.executable, "-m", "cakegate.local.guard", str(reading_end), *command]


def main() -> int:
    """Run the command; pass signals on; end it when the pipe's other end closes."""
    reading_end = int(sys.argv[1])
    process = subprocess.Popen(sys.argv[2:])

    def watch() -> None:
        while os.read(reading_end, 1):
            pass
        process.send_signal(signal.SIGINT)

    threading.Thread(target=watch, daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: process.send_signal(received))
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
