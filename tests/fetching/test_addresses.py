"""Addresses inside, in every disguise that we know of: none is connected to."""

import ipaddress

import pytest

from cakegate import settings
from cakegate.adapters.fetcher import addresses, client
from cakegate.domain import errors

#: Written out, with what each is and where that is said.
INSIDE = {
    # IPv4, IANA special-purpose address registry
    "0.0.0.0": "this host, RFC 791",
    "0.1.2.3": "this network, RFC 791",
    "10.0.0.1": "private, RFC 1918",
    "10.255.255.255": "private, RFC 1918",
    "100.64.0.1": "carrier-grade NAT, RFC 6598",
    "100.100.100.200": "a cloud's metadata service",
    "127.0.0.1": "loopback, RFC 1122",
    "127.255.255.254": "loopback, RFC 1122",
    "169.254.0.1": "link-local, RFC 3927",
    "169.254.169.254": "clouds' metadata service",
    "169.254.170.2": "a cloud's credentials for containers",
    "172.16.0.1": "private, RFC 1918",
    "172.31.255.255": "private, RFC 1918",
    "192.0.0.8": "dummy address, RFC 7600",
    "192.0.0.192": "a cloud's metadata service",
    "192.0.2.1": "documentation, RFC 5737",
    "192.31.196.1": "AS112, RFC 7535",
    "192.52.193.1": "AMT, RFC 7450",
    "192.88.99.1": "6to4 relay, RFC 7526",
    "192.168.0.1": "private, RFC 1918",
    "192.175.48.1": "AS112, RFC 7534",
    "198.18.0.1": "benchmarking, RFC 2544",
    "198.19.255.255": "benchmarking, RFC 2544",
    "198.51.100.1": "documentation, RFC 5737",
    "203.0.113.1": "documentation, RFC 5737",
    "224.0.0.1": "multicast, RFC 1112",
    "239.255.255.250": "multicast, RFC 1112",
    "240.0.0.1": "reserved, RFC 1112",
    "255.255.255.255": "broadcast, RFC 919",
    "168.63.129.16": "a cloud's host agent",
    # IPv6, the same registry
    "::": "unspecified, RFC 4291",
    "::1": "loopback, RFC 4291",
    "100::1": "discard only, RFC 6666",
    "100:0:0:1::1": "dummy prefix, RFC 9780",
    "2001::1": "Teredo, RFC 4380",
    "2001:2::1": "benchmarking, RFC 5180",
    "2001:10::1": "ORCHID, RFC 4843",
    "2001:20::1": "ORCHIDv2, RFC 7343",
    "2001:db8::1": "documentation, RFC 3849",
    "2002:808:808::1": "6to4 of a public address, RFC 3056",
    "2620:4f:8000::1": "AS112, RFC 7534",
    "3fff::1": "documentation, RFC 9637",
    "5f00::1": "segment routing, RFC 9602",
    "fc00::1": "unique local, RFC 4193",
    "fd00:ec2::254": "a cloud's metadata service",
    "fe80::1": "link-local, RFC 4291",
    "fec0::1": "site-local, RFC 3879",
    "ff02::1": "multicast, RFC 4291",
    "4000::1": "not delegated, RFC 4291",
    # IPv4 inside IPv6
    "::ffff:127.0.0.1": "mapped, RFC 4291",
    "::ffff:10.0.0.1": "mapped, RFC 4291",
    "::ffff:a9fe:a9fe": "mapped metadata service",
    "::127.0.0.1": "compatible, RFC 4291",
    "::8.8.8.8": "compatible and public: nobody uses it",
    "::ffff:0:127.0.0.1": "translated, RFC 2765",
    "64:ff9b::7f00:1": "NAT64, RFC 6052",
    "64:ff9b::a9fe:a9fe": "NAT64 of the metadata service",
    "64:ff9b:1::7f00:1": "local NAT64, RFC 8215",
    "64:ff9b:1::808:808": "local NAT64 of a public address: not global",
    "2002:7f00:1::": "6to4 of loopback, RFC 3056",
    "2002:a00:1::1": "6to4 of a private address",
    "2001:0:4136:e378:8000:63bf:80ff:fffe": "Teredo of loopback, RFC 4380",
    "2001:0:7f00:1::": "Teredo of a server at loopback",
    "2600::5efe:10.0.0.1": "ISATAP in a public prefix, RFC 5214",
    "2600::200:5efe:7f00:1": "ISATAP with the universal bit, RFC 5214",
    "fe80::5efe:127.0.0.1": "ISATAP, link-local",
}

PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "198.17.255.255",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450:4001:800::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
)

#: Hosts that some library, somewhere, takes for an address inside, or that hide who they are.
DISGUISED = (
    "http://0/",
    "http://0.0/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0177.0.0.1/",
    "http://0177.1/",
    "http://00000177.0.0.1/",
    "http://0x7f.0.0.1/",
    "http://0x7f.1/",
    "http://0X7F000001/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://017700000001/",
    "http://127.0.0.1./",
    "http://127.0.0.01/",
    "http://127.0.0.0x1/",
    "http://256.256.256.256/",
    "http://4294967297/",
    "http://169.254.169.254.:80/",
    "http://2852039166/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://127。0。0。1/",
    "http://１２７.0.0.1/",  # noqa: RUF001 - digits of another width
    "http://①②⑦.⓪.⓪.①/",
    "http://ⓛocalhost/",
    "http://127.0.0.%31/",
    "http://%31%32%37.0.0.1/",
    "http://localhost%00.example.com/",
    "http://localhost%2eexample.com/",
    "http://127.0.0.1\\.example.com/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com@127.0.0.1/",
    "http://example.com:80@127.0.0.1/",
    "http://1.1.1.1&@127.0.0.1#@8.8.8.8/",
    "http://user:password@8.8.8.8/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:127.0.0.1]:80/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[2606:4700:4700::1111%25lo]/",
    "http://[::1",
    "http://[v1.fe80::a+en1]/",
    "http://exam\u00adple.com/",
    "http://\u202eexample.com/",
    "http://exa mple.com/",
    "http://example..com/",
    "http://.example.com/",
    "http://" + "a" * 64 + ".example.com/",
    "http://" + "a." * 130 + "com/",
    "http://-/",
    "http://*/",
    "http:///etc/passwd",
    "http:80/",
    "http://",
    "",
    "8.8.8.8",
    "//8.8.8.8/",
    "file:///etc/passwd",
    "file://8.8.8.8/etc/passwd",
    "ftp://8.8.8.8/a.jpg",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "dict://127.0.0.1:11211/stats",
    "data:image/png;base64,iVBORw0KGgo=",
    "javascript:alert(1)",
    "jar:http://8.8.8.8!/",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "ws://8.8.8.8/",
    "http://8.8.8.8:22/",
    "http://8.8.8.8:8080/",
    "http://8.8.8.8:0/",
    "https://8.8.8.8:6443/",
    "http://8.8.8.8:65616/",
    "http://8.8.8.8:80:80/",
    "http://8.8.8.8:-80/",
    "http://8.8.8.8/\r\nHost: inside",
    "http://8.8.8.8/\x00",
    "http://8.8.8.8/" + "a" * 5000,
    "http://\ud800/",
)


@pytest.mark.parametrize("text", INSIDE)
def test_an_address_inside_is_refused(text):
    assert addresses.refusal(ipaddress.ip_address(text)) is not None


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_not_refused(text):
    assert addresses.refusal(ipaddress.ip_address(text)) is None


#: What the names of these tests resolve to.
NAMES = {f"cakes-{number}.example": text for number, text in enumerate(INSIDE)}


@pytest.fixture(scope="module")
async def stranger():
    """A fetcher without exceptions."""

    async def resolve(name, port):
        assert name in NAMES, f"{name} should have been refused before it was resolved"
        return [NAMES[name]]

    fetcher = client.Fetcher(settings.Fetch(), resolve=resolve)
    yield fetcher
    await fetcher.close()


@pytest.mark.parametrize("text", INSIDE)
async def test_a_url_with_an_address_inside_is_refused(stranger, text):
    with pytest.raises(errors.PictureNotAllowed):
        await stranger.fetch(f"http://[{text}]/" if ":" in text else f"http://{text}/")


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_that_resolves_to_an_address_inside_is_refused(stranger, name):
    with pytest.raises(errors.PictureNotAllowed):
        await stranger.fetch(f"https://{name}/a.jpg")


@pytest.mark.parametrize("url", DISGUISED)
async def test_a_disguised_or_odd_url_is_refused(stranger, url):
    with pytest.raises(errors.PictureNotAllowed):
        await stranger.fetch(url)
