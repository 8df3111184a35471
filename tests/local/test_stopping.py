"""A stack that is asked to stop does so at any moment, and two stacks never want the same port."""

import asyncio
import subprocess
import sys

import psutil
import pytest

from cakegate.local import processes, stack, up


async def test_work_that_ends_first_gives_its_result():
    async def work():
        return 7

    assert 7 == await up.unless(asyncio.Event(), work())


async def test_work_is_cancelled_when_stopping_comes_first():
    stopping, cancelled = asyncio.Event(), asyncio.Event()

    async def work():
        stopping.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(up.Stopped):
        await up.unless(stopping, work())
    assert cancelled.is_set()


async def test_the_trouble_of_work_is_passed_on():
    async def work():
        raise KeyError("trouble")

    with pytest.raises(KeyError, match="trouble"):
        await up.unless(asyncio.Event(), work())


def test_a_stack_whose_reader_leaves_while_it_starts_stops_and_leaves_nothing_behind(stack_folder):
    folder = stack_folder("head")
    command = [sys.executable, "-m", "cakegate", "up", "--state", "state"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
        first_line = started.stdout.readline()
        family = psutil.Process(started.pid).children(recursive=True)
        started.stdout.close()
        complaints = started.stderr.read()

    assert (130, b"") == (started.returncode, complaints)
    assert b"\xe2\x94\x82" in first_line
    assert family
    assert [] == [process for process in family if process.is_running()]
    assert not (folder / "state" / "stack.json").exists()


def test_two_stacks_that_start_at_once_choose_different_ports(tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    locks = [stack.prepare(folder) for folder in folders]

    # Neither listens yet: without a claim both would find the usual ports free.
    one, two = (stack.choose_ports(folder, lock, wanted={}) for folder, lock in zip(folders, locks, strict=True))
    locks[0].release()
    locks[1].release()
    again = stack.prepare(folders[0])

    assert set() == set(one.values()) & set(two.values())
    assert one == stack.choose_ports(folders[0], again, wanted={})
    again.release()


@pytest.mark.parametrize(
    ("given", "allowed"), [({}, "127.0.0.1:8900"), ({"CAKEGATE_FETCH_ALLOW": "p.lan:81"}, "127.0.0.1:8900,p.lan:81")]
)
def test_the_samples_address_may_be_fetched_besides_what_the_user_allows(tmp_path, given, allowed):
    plan = processes.Plan(
        folder=tmp_path, ports=stack.PORTS, database_url="d", redis_url="r", upstream_url="u", sample=True, user=given
    )

    assert {allowed} == {process.environ["CAKEGATE_FETCH_ALLOW"] for process in processes.processes(plan)}


def test_before_another_legacy_api_nothing_of_this_machine_may_be_fetched(tmp_path):
    plan = processes.Plan(
        folder=tmp_path, ports=stack.PORTS, database_url="d", redis_url="r", upstream_url="u", sample=False, user={}
    )

    made = processes.processes(plan)

    assert ["gateway", "worker", "writer", "scheduler"] == [process.name for process in made]
    assert [] == [process.name for process in made if "CAKEGATE_FETCH_ALLOW" in process.environ]
