"""Who a request comes from, without keeping their address: a keyed hash that means nothing elsewhere.

A client is an IPv4 address, or the /64 of an IPv6 address: one subscriber has all of it. Behind proxies it is what the
last proxy that we trust wrote down; what stands to the left of that, anybody can have made up.
"""

import hashlib
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

import structlog

from cakegate import settings

_log = structlog.get_logger()

Address = IPv4Address | IPv6Address

_IPV6_PREFIX: Final = 64
_HASH_BYTES: Final = 12
_MAX_PROXIES: Final = 20


class Clients:
    """Tells clients apart by the rules of the settings."""

    def __init__(self, config: settings.Settings) -> None:
        self._trusted = tuple(ip_network(each) for each in config.gateway.trusted_proxies)
        self._header = config.gateway.client_header.encode()
        self._key = _key(config)
        self._warned = False

    def of(self, scope: Any) -> str:
        """A name for the client of an ASGI scope; the same in every gateway of the installation."""
        address = self.address(scope)
        network = "" if address is None else str(_network(address))
        return hashlib.blake2b(network.encode(), key=self._key, digest_size=_HASH_BYTES).hexdigest()

    def address(self, scope: Any) -> Address | None:
        """The address that a request comes from; None where the server does not know its peer."""
        peer = _parsed((scope.get("client") or ("",))[0])
        if peer is None or not self._trusts(peer):
            self._warn(peer, scope["headers"])
            return peer
        client = peer
        for entry in reversed(self._entries(scope["headers"])):
            named = _parsed(entry)
            if named is None:
                # `unknown`, a made-up name, or nonsense: the proxy that wrote it down must do.
                return client
            client = named
            if not self._trusts(named):
                break
        return client

    def _warn(self, peer: Address | None, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Say once that a proxy seems to be there: untrusted, all who come through it are one client."""
        if not self._warned and peer is not None and peer.is_private and self._entries(headers):
            self._warned = True
            _log.warning("client.proxy_not_trusted", setting="CAKEGATE_GATEWAY_TRUSTED_PROXIES")

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _entries(self, headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
        """What the proxies noted, the last one last; several lines are one list (RFC 9110 §5.3)."""
        lines = [value.decode("latin-1") for name, value in headers if name.lower() == self._header]
        # Split at every comma, quoted or not: a client's unbalanced quote must not swallow what a proxy appended.
        # From the right, and no more than proxies stand in a row: what is left of those is one entry, a bad one.
        entries = ",".join(lines).rsplit(",", _MAX_PROXIES) if lines else []
        return [_for_of(entry) if self._header == b"forwarded" else entry for entry in entries]


def _for_of(element: str) -> str:
    """The `for` of one element of a Forwarded header (RFC 7239 §4)."""
    for pair in element.split(";"):
        name, _, value = pair.strip().partition("=")
        if name.lower() == "for":
            return value.strip().strip('"')
    return ""


def _parsed(text: str) -> Address | None:
    """An address as proxies write it: bare, with a port, IPv6 in brackets; IPv4 inside IPv6 is IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _network(address: Address) -> object:
    return ip_network((int(address), _IPV6_PREFIX), strict=False) if isinstance(address, IPv6Address) else address


def _key(config: settings.Settings) -> bytes:
    """The setting's, else one made of the database's address: all gateways have that, and Redis has not."""
    secret = config.gateway.client_hash_key.reveal() or config.database.url.reveal()
    return hashlib.blake2b(secret.encode(), person=b"cakegate-client").digest()
