"""Whose request it is: what proxies that are trusted noted, and nothing that anybody can make up."""

import pytest
import structlog

from cakegate import settings
from cakegate.domain import errors
from cakegate.gateway import clients


def told_apart(*, trusted=(), header="x-forwarded-for", key="", url="postgresql://u:p@db/cakegate") -> clients.Clients:
    return clients.Clients(
        settings.Settings(
            gateway=settings.Gateway(
                trusted_proxies=trusted, client_header=header, client_hash_key=settings.Secret(key)
            ),
            database=settings.Database(url=settings.SecretUrl(url)),
        )
    )


def scope(peer: str | None, *headers: tuple[str, str]) -> dict:
    return {
        "client": (peer, 4711) if peer else None,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }


def address(peer, *lines: str, trusted=("10.0.0.0/8", "fd00::/8"), header="x-forwarded-for") -> str:
    asked = scope(peer, *((header, line) for line in lines))
    return str(told_apart(trusted=trusted, header=header).address(asked))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "10.0.0.1"),
        (["203.0.113.7"], "203.0.113.7"),
        (["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        (["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, 10.0.0.2, 10.0.0.3"], "203.0.113.7"),
        (["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        (["203.0.113.7:4711"], "203.0.113.7"),
        (["[2001:db8::7]:4711"], "2001:db8::7"),
        (["2001:db8::7"], "2001:db8::7"),
        (["::ffff:203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, unknown"], "10.0.0.1"),
        (["203.0.113.7, "], "10.0.0.1"),
        (["203.0.113.7, 1.2.3"], "10.0.0.1"),
        (["203.0.113.7, nonsense, 10.0.0.2"], "10.0.0.2"),
        (["203.0.113.7\u00b2"], "10.0.0.1"),
    ],
)
def test_the_right_most_address_that_is_no_trusted_proxy_s_counts(lines, expected):
    assert expected == address("10.0.0.1", *lines)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["for=203.0.113.7;proto=https"], "203.0.113.7"),
        (['by=10.0.0.9;For="[2001:db8::7]:4711"'], "2001:db8::7"),
        (["for=198.51.100.1, for=203.0.113.7, for=10.0.0.2"], "203.0.113.7"),
        (["for=203.0.113.7, for=_hidden"], "10.0.0.1"),
        (["proto=https"], "10.0.0.1"),
        (['for="198.51.100.1, for=203.0.113.7'], "203.0.113.7"),
    ],
    ids=["plain", "quoted", "a chain", "obfuscated", "no for", "an open quote of the client's"],
)
def test_forwarded_is_read_where_the_setting_says_so(lines, expected):
    assert expected == address("10.0.0.1", *lines, header="forwarded")


def test_only_the_header_of_the_setting_is_read():
    asked = scope("10.0.0.1", ("forwarded", "for=198.51.100.1"), ("x-forwarded-for", "203.0.113.7"))

    assert "203.0.113.7" == str(told_apart(trusted=("10.0.0.0/8",)).address(asked))


@pytest.mark.parametrize("peer", ["203.0.113.9", "2001:db8::9", "::ffff:203.0.113.9"])
def test_a_stranger_s_word_counts_for_nothing(peer):
    assert address(peer) == address(peer, "198.51.100.1")


def test_a_trusted_proxy_is_known_in_both_forms_of_its_address():
    assert "203.0.113.7" == address("::ffff:10.0.0.1", "203.0.113.7")


def test_a_subscriber_of_ipv6_is_one_client():
    names = {
        peer: told_apart().of(scope(peer)) for peer in ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1", "::1")
    }

    assert names["2001:db8::1"] == names["2001:db8::ffff:2"]
    assert 3 == len({*names.values()})


def test_names_are_hashes_that_need_the_key():
    asked = scope("203.0.113.7")
    by_url, again = told_apart().of(asked), told_apart().of(asked)
    other_url, by_key = told_apart(url="postgresql://u:q@db/cakegate").of(asked), told_apart(key="k").of(asked)

    assert (24, True) == (len(by_url), by_url == again)
    assert 3 == len({by_url, other_url, by_key})


def test_a_peer_that_the_server_does_not_know_is_one_client():
    assert told_apart().of(scope(None)) == told_apart().of({"headers": []})


def test_a_proxy_that_is_not_trusted_is_said_once():
    asked = scope("10.0.0.1", ("x-forwarded-for", "203.0.113.7"))
    apart = told_apart()
    with structlog.testing.capture_logs() as logged:
        for _ in range(2):
            apart.of(asked)

    assert ["client.proxy_not_trusted"] == [line["event"] for line in logged]
    assert "203.0.113.7" not in str(logged)


def test_networks_that_are_none_are_refused():
    with pytest.raises(errors.InvalidSettings, match="CAKEGATE_GATEWAY_TRUSTED_PROXIES"):
        settings.from_env({"CAKEGATE_GATEWAY_TRUSTED_PROXIES": "10.0.0.1/8"}, env_file=None)


@pytest.mark.parametrize("rate", ["60", "0/minute", "60/minutes;1/second", "60/fortnight", "60/0 minutes", "-1/second"])
def test_rates_that_are_none_are_refused(rate):
    with pytest.raises(errors.InvalidSettings, match="CAKEGATE_GATEWAY_READ_RATE"):
        settings.from_env({"CAKEGATE_GATEWAY_READ_RATE": rate}, env_file=None)
