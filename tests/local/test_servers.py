"""Private servers: closed to others, durable across restarts, and gone when whoever started them is."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys

import psutil
import psycopg
import pytest
import redis

from cakegate.domain import errors
from cakegate.local import servers


def test_postgres_listens_on_loopback_alone_and_asks_for_its_password(postgres_url):
    with psycopg.connect(postgres_url) as connection:
        listening, sockets, encryption = (
            connection.execute(f"SHOW {name}").fetchone()[0]
            for name in ("listen_addresses", "unix_socket_directories", "password_encryption")
        )

    assert ("127.0.0.1", "", "scram-sha-256") == (listening, sockets, encryption)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(_with_password(postgres_url, "guessed"))


def test_valkey_asks_for_its_password_keeps_what_it_was_given_and_has_two_databases(redis_url):
    with contextlib.closing(redis.Redis.from_url(redis_url, decode_responses=True)) as client:
        found = client.config_get("maxmemory-policy", "databases", "bind")

    assert {"maxmemory-policy": "noeviction", "databases": "2", "bind": "127.0.0.1"} == found
    with (
        contextlib.closing(redis.Redis.from_url(_with_password(redis_url, "guessed"))) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_no_password_stands_on_a_command_line(postgres_url, valkey_server, services_folder):
    for name in ("postgres", "valkey"):
        password = (services_folder / name / "password").read_text()
        started = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]

        assert [] == [line for line in started if password in line]
        assert 0o600 == (services_folder / name / "password").stat().st_mode & 0o777
    assert 0o600 == (services_folder / "valkey" / "valkey.conf").stat().st_mode & 0o777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a user to give up")
def test_as_root_postgres_runs_as_a_user_who_owns_its_data_alone(postgres_url, services_folder):
    data = services_folder / "postgres" / "data"
    with psycopg.connect(postgres_url) as connection:
        pid = connection.execute("SELECT pg_backend_pid()").fetchone()[0]

        assert "nobody" == psutil.Process(pid).username()
    assert ("nobody", 0o700) == (data.owner(), data.stat().st_mode & 0o777)
    assert 0 == services_folder.stat().st_uid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has closed folders to avoid")
def test_a_folder_that_postgres_cannot_reach_is_left_as_it_is(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    chosen = servers._reachable(closed / "postgres")
    try:
        assert chosen.parent != closed
        assert 0o700 == closed.stat().st_mode & 0o777
        assert (0, 0o711) == (chosen.stat().st_uid, chosen.stat().st_mode & 0o777)
        os.chown(chosen, 65_534, -1)
        with pytest.raises(errors.InvalidSettings, match="belongs to somebody else"):
            servers._reachable(closed / "postgres")
    finally:
        chosen.rmdir()


def test_a_folder_with_blanks_and_quotes_in_its_name_will_do_and_its_content_survives(tmp_path):
    folder = tmp_path / 'two words, a "quote" and a \\'
    for number in (1, 2):
        server = servers.valkey(folder, port=servers.free_port())
        with (
            servers.running(server, log=tmp_path / "log"),
            contextlib.closing(redis.Redis.from_url(server.url)) as client,
        ):
            assert number == client.incr("starts")

    assert (folder / "appendonlydir").is_dir()


def test_what_initdb_says_is_passed_on_and_nothing_half_made_is_kept(services_folder):
    folder = services_folder / "broken"
    folder.mkdir()
    whole = servers._postgres_binaries(folder, user=None)
    # Without the programs and libraries that belong beside it.
    shutil.copy(whole / "initdb", folder)

    with pytest.raises(errors.InvalidSettings, match=r"initdb failed: .*(libpq|postgres)"):
        servers._initdb(folder, folder / "data", password="secret", user="nobody" if os.geteuid() == 0 else None)

    assert not (folder / "data").exists()


def test_a_server_that_ends_at_once_is_said_to_have_ended(tmp_path):
    server = servers.valkey(tmp_path, port=servers.free_port())
    argv = [*server.argv, "--port", "none"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    with pytest.raises(errors.InvalidSettings, match="valkey ended with status 1"):
        servers.wait_ready(server, process)


STARTER = """
import subprocess, sys, time
from pathlib import Path
from cakegate.local import servers
server = servers.valkey(Path(sys.argv[1]), port=servers.free_port())
process = subprocess.Popen(server.argv, stdout=subprocess.DEVNULL, **servers.spawn_options(server))
servers.wait_ready(server, process)
print(process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a guard does it")
def test_a_server_ends_with_whoever_started_it_even_by_kill_9(tmp_path):
    with subprocess.Popen([sys.executable, "-c", STARTER, tmp_path], stdout=subprocess.PIPE) as starter:
        server = psutil.Process(int(starter.stdout.readline()))
        starter.kill()

    assert _ends(server)


def test_a_guard_ends_its_server_when_the_pipe_closes(tmp_path):
    reading_end, writing_end = os.pipe()
    command = [sys.executable, "-m", "cakegate.local.guard", str(reading_end), "sleep", "60"]
    with subprocess.Popen(command, pass_fds=[reading_end]) as guarding:
        os.close(reading_end)
        guarded = _child_of(guarding.pid)
        os.close(writing_end)

        assert -signal.SIGINT % 256 == guarding.wait(timeout=10)
    assert _ends(guarded)


def test_a_guard_passes_signals_on(tmp_path):
    reading_end, writing_end = os.pipe()
    command = [sys.executable, "-m", "cakegate.local.guard", str(reading_end), "sleep", "60"]
    with subprocess.Popen(command, pass_fds=[reading_end]) as guarding:
        guarded = _child_of(guarding.pid)
        guarding.send_signal(signal.SIGTERM)

        assert -signal.SIGTERM % 256 == guarding.wait(timeout=10)
    os.close(reading_end)
    os.close(writing_end)
    assert _ends(guarded)


def _child_of(pid):
    """Its one child, once it runs its own program and the parent handles signals."""
    parent = psutil.Process(pid)
    while not (children := parent.children()) or "sleep" not in children[0].name() or parent.num_threads() == 1:
        assert parent.is_running()
    return children[0]


def _ends(process):
    """A zombie has ended; whoever adopted it has not looked yet."""
    _, alive = psutil.wait_procs([process], timeout=10)
    return [] == [left for left in alive if left.status() != psutil.STATUS_ZOMBIE]


def _with_password(url, password):
    head, _, rest = url.partition("://")
    user, _, place = rest.partition(":")
    return f"{head}://{user}:{password}@{place.partition('@')[2]}"
