"""CA certificates for Redis: given to clients that speak TLS, and only to them."""

import pytest

from cakegate import settings
from cakegate.adapters import allowances, mailbox
from cakegate.adapters.queue import broker
from cakegate.domain import errors


@pytest.fixture
def group(tmp_path):
    (tmp_path / "ca.crt").write_text("", encoding="utf-8")

    def read(url):
        environ = {"CAKEGATE_REDIS_URL": url, "CAKEGATE_REDIS_CA_FILE": str(tmp_path / "ca.crt")}
        return settings.from_env(environ, env_file=None).redis

    return read


def test_all_clients_trust_the_file_with_a_rediss_url(group):
    chosen = group("rediss://:secret@redis.example.com:6380")

    clients = [
        broker.connect(chosen, database=0, timeout_seconds=1),
        mailbox.Mailbox(chosen)._client,
        allowances.Allowances(chosen)._client,
    ]

    assert [chosen.ca_file] * 3 == [each.connection_pool.connection_kwargs["ssl_ca_certs"] for each in clients]


def test_without_tls_there_is_nothing_to_trust(group):
    client = broker.connect(group("redis://redis.example.com"), database=0, timeout_seconds=1)

    assert "ssl_ca_certs" not in client.connection_pool.connection_kwargs


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(errors.InvalidSettings, match="CAKEGATE_REDIS_CA_FILE: there is no file /none"):
        settings.from_env({"CAKEGATE_REDIS_CA_FILE": "/none"}, env_file=None)
