"""Children that die, hang, leak or are cancelled: who is blamed, and what comes next."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import made_pictures
import pytest
from PIL import Image

from cakegate import settings
from cakegate.adapters.pixels import answers, pool, protocol
from cakegate.domain import errors, verdicts
from cakegate.domain.renditions import Preset

SMALL = made_pictures.encoded(made_pictures.quarters())


@pytest.fixture(scope="module")
def slow():
    """A picture that takes about a second, and few bytes."""
    return made_pictures.encoded(Image.new("RGBA", (7000, 7000), (1, 2, 3, 4)), "PNG", compress_level=1)


async def pid_of(child):
    return (await child.start()).pid


def said(pid, name):
    """What /proc says of a process."""
    return Path(f"/proc/{pid}/{name}").read_text()


def limits_of(pid):
    return {line[:26].strip(): line[26:].split()[0] for line in said(pid, "limits").splitlines()}


def descriptors_of(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def is_alive(pid):
    """Whether a process runs; one that is dead and not yet collected does not."""
    try:
        return said(pid, "stat").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until(condition, seconds=10.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what happens to other processes sets no event
            await asyncio.sleep(0.005)


def memory_bytes(pid):
    return int(said(pid, "statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def until_it_is_at_work(pid):
    """Its memory grows once it decodes."""
    before = memory_bytes(pid)
    await until(lambda: memory_bytes(pid) > before + 20_000_000)


async def test_a_picture_is_blamed_for_the_death_of_the_child_that_decodes_it(new_pool, slow):
    async with new_pool() as children:
        async with children.lease() as child:
            pid = await pid_of(child)
            decoding = asyncio.create_task(child.decode(slow))
            await until_it_is_at_work(pid)
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(errors.DecoderDied, match="ended with status -9"):
                await decoding
            assert 64 == (await child.decode(SMALL)).width
        async with children.lease() as child:
            assert pid != await pid_of(child)


async def test_nobody_is_blamed_for_a_child_that_died_idle(new_pool):
    async with new_pool() as children, children.lease() as child:
        pid = await pid_of(child)
        os.kill(pid, signal.SIGKILL)
        assert 64 == (await child.decode(SMALL)).width
        assert pid != await pid_of(child)


async def test_nobody_is_blamed_for_a_child_that_died_between_two_leases(new_pool):
    async with new_pool() as children:
        async with children.lease() as child:
            pid = await pid_of(child)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not is_alive(pid))
        async with children.lease() as child:
            assert 64 == (await child.decode(SMALL)).width


async def test_a_child_that_died_with_its_picture_renders_nothing(new_pool):
    async with new_pool() as children, children.lease() as child:
        await child.decode(SMALL)
        os.kill(await pid_of(child), signal.SIGKILL)
        with pytest.raises(errors.DecoderDied):
            await child.render([Preset.WEB])
        with pytest.raises(errors.DecoderDied):
            await child.render([Preset.WEB])


async def test_a_picture_that_takes_too_long_is_blamed_and_its_child_replaced(new_pool, slow):
    async with new_pool(decode_seconds=0.3) as children, children.lease() as child:
        pid = await pid_of(child)
        with pytest.raises(errors.DecoderDied, match="took longer"):
            await child.decode(slow)
        assert not is_alive(pid)
        assert 64 == (await child.decode(SMALL)).width


async def test_a_picture_is_not_blamed_for_the_time_in_which_the_worker_was_stopped(new_pool):
    async with new_pool(decode_seconds=0.4) as children, children.lease() as child:
        pid = await pid_of(child)
        decoding = asyncio.create_task(child.decode(SMALL))
        await asyncio.sleep(0)
        time.sleep(0.8)  # noqa: ASYNC251 - as SIGSTOP would: the event loop does nothing meanwhile
        assert 64 == (await decoding).width
        assert pid == await pid_of(child)


async def test_a_stopped_child_is_no_picture_s_fault(new_pool):
    async with new_pool(decode_seconds=0.5) as children, children.lease() as child:
        os.kill(await pid_of(child), signal.SIGSTOP)
        assert 64 == (await child.decode(SMALL)).width


async def test_a_cancelled_decode_leaves_no_answer_for_the_next_one(new_pool, slow):
    async with new_pool() as children:
        async with children.lease() as child:
            pid = await pid_of(child)
            decoding = asyncio.create_task(child.decode(slow))
            await until_it_is_at_work(pid)
            decoding.cancel()
            with pytest.raises(asyncio.CancelledError):
                await decoding
        async with children.lease() as child:
            assert 64 == (await child.decode(SMALL)).width
            assert not is_alive(pid)


async def test_a_lease_that_is_cancelled_while_it_waits_takes_no_place(new_pool):
    async with new_pool() as children:

        async def take():
            async with children.lease() as child:
                return (await child.decode(SMALL)).width

        async with children.lease():
            waiting = asyncio.create_task(take())
            await asyncio.sleep(0)
            waiting.cancel()
        assert 64 == await take()


async def test_more_leases_than_children_wait_for_their_turn(new_pool):
    async with new_pool(size=2) as children:

        async def take():
            async with children.lease() as child:
                return await pid_of(child), (await child.decode(SMALL)).width

        answers = await asyncio.gather(*(take() for _ in range(10)))
        assert {64} == {width for _, width in answers}
        assert 2 >= len({pid for pid, _ in answers})


async def test_a_child_is_replaced_after_so_many_pictures(new_pool):
    async with new_pool(child_max_pictures=2) as children:
        pids = []
        for _ in range(4):
            async with children.lease() as child:
                await child.decode(SMALL)
                pids.append(await pid_of(child))
        assert [pids[0], pids[0], pids[2], pids[2]] == pids
        assert pids[0] != pids[2]


async def test_who_leases_next_cannot_have_the_picture_of_who_leased_before(new_pool):
    async with new_pool() as children:
        async with children.lease() as child:
            await child.decode(SMALL)
        async with children.lease() as child:
            with pytest.raises(errors.DecoderDied, match="gone"):
                await child.render([Preset.WEB])


async def test_an_idle_child_lets_its_picture_go(new_pool, monkeypatch):
    monkeypatch.setattr(pool, "_IDLE_SECONDS", 0.05)
    async with new_pool() as children:
        async with children.lease() as child:
            await child.decode(SMALL)
            running = await child.start()
        await asyncio.sleep(0.2)
        answer = await running.render(protocol.Render(presets=[Preset.WEB]))
        assert "no picture is held" == answer.detail


async def test_the_next_picture_takes_the_place_of_the_last_one(new_pool):
    async with new_pool() as children:
        for size in ((64, 48), (32, 24)):
            async with children.lease() as child:
                await child.decode(made_pictures.encoded(made_pictures.quarters(size)))
                made = await child.render([Preset.WEB])
                assert {size} == {(each.width, each.height) for each in made}


async def test_a_picture_that_needs_too_much_memory_is_too_large(new_pool, slow):
    async with new_pool(child_memory_bytes=128 * settings.MIB) as children, children.lease() as child:
        pid = await pid_of(child)
        with pytest.raises(errors.PictureTooLarge):
            await child.decode(slow)
        assert 64 == (await child.decode(SMALL)).width
        assert pid == await pid_of(child)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_signals_to_the_whole_group_do_not_end_a_child(new_pool, number):
    async with new_pool() as children, children.lease() as child:
        pid = await pid_of(child)
        os.kill(pid, number)
        assert 64 == (await child.decode(SMALL)).width
        assert pid == await pid_of(child)


async def test_a_child_can_open_nothing_and_knows_none_of_our_secrets(new_pool, monkeypatch):
    monkeypatch.setenv("CAKEGATE_DATABASE_URL", "postgresql://cakegate:secret@db/cakegate")
    async with new_pool() as children, children.lease() as child:
        pid = await pid_of(child)
        assert "secret" not in said(pid, "environ")
        limits = limits_of(pid)
        assert str(descriptors_of(pid)) == limits["Max open files"]
        await child.decode(SMALL)
        assert "unlimited" != limits_of(pid)["Max cpu time"]
        assert "0" == limits["Max file size"]
        assert "0" == limits["Max core file size"]
        assert "0" == limits["Max processes"]
        assert str(settings.Pictures().child_memory_bytes) == limits["Max address space"]


async def test_children_end_with_the_pool(new_pool):
    async with new_pool(size=2) as children, children.lease() as one, children.lease() as other:
        pids = [await pid_of(one), await pid_of(other)]
    assert [False, False] == [is_alive(pid) for pid in pids]


async def test_a_child_ends_when_its_worker_is_killed():
    worker = subprocess.Popen(  # noqa: ASYNC220 - it is to be killed from outside
        [sys.executable, "-c", _WORKER], stdout=subprocess.PIPE, text=True
    )
    try:
        pid = int(worker.stdout.readline())
        assert is_alive(pid)
        worker.kill()
        await until(lambda: not is_alive(pid))
    finally:
        worker.kill()
        worker.stdout.close()
        worker.wait()


_WORKER = """
import asyncio
from cakegate import settings
from cakegate.adapters.pixels import pool
from cakegate.domain import verdicts

