"""So that no process of ours outlives the supervisor that started it, however that one ended.

The supervisor holds the writing end of a pipe and never writes. When it is gone, the kernel closes that end, and
whoever reads the other one knows. Works everywhere, unlike Linux's parent-death signal, and is inherited.
"""

import contextlib
import os
import signal
import threading
import time

FD_VARIABLE = "CAKEGATE_TETHER_FD"
#: How long a process may drain after its supervisor is gone.
_GRACE_SECONDS = 10.0


def watch() -> None:
    """If a supervisor started us, end when it does: SIGTERM to ourselves first, then a hard exit."""
    number = os.environ.get(FD_VARIABLE)
    if number is None:
        return
    # Not for our own children: they have pipes of their own.
    os.set_inheritable(int(number), False)  # noqa: FBT003 - the standard library's signature
    threading.Thread(target=_wait, args=(int(number),), name="tether", daemon=True).start()


def _wait(reading_end: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(reading_end, 1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)  # the one thing this thread is for
    os._exit(1)
