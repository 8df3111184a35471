"""One stage for all cases, and what the cases came to."""

import psycopg
import pytest
import stages


def pytest_terminal_summary(terminalreporter, config) -> None:
    """What was answered, where that is what one wanted to know."""
    if config.option.markexpr != "contract" or not stages.seen:
        return
    for name in dict.fromkeys(name for name, _ in stages.seen):
        statuses = sorted((status, count) for (other, status), count in stages.seen.items() if other == name)
        terminalreporter.write_line(f"{name:<14}" + "  ".join(f"{status}: {count}" for status, count in statuses))
    held = "not every" if terminalreporter.stats.get("failed") else "every"
    terminalreporter.write_line(f"contract: {stages.seen.total()} requests, {held} answer as the document has it")


@pytest.fixture(scope="module")
def stage(postgres_url, valkey_server, tmp_path_factory):
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE contract TEMPLATE template_cakegate STRATEGY file_copy")
    config = stages.config_of(f"{postgres_url.rpartition('/')[0]}/contract", valkey_server.url)
    with stages.Stage(config, tmp_path_factory.mktemp("contract")).running() as running:
        yield running
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE contract WITH (FORCE)")
