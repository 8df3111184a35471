"""Real services for the whole suite: one private Postgres and one private Valkey, as `cakegate up` runs them.

Each test gets a database of its own, copied from a migrated template, and an empty Valkey.
"""

import contextlib
import itertools
import os
from pathlib import Path

import psycopg
import pytest
import redis

from cakegate import settings
from cakegate.adapters.store import migrations
from cakegate.local import sample, servers

_numbers = itertools.count(1)


def pytest_terminal_summary(terminalreporter, config) -> None:
    """Say what the default run leaves out."""
    if config.option.markexpr.startswith("not ") and "deselected" in terminalreporter.stats:
        terminalreporter.write_line(
            "left out: make apiserver|e2e|chaos-smoke|chaos|contract|fuzz|bench-smoke, see CONTRIBUTING.md"
        )


@pytest.fixture(scope="session")
def services_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("services")
    # As root, Postgres runs as another user, who must be able to reach its folder.
    for parent in (folder, folder.parent, folder.parent.parent):
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def stack_folder(tmp_path_factory):
    """Makes a folder that Postgres's user can reach too, by a name.

    As root it would else keep its data below /var/tmp, where nothing cleans up after a test: pytest's own folders are
    closed to other users, up to the one that all its runs share.
    """

    def make(name):
        folder = tmp_path_factory.mktemp(name)
        for parent in (folder, *folder.parents):
            if parent.stat().st_uid == os.geteuid() and parent.stat().st_mode & 0o055 != 0o055:
                parent.chmod(0o755)
            if parent.name.startswith("pytest-of-"):
                break
        return folder

    return make


@pytest.fixture(scope="session")
def postgres_url(services_folder) -> str:
    """A Postgres of the suite's own, as its administrator; database `template_cakegate` is migrated."""
    server = servers.postgres(services_folder / "postgres", port=servers.free_port(), durable=False)
    with servers.running(server, log=services_folder / "postgres.log"):
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE template_cakegate")
        migrations.upgrade(settings.SecretUrl(with_database(server.url, "template_cakegate")))
        yield server.url


def with_database(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"


@pytest.fixture
def database_url(postgres_url) -> str:
    """A migrated database for one test."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template_cakegate STRATEGY file_copy")
    yield with_database(postgres_url, name)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def valkey_server(services_folder) -> servers.Server:
    server = servers.valkey(services_folder / "valkey", port=servers.free_port(), durable=False)
    with servers.running(server, log=services_folder / "valkey.log"):
        yield server


@pytest.fixture
def redis_url(valkey_server) -> str:
    """An empty Valkey for one test."""
    with contextlib.closing(redis.Redis.from_url(valkey_server.url)) as client:
        client.flushall()
    return valkey_server.url


@pytest.fixture
async def sample_api(tmp_path):
    """A sample legacy API in this process."""
    async with sample.serve(tmp_path / "sample") as running:
        yield running
