"""The schema: once, twice, from many at a time; and what it refuses."""

import asyncio
import concurrent.futures

import psycopg
import pytest

from cakegate import contract, settings
from cakegate.adapters.store import migrations, schema
from cakegate.domain import errors


async def test_the_code_and_the_newest_migration_agree(db):
    assert contract.SCHEMA_VERSION == await schema.current(db)


async def test_many_at_once_and_again_are_one(database_url):
    url = settings.SecretUrl(database_url)

    versions = await asyncio.gather(*(asyncio.to_thread(migrations.upgrade, url) for _ in range(4)))

    assert {contract.SCHEMA_VERSION} == set(versions)


def test_who_waits_for_a_table_in_use_does_not_hold_up_its_other_users(database_url):
    """As a nightly dump or a long query has it; users who come after a waiting migration would wait as long."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "DROP TABLE models; DROP INDEX verdicts_shadow; UPDATE schema_version SET version_num = '0003'"
        )
    with (
        concurrent.futures.ThreadPoolExecutor(1) as threads,
        psycopg.connect(database_url) as long,
        psycopg.connect(database_url, autocommit=True) as other,
    ):
        long.execute("LOCK TABLE verdicts IN ROW EXCLUSIVE MODE")
        said = []
        migrating = threads.submit(migrations.upgrade, settings.SecretUrl(database_url), say=said.append)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'verdicts'::regclass"
        while not other.execute(waiting).fetchone()[0]:
            other.execute("SELECT pg_sleep(0.01)")
        other.execute("SET lock_timeout = '5s'")

        other.execute("DELETE FROM verdicts")

        assert not migrating.done()
        long.rollback()
        assert contract.SCHEMA_VERSION == migrating.result()
        assert ["waiting: A table that is to be changed is in use: by a dump, or by a long query."] == said


async def test_the_listing_says_what_is_applied(database_url):
    listed = migrations.listing(settings.SecretUrl(database_url))

    assert [("0001", True), ("0002", True), ("0003", True), ("0004", True)] == [
        (each.version, each.applied) for each in listed
    ]


def test_a_database_that_is_not_there_is_named_without_its_password():
    url = settings.SecretUrl("postgresql://cakegate:hunter2@127.0.0.1:9/none")

    with pytest.raises(errors.DatabaseUnavailable, match=r"127\.0\.0\.1:9") as caught:
        migrations.upgrade(url)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        "state = 'judging'",
        "lease_token = gen_random_uuid()",
        "state = 'rejected'",
        "state = 'created'",
        "state = 'baked'",
    ],
)
async def test_the_schema_itself_refuses_rows_that_make_no_sense(database_url, put, change):
    await put.pending()

    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(f"UPDATE submissions SET {change}")
