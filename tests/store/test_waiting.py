"""`cakegate migrate --wait`: a database that is still coming up is no failure."""

import psycopg
import pytest
from click.testing import CliRunner

from cakegate import cli, contract, settings
from cakegate.adapters.store import migrations
from cakegate.domain import errors


def test_a_database_that_is_there_is_not_waited_for(database_url):
    said = []

    migrations.wait(settings.SecretUrl(database_url), seconds=30, say=said.append)

    assert [] == said


def test_one_that_comes_up_is_waited_for_and_the_reason_is_said_once(database_url):
    name = f"{database_url.rpartition('/')[2]}_later"
    said = []

    def come_up(line):
        said.append(line)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")

    url = settings.SecretUrl(f"{database_url.rpartition('/')[0]}/{name}")
    migrations.wait(url, seconds=30, say=come_up)

    assert [True] == [line.startswith("waiting: Cannot connect to postgresql://***@") for line in said]


def test_one_that_never_comes_is_the_error_that_it_was():
    url = settings.SecretUrl("postgresql://cakegate:hunter2@127.0.0.1:9/none")

    with pytest.raises(errors.DatabaseUnavailable, match=r"127\.0\.0\.1:9"):
        migrations.wait(url, seconds=0.1, say=print)


def test_the_verb_waits_and_migrates(database_url, monkeypatch):
    monkeypatch.setenv("CAKEGATE_DATABASE_URL", database_url)
    done = CliRunner().invoke(cli.verbs, ["migrate", "--wait", "5"])

    assert (0, f"schema {contract.SCHEMA_VERSION}\n") == (done.exit_code, done.output)
