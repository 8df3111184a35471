"""The supervisor, with small processes of the test's own: restart, order, and nothing left behind."""

import asyncio
import os
import signal
import socket
import sys
import time

import psutil
import pytest

from cakegate.domain import errors
from cakegate.local import processes, stack, supervisor

SERVE = (
    "import http.server,sys; print('hello', flush=True);"
    "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()"
)


def web(name, port, code=SERVE):
    return processes.Process(
        name=name,
        argv=[sys.executable, "-c", code, str(port)],
        environ=dict(os.environ),
        ready_url=f"http://127.0.0.1:{port}/",
    )


@pytest.fixture
async def watch():
    lines = []
    opened = supervisor.Supervisor(lambda name, line: lines.append((name, line)))
    opened.lines = lines
    yield opened
    await opened.stop()


async def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)


async def test_a_process_is_ready_when_it_says_so_and_its_lines_carry_its_name(watch, free_tcp_port):
    await watch.add_process(web("web", free_tcp_port))
    await watch.wait_ready("web")

    await until(lambda: ("web", "hello") in watch.lines)


async def test_what_dies_is_started_again(watch, free_tcp_port):
    await watch.add_process(web("web", free_tcp_port))
    await watch.wait_ready("web")
    first = watch.children["web"].process.pid

    os.kill(first, signal.SIGKILL)
    await until(lambda: watch.children["web"].restarts == 1)
    await watch.wait_ready("web")

    assert first != watch.children["web"].process.pid


async def test_what_never_gets_ready_is_given_up_by_name(watch, free_tcp_port):
    await watch.add_process(web("broken", free_tcp_port, code="raise SystemExit(3)"))

    with pytest.raises(errors.InvalidSettings, match="broken does not get ready"):
        await watch.wait_ready("broken")


async def test_stop_ends_all_in_order(free_tcp_port_factory):
    watch = supervisor.Supervisor(lambda _name, _line: None)
    for name in ("one", "two"):
        await watch.add_process(web(name, free_tcp_port_factory()))
    for name in ("one", "two"):
        await watch.wait_ready(name)
    pids = [child.process.pid for child in watch.children.values()]

    await watch.stop()

    assert [False, False] == [psutil.pid_exists(pid) for pid in pids]


def test_one_folder_has_one_stack(tmp_path):
    lock = stack.prepare(tmp_path)

    with pytest.raises(errors.InvalidSettings, match=f"as process {os.getpid()}"):
        stack.prepare(tmp_path)
    lock.release()
    stack.prepare(tmp_path).release()


def test_ports_are_remembered_and_moved_when_they_are_taken(tmp_path):
    chosen = []
    for _ in range(2):
        lock = stack.prepare(tmp_path)
        chosen.append(stack.choose_ports(tmp_path, lock, wanted={}))
        lock.release()
    first, again = chosen
    with socket.create_server(("127.0.0.1", first["gateway"])):
        lock = stack.prepare(tmp_path)
        moved = stack.choose_ports(tmp_path, lock, wanted={})
        with pytest.raises(errors.InvalidSettings, match=str(first["gateway"])):
            stack.choose_ports(tmp_path, lock, wanted={"gateway": first["gateway"]})
        lock.release()

    assert first == again
    assert first["gateway"] != moved["gateway"]
    assert len(set(moved.values())) == len(moved)


def test_the_stacks_file_is_for_its_owner_alone(tmp_path):
    found = stack.Stack(
        pid=os.getpid(), gateway_url="g", upstream_url="u", sample_url=None, pictures=None, database_url="d",
        redis_url="r", metrics_urls={},
    )  # fmt: skip
    stack.publish(tmp_path, found)

    assert found == stack.find(tmp_path)
    assert 0o600 == (tmp_path / "stack.json").stat().st_mode & 0o777
    stack.withdraw(tmp_path)
    with pytest.raises(errors.InvalidSettings, match="No stack runs"):
        stack.find(tmp_path)


def test_the_users_variables_win_over_ours_but_not_over_what_ties_the_stack_together(tmp_path):
    plan = processes.Plan(
        folder=tmp_path,
        ports=stack.PORTS,
        database_url="postgresql://ours",
        redis_url="redis://ours",
        upstream_url="http://127.0.0.1:8900",
        sample=True,
        user={"CAKEGATE_WORKER_THREADS": "7", "CAKEGATE_TELEMETRY_METRICS_PORT": "1"},
    )

    made = {process.name: process for process in processes.processes(plan)}

    assert ["gateway", "worker", "writer", "scheduler", "sample"] == list(made)
    assert "7" == made["worker"].environ["CAKEGATE_WORKER_THREADS"]
    assert "9110" == made["worker"].environ["CAKEGATE_TELEMETRY_METRICS_PORT"]
    assert "127.0.0.1:8900" == made["worker"].environ["CAKEGATE_FETCH_ALLOW"]
    assert "postgresql://ours" == made["writer"].environ["CAKEGATE_DATABASE_URL"]