async def main():
    seen = verdicts.ModelInput(side_pixels=32, fit=verdicts.Fit.STRETCH)
    children = pool.PixelPool(settings.Pictures(), model_inputs=[seen], size=1)
    await children.start()
    async with children.lease() as child:
        print((await child.start()).pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("interpreter", ["/bin/false", "/nowhere/python"])
async def test_children_that_cannot_start_fail_the_start(monkeypatch, interpreter):
    monkeypatch.setattr(sys, "executable", interpreter)
    seen = verdicts.ModelInput(side_pixels=32, fit=verdicts.Fit.STRETCH)
    children = pool.PixelPool(settings.Pictures(), model_inputs=[seen], size=2)
    with pytest.raises(errors.Unavailable):
        await children.start()


async def test_a_child_that_talks_unasked_is_listened_to_no_longer():
    transport, heard = await asyncio.get_running_loop().subprocess_exec(answers.Answers, "yes", stdin=None, stderr=None)
    try:
        await asyncio.sleep(0.1)
        with pytest.raises(answers.EndedError):
            await heard.next(seconds=5.0)
        assert 0 == len(heard._buffer)
    finally:
        transport.kill()
        await asyncio.wait({heard.exited})
        transport.close()


def test_a_child_loads_little():
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, cakegate.adapters.pixels.child; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    heavy = {
        "asyncio",
        "aiohttp",
        "httpx",
        "numpy",
        "onnxruntime",
        "psycopg",
        "redis",
        "structlog",
        "PIL.EpsImagePlugin",
    }
    assert set() == heavy.intersection(loaded)
