"""Addresses that a stranger may hand in to be let inside: what each is, and where it is known from.

Each is an IP address, tried as such, as a URL's host, as what a name resolves to, as a redirect's target and as a
page's picture; or a URL, or a name with what it resolves to. None may be connected to, and the answer for all is one
and the same: `not-allowed`.
"""
# ruff: noqa: RUF001 - characters that look like others are what this is about

import ipaddress
from typing import NamedTuple


class Vector(NamedTuple):
    """`text` is an IP address or a URL; `answers` is what the name in that URL resolves to."""

    text: str
    what: str
    source: str
    answers: tuple[str, ...] = ()

    @property
    def is_literal(self) -> bool:
        try:
            ipaddress.ip_address(self.text)
        except ValueError:
            return False
        return True

    @property
    def url(self) -> str:
        if not self.is_literal:
            return self.text
        return f"http://[{self.text}]/a.jpg" if ":" in self.text else f"http://{self.text}/a.jpg"


def _all(source, *rows):
    return tuple(Vector(text, what, source, answers) for text, what, *answers in rows)


def _group(what, source, *texts):
    return tuple(Vector(text, what, source) for text in texts)


_PRIVATE = (
    *_group("private", "RFC 1918", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255"),
    *_group("private", "RFC 1918", "192.168.0.1", "192.168.255.255"),
    *_group("a container bridge's gateway", "Docker's default network", "172.17.0.1"),
    *_group("a cluster's API", "Kubernetes' default service network", "10.96.0.1"),
    *_group("this host", "RFC 791; CVE-2025-24354", "0.0.0.0"),
    *_group("this network", "RFC 791", "0.1.2.3", "0.255.255.255"),
    *_group("loopback", "RFC 1122 §3.2.1.3", "127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.254"),
    *_group("carrier-grade NAT", "RFC 6598; imgproxy 4.0.12", "100.64.0.1", "100.127.255.255"),
    *_group("link-local", "RFC 3927", "169.254.0.1", "169.254.255.255"),
    *_group("IETF protocol assignments", "RFC 6890", "192.0.0.1", "192.0.0.255"),
    *_group("dummy address", "RFC 7600", "192.0.0.8"),
    *_group("NAT64 discovery", "RFC 7050", "192.0.0.170", "192.0.0.171"),
    *_group("documentation", "RFC 5737", "192.0.2.1", "198.51.100.1", "203.0.113.1"),
    *_group("AS112", "RFC 7535, RFC 7534", "192.31.196.1", "192.175.48.1"),
    *_group("AMT", "RFC 7450", "192.52.193.1"),
    *_group("6to4 relay", "RFC 7526", "192.88.99.1"),
    *_group("benchmarking", "RFC 2544", "198.18.0.1", "198.19.255.255"),
    *_group("multicast", "RFC 5771", "224.0.0.1", "232.1.1.1", "239.255.255.250"),
    *_group("reserved", "RFC 1112 §4", "240.0.0.1", "250.1.2.3"),
    *_group("broadcast", "RFC 919", "255.255.255.255"),
)

_METADATA = (
    *_group("metadata of most clouds", "AWS, Azure, Google Cloud and others: instance metadata", "169.254.169.254"),
    *_group("credentials of containers", "AWS ECS: task metadata", "169.254.170.2"),
    *_group("credentials of pods", "AWS EKS: pod identity", "169.254.170.23", "fd00:ec2::23"),
    *_group("resolver and clock of a cloud", "AWS: VPC", "169.254.169.253", "169.254.169.123", "fd00:ec2::253"),
    *_group("metadata over IPv6", "AWS: instance metadata", "fd00:ec2::254"),
    *_group("metadata over IPv6", "Google Cloud: instance metadata", "fd20:ce::254"),
    *_group("metadata over IPv6", "OpenStack: metadata", "fe80::a9fe:a9fe"),
    *_group("host agent", "Azure: virtual public IP 168.63.129.16", "168.63.129.16"),
    *_group("metadata", "Alibaba Cloud: instance metadata", "100.100.100.200"),
    *_group("metadata", "Oracle Cloud: classic instance metadata", "192.0.0.192"),
    *_group("metadata", "Tencent Cloud: instance metadata", "169.254.0.23"),
    *_group("metadata", "Scaleway: instance metadata", "169.254.42.42", "fd00:42::42"),
    *_group("metadata", "Rancher: metadata service", "169.254.169.250"),
    *_group("a node's resolver", "Kubernetes: NodeLocal DNSCache", "169.254.20.10"),
)

_IPV6 = (
    *_group("unspecified", "RFC 4291 §2.5.2", "::"),
    *_group("loopback", "RFC 4291 §2.5.3", "::1"),
    *_group("discard only", "RFC 6666", "100::1"),
    *_group("dummy prefix", "RFC 9780", "100:0:0:1::1"),
    *_group("IETF protocol assignments", "RFC 2928", "2001:100::1", "2001:1ff:ffff::1"),
    *_group("Teredo", "RFC 4380", "2001::1"),
    *_group("benchmarking", "RFC 5180", "2001:2::1"),
    *_group("AMT", "RFC 7450", "2001:3::1"),
    *_group("AS112", "RFC 7535, RFC 7534", "2001:4:112::1", "2620:4f:8000::1"),
    *_group("ORCHID", "RFC 4843", "2001:10::1"),
    *_group("ORCHIDv2", "RFC 7343", "2001:20::1"),
    *_group("drone remote identification", "RFC 9374", "2001:30::1"),
    *_group("documentation", "RFC 3849, RFC 9637", "2001:db8::1", "3fff::1", "3fff:fff:ffff::1"),
    *_group("segment routing", "RFC 9602", "5f00::1"),
    *_group("unique local", "RFC 4193", "fc00::1", "fd12:3456:789a::1"),
    *_group("link-local", "RFC 4291 §2.5.6", "fe80::1", "febf::1"),
    *_group("site-local", "RFC 3879", "fec0::1", "feff::1"),
    *_group("multicast", "RFC 4291 §2.7", "ff01::1", "ff02::1", "ff05::2", "ff0e::1"),
    *_group("not delegated", "RFC 4291 §2.4", "4000::1", "8000::1", "e000::1", "1::1", "200::1"),
)

_EMBEDDED = (
    *_group("mapped", "RFC 4291 §2.5.5.2", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::ffff:0:0"),
    *_group("mapped carrier-grade NAT", "imgproxy 4.0.12", "::ffff:100.64.0.1"),
    *_group("compatible", "RFC 4291 §2.5.5.1; imgproxy 4.0.12", "::127.0.0.1", "::a9fe:a9fe", "::10.0.0.1"),
    *_group("compatible and public: nobody uses it", "RFC 4291 §2.5.5.1", "::8.8.8.8"),
    *_group("translated", "RFC 2765 §2.1", "::ffff:0:127.0.0.1", "::ffff:0:a9fe:a9fe"),
    *_group("NAT64", "RFC 6052; imgproxy 4.0.12", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1"),
    *_group("NAT64 of multicast and broadcast", "RFC 6052 §3.1", "64:ff9b::224.0.0.1", "64:ff9b::255.255.255.255"),
    *_group("local NAT64", "RFC 8215", "64:ff9b:1::7f00:1", "64:ff9b:1::808:808", "64:ff9b:1:ffff::1"),
    *_group("6to4", "RFC 3056; imgproxy 4.0.12", "2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::1"),
    *_group("6to4 of a public address", "RFC 3056", "2002:808:808::1"),
    *_group("Teredo of loopback", "RFC 4380 §4; imgproxy 4.0.12", "2001:0:4136:e378:8000:63bf:80ff:fffe"),
    *_group("Teredo of a server at loopback", "RFC 4380 §4", "2001:0:7f00:1::"),
    *_group("Teredo of public addresses", "RFC 4380 §4", "2001:0:4136:e378:8000:63bf:f7f7:f7f7"),
    *_group("ISATAP in a public prefix", "RFC 5214 §6.1; imgproxy 4.0.12", "2600::5efe:10.0.0.1"),
    *_group("ISATAP with the universal bit", "RFC 5214 §6.1", "2600::200:5efe:7f00:1"),
    *_group("ISATAP, link-local", "RFC 5214 §6.2", "fe80::5efe:127.0.0.1"),
)

_RARE = "RFC 3986 §7.4; inet_aton(3)"
_PYTHON_ZEROS = "CVE-2021-29921"
_NPM_IP = "CVE-2023-42282, CVE-2024-29415"
_UTS46 = "UTS #46 mapping; CVE-2019-9636"
_WHATWG = "WHATWG URL §3.5"
_ORANGE = "O. Tsai, A New Era of SSRF, Black Hat USA 2017"
_ENCODED = (
    *_group("short", _RARE, "http://0/", "http://0.0/", "http://127.1/", "http://127.0.1/", "http://10.1/"),
    *_group("octal", "CVE-2021-28918", "http://0177.0.0.1/", "http://0177.1/", "http://00000177.0.0.1/"),
    *_group("octal", _RARE, "http://017700000001/", "http://0251.0376.0251.0376/", "http://012.0.0.1/"),
    *_group("zeros before", _PYTHON_ZEROS, "http://127.0.0.01/", "http://010.0.0.1/", "http://000.000.000.000/"),
    *_group("hexadecimal", _NPM_IP, "http://0x7f.0.0.1/", "http://0x7f.1/", "http://0x7F000001/"),
    *_group("hexadecimal", _RARE, "http://0X7F000001/", "http://0xa9fea9fe/", "http://127.0.0.0x1/", "http://0x0/"),
    *_group("hexadecimal with zeros before", _RARE, "http://0x00000000000007f.0.0.1/"),
    *_group("an integer", _RARE, "http://2130706433/", "http://2852039166/latest/meta-data/", "http://167772161/"),
    *_group("mixed bases", _RARE, "http://0x7f.0.0.01/", "http://0251.0xfe.43518/", "http://169.254.0xa9fe/"),
    *_group("past the end", _WHATWG, "http://4294967297/", "http://256.256.256.256/", "http://127.0.0.1.1/"),
    *_group("past the end", "wraps around in some libraries", "http://425.510.425.510/", "http://383.0.0.1/"),
    *_group("a dot behind", _WHATWG, "http://127.0.0.1./", "http://169.254.169.254.:80/", "http://2130706433./"),
    *_group("a number behind", _WHATWG, "http://cakes.example.1/", "http://1.2.3/", "http://09.1.1.1/"),
    *_group("ideographic full stops", _UTS46, "http://127。0。0。1/", "http://169｡254｡169｡254/"),
    *_group("full-width full stops", _UTS46, "http://127．0．0．1/"),
    *_group("full-width digits", _UTS46, "http://１２７.0.0.1/", "http://１６９.254.１６９.254/"),
    *_group("circled digits", _UTS46, "http://①②⑦.⓪.⓪.①/", "http://①⑥⑨.②⑤④.①⑥⑨.②⑤④/"),
    *_group("mathematical digits", _UTS46, "http://𝟏𝟐𝟕.𝟎.𝟎.𝟏/"),
    *_group("superscript digits", _UTS46, "http://¹²⁷.⁰.⁰.¹/"),
    *_group("Arabic-Indic digits", "RFC 5892: digits, and mapped to none", "http://١٢٧.٠.٠.١/"),
    *_group("circled letters", _UTS46, "http://ⓛocalhost/", "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/"),
    *_group("full-width letters", _UTS46, "http://ｌｏｃａｌｈｏｓｔ/", "http://ｃａｋｅｓ.example/"),
    *_group("a ligature's letters", _UTS46, "http://metadata.google.ﬁnternal/"),
    *_group(
        "an ignored character",
        _UTS46,
        "http://exam\u00adple.com/",
        "http://local\u200bhost/",
        "http://\ufefflocalhost/",
    ),
    *_group("written from right to left", "Unicode TR36 §3.2", "http://\u202eexample.com/"),
    *_group("a slash in disguise", _UTS46, "http://localhost\uff0f.example.com/", "http://127.0.0.1\u2044@8.8.8.8/"),
    *_group("an at sign in disguise", _UTS46, "http://8.8.8.8\uff20127.0.0.1/"),
    *_group("a question mark in disguise", "CVE-2019-9636, CVE-2019-10160", "http://localhost\uff1f.example.com/"),
    *_group(
        "the letters of another name", "℀ is four letters by NFKC; CVE-2019-9636", "http://localhost℀.example.com/"
    ),
    *_group("percent-encoded", _WHATWG, "http://127.0.0.%31/", "http://%31%32%37.0.0.1/", "http://%6cocalhost/"),
    *_group("percent-encoded twice", _ORANGE, "http://%256cocalhost/", "http://127%252e0%252e0%252e1/"),
    *_group("percent-encoded full stop", _WHATWG, "http://localhost%2eexample.com/", "http://127%2e0.0.1/"),
    *_group("percent-encoded NUL", _WHATWG, "http://localhost%00.example.com/", "http://127.0.0.1%00/"),
    *_group("percent-encoded line", "CVE-2019-9740", "http://127.0.0.1%0d%0a.example.com/"),
    *_group(
        "percent-encoded fragment", _ORANGE, "http://127.0.0.1%23.example.com/", "http://localhost%3f.example.com/"
    ),
    *_group("IPv6 in all its digits", "RFC 4291 §2.2", "http://[0:0:0:0:0:0:0:1]/", "http://[0000::0001]/"),
    *_group("IPv6, mapped, in digits", "RFC 4291 §2.2", "http://[::ffff:7f00:1]/", "http://[::FFFF:127.0.0.1]:80/"),
    *_group("IPv6, mapped, spelt out", "RFC 4291 §2.2", "http://[0:0:0:0:0:ffff:127.0.0.1]/"),
    *_group("IPv6 with octal inside", _PYTHON_ZEROS, "http://[::ffff:0177.0.0.1]/"),
    *_group("IPv6 with zone", "RFC 6874", "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1%25lo]/"),
    *_group("IPv6, public, with zone", "RFC 4007 §11", "http://[2606:4700:4700::1111%25lo]/"),
    *_group("IPv6, broken", _WHATWG, "http://[::1", "http://::1/", "http://[::1]x/", "http://[:::1]/", "http://[]/"),
    *_group("an address of the future", "RFC 3986 §3.2.2", "http://[v1.fe80::a+en1]/"),
    *_group("IPv4 in brackets", _WHATWG, "http://[127.0.0.1]/"),
)

_TRICKS = (
    *_group("user information", "RFC 3986 §3.2.1", "http://user:password@8.8.8.8/", "http://user@8.8.8.8/"),
    *_group("user information that looks like the host", _ORANGE, "http://8.8.8.8@127.0.0.1/"),
    *_group("user information that looks like the host", _ORANGE, "http://example.com:80@127.0.0.1/"),
    *_group("empty user information", _WHATWG, "http://@127.0.0.1/", "http://:@127.0.0.1/"),
    *_group("two at signs", _ORANGE, "http://a@127.0.0.1@8.8.8.8/", "http://a@127.0.0.1:80@8.8.8.8/"),
    *_group("at and number signs", _ORANGE, "http://1.1.1.1&@127.0.0.1#@8.8.8.8/", "http://127.0.0.1#@8.8.8.8/"),
    *_group("a question mark first", _ORANGE, "http://127.0.0.1?@8.8.8.8/", "http://127.0.0.1/?@8.8.8.8/"),
    *_group("backslashes", _WHATWG, "http://127.0.0.1\\.example.com/", "http://example.com\\@127.0.0.1/"),
    *_group("backslashes", _WHATWG, "http:\\\\127.0.0.1\\", "http:\\127.0.0.1/", "http://127.0.0.1\\@8.8.8.8/"),
    *_group("slashes too many or too few", _WHATWG, "http:///127.0.0.1/", "http:////127.0.0.1/", "http:/127.0.0.1/"),
    *_group(
        "no host", "RFC 9110 §4.2.1", "http:///etc/passwd", "http:80/", "http://", "http://:80/", "http://?", "http://#"
    ),
    *_group(
        "no scheme", "RFC 3986 §4.2", "", "8.8.8.8/a.jpg", "//8.8.8.8/", "8.8.8.8:80/", "/etc/passwd", "://127.0.0.1/"
    ),
    *_group("blanks", "CVE-2023-24329", " http://127.0.0.1/", "\thttp://127.0.0.1/", "http ://8.8.8.8/"),
    *_group(
        "blanks in the host", _WHATWG, "http://exa mple.com/", "http://127.0.0.1 .example.com/", "http:// 8.8.8.8/"
    ),
    *_group(
        "tabs and lines inside", "CVE-2019-9740", "http://127.0.\t0.1/", "ht\ntp://127.0.0.1/", "http://8.8.8.8\r\n/"
    ),
    *_group(
        "a header smuggled", "CVE-2019-9740", "http://8.8.8.8/\r\nHost: inside", "http://8.8.8.8/ HTTP/1.1\r\nX: y"
    ),
    *_group("a control character", _WHATWG, "http://8.8.8.8/\x00", "http://\x7f8.8.8.8/", "http://8.8.8.8/\x1b"),
    *_group("half a character", "Unicode §3.9", "http://\ud800/"),
    *_group(
        "no name",
        "RFC 1123 §2.1",
        "http://-/",
        "http://*/",
        "http://.example.com/",
        "http://example..com/",
        "http://./",
    ),
    *_group("no name", "RFC 1035 §2.3.4", "http://" + "a" * 64 + ".example.com/", "http://" + "a." * 130 + "com/"),
    *_group("a name of quadratic cost", "CVE-2024-3651", "http://" + "\u0300" * 2000 + ".example/"),
    *_group("broken punycode", "RFC 3492", "http://xn--/", "http://xn--a\u00e4.example/"),
    *_group("too long", "no browser takes 2 MB, we 4,096 characters", "http://8.8.8.8/" + "a" * 5000),
    *_group(
        "a reserved port",
        "ssh, smtp, Redis",
        "http://8.8.8.8:22/",
        "http://8.8.8.8:25/",
        "http://8.8.8.8:6379/",
    ),
    *_group("another port", "only 80 and 443", "http://8.8.8.8:8080/", "https://8.8.8.8:6443/", "http://8.8.8.8:81/"),
    *_group("no port", "RFC 3986 §3.2.3", "http://8.8.8.8:0/", "http://8.8.8.8:65536/", "http://8.8.8.8:65616/"),
    *_group("no port", "RFC 3986 §3.2.3", "http://8.8.8.8:80:80/", "http://8.8.8.8:-80/", "http://8.8.8.8:8O/"),
    *_group("no port", _WHATWG, "http://8.8.8.8:0x50/", "http://8.8.8.8:8.0/"),
    *_group("a file", "RFC 8089", "file:///etc/passwd", "file://8.8.8.8/etc/passwd", "file:/etc/passwd"),
    *_group("a file with a detour", _WHATWG, "file:\\\\etc\\passwd", "FILE:///etc/passwd", "local_file:///etc/passwd"),
    *_group("data in the address", "RFC 2397", "data:image/png;base64,iVBORw0KGgo=", "data:,x"),
    *_group("a script", "WHATWG HTML: javascript: URLs", "javascript:alert(1)"),
    *_group("another protocol", "RFC 4266; Redis by gopher", "gopher://127.0.0.1:6379/_FLUSHALL"),
    *_group("another protocol", "RFC 2229; memcached by dict", "dict://127.0.0.1:11211/stats"),
    *_group(
        "another protocol", "RFC 959, RFC 4516, RFC 1350", "ftp://8.8.8.8/a.jpg", "ldap://8.8.8.8/", "tftp://8.8.8.8/a"
    ),
    *_group(
        "another protocol",
        "curl --proto",
        "smb://8.8.8.8/a",
        "telnet://8.8.8.8/",
        "sftp://8.8.8.8/a",
        "rtsp://8.8.8.8/a",
    ),
    *_group("another protocol", "RFC 6455", "ws://8.8.8.8/", "wss://8.8.8.8/"),
    *_group("an archive's member", "java.net.JarURLConnection", "jar:http://8.8.8.8!/"),
    *_group(
        "a program's stream", "PHP stream wrappers", "php://filter/resource=/etc/passwd", "expect://id", "zlib:///a"
    ),
    *_group(
        "a unix socket", "CVE-2021-40438", "unix:///var/run/docker.sock", "http+unix://%2Fvar%2Frun%2Fdocker.sock/"
    ),
    *_group(
        "view-source and blob", "browsers' own schemes", "view-source:http://127.0.0.1/", "blob:http://127.0.0.1/a"
    ),
    *_group("a scheme's own prefix", "pip, svn and others", "url:http://127.0.0.1/", "git+http://127.0.0.1/"),
)

_NAMES = _all(
    "RFC 6761 §6.3, and what hosts files say",
    ("http://localhost/", "loopback", "127.0.0.1", "::1"),
    ("http://LOCALHOST/", "loopback", "127.0.0.1"),
    ("http://localhost./", "loopback", "127.0.0.1"),
    ("http://localhost.localdomain/", "loopback", "127.0.0.1"),
    ("http://cakes.localhost/", "loopback", "::1"),
    ("http://ip6-localhost/", "loopback", "::1"),
) + _all(
    "names that a cloud or a cluster resolves inside",
    ("http://metadata.google.internal/computeMetadata/v1/", "metadata", "169.254.169.254"),
    ("http://metadata/computeMetadata/v1/", "metadata, by the search list", "169.254.169.254"),
    ("http://instance-data.ec2.internal/latest/", "metadata", "169.254.169.254"),
    ("http://metadata.tencentyun.com/", "metadata", "169.254.0.23"),
    ("http://api.metadata.cloud.ibm.com/", "metadata", "169.254.169.254"),
    ("http://kubernetes.default.svc/", "a cluster's API", "10.96.0.1"),
    ("http://postgres.cakegate/", "a service, by the search list", "10.96.14.3"),
    ("http://host.docker.internal/", "the machine below", "192.168.65.254"),
    ("http://rancher-metadata/", "metadata", "169.254.169.250"),
    ("http://wireserver/", "host agent", "168.63.129.16"),
) + _all(
    "public names that resolve inside",
    ("http://127.0.0.1.nip.io/", "loopback", "127.0.0.1"),
    ("http://169-254-169-254.sslip.io/", "metadata", "169.254.169.254"),
    ("http://localtest.me/", "loopback", "127.0.0.1", "::1"),
    ("http://mapped.example/", "mapped", "::ffff:10.0.0.1"),
    ("http://nat64.example/", "NAT64", "64:ff9b::a00:1"),
    ("http://zone.example/", "a zone in the answer", "fe80::1%eth0"),
    ("http://odd.example/", "no address in the answer", "0x7f.1"),
) + _all(
    "Singularity of Origin: one of several answers is tried",
    ("http://first.example/", "inside first", "10.0.0.1", "93.184.215.14"),
    ("http://last.example/", "inside last", "93.184.215.14", "2606:4700:4700::1111", "127.0.0.1"),
    ("https://sixth.example/", "inside, over IPv6", "93.184.215.14", "fd00:ec2::254"),
) + _all(
    "UTS #46 and RFC 5891: a name in other letters, resolved as what it maps to",
    ("http://MÜNCHEN.example/", "inside, by an international name", "10.0.0.7"),
    ("http://xn--mnchen-3ya.example/", "the same, encoded already", "10.0.0.7"),
)  # fmt: skip

VECTORS = (*_PRIVATE, *_METADATA, *_IPV6, *_EMBEDDED, *_ENCODED, *_TRICKS, *_NAMES)
LITERALS = tuple(vector for vector in VECTORS if vector.is_literal)

#: Next to what is refused, and public: these must not be.
PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450:4001:800::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
)
