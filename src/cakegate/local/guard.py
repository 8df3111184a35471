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
    # Held back until there is a process to pass them to: one that came in between would leave it without a guard.
    passed_on = {signal.SIGINT, signal.SIGTERM}
    held_back = signal.pthread_sigmask(signal.SIG_BLOCK, passed_on)
    # No thread runs yet, so that this is safe between fork and exec.
    process = subprocess.Popen(
        sys.argv[2:],
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, held_back),  # noqa: PLW1509
    )

    def watch() -> None:
        while os.read(reading_end, 1):
            pass
        process.send_signal(signal.SIGINT)

    threading.Thread(target=watch, daemon=True).start()
    for number in passed_on:
        signal.signal(number, lambda received, _frame: process.send_signal(received))
    signal.pthread_sigmask(signal.SIG_SETMASK, held_back)
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
