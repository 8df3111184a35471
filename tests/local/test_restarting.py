"""How the supervisor brings back what dies: with growing pauses, and also when it cannot be started for a while."""

import asyncio
import os
import signal
import sys

import pytest

from cakegate.local import processes, supervisor


class Lines(list):
    """What processes said, and a way to wait for it."""

    def __init__(self) -> None:
        self._more = asyncio.Event()

    def take(self, name, line):
        self.append((name, line))
        self._more.set()

    async def more(self):
        self._more.clear()
        await self._more.wait()

    async def until(self, line):
        async with asyncio.timeout(20):
            while ("odd", line) not in self:
                await self.more()


@pytest.fixture
def lines():
    return Lines()


@pytest.fixture
async def watch(lines):
    opened = supervisor.Supervisor(lines.take)
    yield opened
    await opened.stop()


def program(*argv):
    return processes.Process(name="odd", argv=[*argv], environ=dict(os.environ), ready_url="http://127.0.0.1:9/")


async def test_pauses_grow_and_the_ending_is_named(watch, lines):
    await watch.add_process(program("false"))

    for pause in ("0.2", "0.4", "0.8"):
        await lines.until(f"ended with status 1; starts again in {pause} s")


async def test_a_program_that_is_not_there_for_a_while_is_tried_again(watch, lines, tmp_path):
    script = tmp_path / "program"
    script.write_text("#!/bin/sh\necho started\nexec sleep 60\n")
    script.chmod(0o755)
    await watch.add_process(program(str(script)))
    await lines.until("started")
    script.rename(tmp_path / "away")

    os.kill(watch.children["odd"].process.pid, signal.SIGKILL)
    await lines.until("ended with signal SIGKILL; starts again in 0.2 s")
    await lines.until("cannot be started: No such file or directory; tried again in 0.4 s")
    lines.remove(("odd", "started"))
    (tmp_path / "away").rename(script)

    await lines.until("started")


async def test_what_does_not_stop_in_time_is_killed_and_the_others_are_stopped_too(watch, lines):
    stubborn = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)\n"
    deaf = processes.Process(
        name="odd", argv=[sys.executable, "-c", f"{stubborn}while True: time.sleep(1)"], environ=dict(os.environ),
        ready_url="http://127.0.0.1:9/", drain_seconds=0.2,
    )  # fmt: skip
    other = processes.Process(
        name="other", argv=["sleep", "60"], environ=dict(os.environ), ready_url="http://127.0.0.1:9/"
    )
    await watch.add_process(deaf)
    await watch.add_process(other)
    await lines.until("deaf")

    for child in watch.children.values():
        child.stopping = True
        await watch._stop(child)

    assert ("odd", "did not stop within 0.2 s; killed") in lines
    assert [-signal.SIGKILL, -signal.SIGTERM] == [child.process.returncode for child in watch.children.values()]


async def test_lines_that_are_too_long_or_no_text_do_not_stop_the_others(watch, lines):
    code = "import sys; w=sys.stdout.buffer.write; w(b'x'*600_000+b'\\n'); w(b'\\xff\\n'); w(b'last\\n')"
    await watch.add_process(program(sys.executable, "-c", code))

    await lines.until("last")

    assert ("odd", "(a line too long to show)") in lines
    assert ("odd", "\ufffd") in lines


POLITE = """
import signal, sys, time
name = sys.argv[1]
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("up", name, flush=True)
signal.sigwait({signal.SIGTERM})
print("asked", name, flush=True)
time.sleep(0.3)
print("ended", name, flush=True)
"""


async def test_waves_are_stopped_one_after_another_and_last_words_are_heard(lines):
    watch = supervisor.Supervisor(lines.take)
    for name, wave in (("late", 2), ("first", 0), ("one", 1), ("two", 1)):
        argv = [sys.executable, "-c", POLITE, name]
        url = "http://127.0.0.1:9/"
        await watch.add_process(
            processes.Process(name=name, argv=argv, environ=dict(os.environ), ready_url=url, stop_wave=wave)
        )
    async with asyncio.timeout(20):
        while len(lines) < 4:
            await lines.more()
    lines.clear()

    await watch.stop()

    said = [line for _, line in lines]
    assert ["asked first", "ended first"] == said[:2]
    assert ["asked one", "asked two"] == sorted(said[2:4])
    assert ["ended one", "ended two"] == sorted(said[4:6])
    assert ["asked late", "ended late"] == said[6:]
