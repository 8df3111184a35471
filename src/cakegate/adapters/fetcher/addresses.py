"""Which IP addresses are the public internet, by table.

`ipaddress.is_global` is no guard: it lets through `::127.0.0.1`, `64:ff9b::7f00:1`, `fec0::1` and `224.0.0.1`. Here
whatever embeds an IPv4 address is unwrapped first, and what then lies in a special-purpose block is refused. The blocks
are those of the IANA special-purpose address registries and of the RFC named beside each.

A network's own NAT64 prefix cannot be told from any other public address: who runs one must keep private IPv4 addresses
out of its translator.
"""

import ipaddress
from collections.abc import Iterator
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_DENIED_V4: Final = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network, RFC 791
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598
        "127.0.0.0/8",  # loopback, RFC 1122
        "169.254.0.0/16",  # link-local and metadata services, RFC 3927
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # IETF protocol assignments, RFC 6890
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.31.196.0/24",  # AS112, RFC 7535
        "192.52.193.0/24",  # AMT, RFC 7450
        "192.88.99.0/24",  # 6to4 relay anycast, RFC 7526
        "192.168.0.0/16",  # private, RFC 1918
        "192.175.48.0/24",  # AS112, RFC 7534
        "198.18.0.0/15",  # benchmarking, RFC 2544
        "198.51.100.0/24",  # documentation, RFC 5737
        "203.0.113.0/24",  # documentation, RFC 5737
        "224.0.0.0/4",  # multicast, RFC 1112
        "240.0.0.0/4",  # reserved and broadcast, RFC 1112
        "168.63.129.16/32",  # a cloud's host agent: a public address that is answered inside
    )
)

#: Of IPv6 only what is delegated to the public at all (RFC 4291 §2.4), less the special blocks inside it.
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
#: Besides, what is the public IPv4 internet under another name: these are judged by the address inside alone. The NAT64
#: prefix is how a network without IPv4 reaches it (RFC 6052 §3.1: it never stands for a private one, and is checked).
_IPV4_V6: Final = (ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("64:ff9b::/96"))
_DENIED_V6: Final = tuple(
    ipaddress.IPv6Network(block)
    for block in (
        "2001::/23",  # IETF protocol assignments (Teredo, ORCHID, benchmarking, …), RFC 2928
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4, RFC 3056: also where the address inside is public, nobody serves pictures there
        "2620:4f:8000::/48",  # AS112, RFC 7534
        "3fff::/20",  # documentation, RFC 9637
    )
)

#: Where an IPv4 address stands inside an IPv6 one: the block, and how many bits follow the address.
_EMBEDDINGS: Final = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),  # mapped, RFC 4291
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),  # translated, RFC 2765
    (ipaddress.IPv6Network("::/96"), 0),  # compatible, RFC 4291
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # NAT64, RFC 6052
    (ipaddress.IPv6Network("64:ff9b:1::/48"), 0),  # local NAT64, RFC 8215, at a /96 of it (and never global)
    (ipaddress.IPv6Network("2002::/16"), 80),  # 6to4, RFC 3056
)
_TEREDO: Final = ipaddress.IPv6Network("2001::/32")  # RFC 4380: the client's address, inverted, in the last 32 bits
_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)  # RFC 5214: bits 32 to 63 of the interface identifier


def embedded(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """Every IPv4 address that an address may stand for, itself included."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    number = int(address)
    for block, shift in _EMBEDDINGS:
        if address in block:
            yield ipaddress.IPv4Address((number >> shift) & 0xFFFF_FFFF)
    if address in _TEREDO:
        yield ipaddress.IPv4Address((number & 0xFFFF_FFFF) ^ 0xFFFF_FFFF)
        yield ipaddress.IPv4Address((number >> 64) & 0xFFFF_FFFF)
    if (number >> 32) & 0xFFFF_FFFF in _ISATAP:
        yield ipaddress.IPv4Address(number & 0xFFFF_FFFF)


def refusal(address: Address) -> str | None:
    """Why we do not connect to this address, or None where we do."""
    for inner in embedded(address):
        for block in _DENIED_V4:
            if inner in block:
                return f"{address} is in {block}" if inner == address else f"{address} stands for {inner}, in {block}"
    return _refusal_v6(address) if isinstance(address, ipaddress.IPv6Address) else None


def _refusal_v6(address: ipaddress.IPv6Address) -> str | None:
    if address.scope_id is not None:
        return f"{address} has a zone"
    if any(address in block for block in _IPV4_V6):
        return None
    if address not in _GLOBAL_V6:
        return f"{address} is not in {_GLOBAL_V6}"
    return next((f"{address} is in {block}" for block in _DENIED_V6 if address in block), None)
