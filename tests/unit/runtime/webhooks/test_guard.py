"""What is public, and what only looks like it."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.errors import InvalidHeader, WebhookUrlRejected
from litgen_runtime.webhooks.guard import Guard

GUARD = Guard()
PRIVATE = Guard(allow_private=True)

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "2001:4860::8888"]
INSIDE = [  # where only this network, or one like it, leads
    *("10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254"),
    *("172.16.0.1", "172.31.255.255", "192.168.0.1", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.31.196.1"),
    *("192.52.193.1", "192.88.99.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1"),
    *("::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::7f00:1", "::808:808", "64:ff9b::7f00:1"),
    *("64:ff9b::808:808", "64:ff9b:1::808:808", "100::1", "2001:0:808:808::80ff:fffe", "2001:2::1", "2001:10::1"),
    *("2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "2620:4f:8000::1", "3ffe::1", "3fff::1"),
    *("5f00::1", "fc00::1", "fdff::1", "fec0::1", "feff::1", "4000::1", "::ffff:0:127.0.0.1"),
]
NOWHERE = [  # what is never called, whatever the operator opens
    *("0.0.0.0", "0.1.2.3", "169.254.0.1", "169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "fe80::1", "febf::1", "ff02::1", "fd00:ec2::254", "fd20:ce::254"),
    *("::ffff:169.254.169.254", "::ffff:0.0.0.0", "::a9fe:a9fe", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe"),
    *("64:ff9b:1::1", "2001::1", "2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::1"),
]


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text: str) -> None:
    """What anybody reaches may be called."""
    assert GUARD.allows(ipaddress.ip_address(text))
    assert PRIVATE.allows(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", INSIDE)
def test_private(text: str) -> None:
    """What only this network reaches may be called only where the operator allows it."""
    assert not GUARD.allows(ipaddress.ip_address(text))
    assert PRIVATE.allows(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", NOWHERE)
def test_never(text: str) -> None:
    """The metadata of clouds, what is no single machine, and whatever a network takes for it, are never called."""
    assert not GUARD.allows(ipaddress.ip_address(text))
    assert not PRIVATE.allows(ipaddress.ip_address(text))


@given(st.ip_addresses())
def test_is_no_wider_than_python(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Nothing passes that Python's own table calls private, local or reserved."""
    if GUARD.allows(address):
        assert address.is_global
        flags = (address.is_private, address.is_loopback, address.is_link_local, address.is_multicast)
        assert not any((*flags, address.is_reserved, address.is_unspecified))


SPELLINGS = [  # of addresses that are not to be called, as some resolver understands them
    *(
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
    ),
    *("00000177.1", "127.0.0.1.", "127.000.000.001", "0", "0x", "0x0", "127.0.0.0x1", "1.2.3.08", "256.256.256.256"),
    *("3232235521", "0xA9FEA9FE", "2852039166", "0251.0376.0251.0376", "169.254.43518", "4294967297", "1.1.1.1.1"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0000::1]", "[64:ff9b::7f00:1]"),
    *("[::127.0.0.1]", "[fe80::1]", "[fec0::1]", "[FD00::1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]"),
]


@pytest.mark.parametrize("host", SPELLINGS)
def test_every_spelling_of_an_address(host: str) -> None:
    """However an address is written, it is refused, and with the same words."""
    with pytest.raises(WebhookUrlRejected) as refused:
        GUARD.target(f"https://{host}/hook")
    with pytest.raises(WebhookUrlRejected) as other:
        GUARD.target("https://10.0.0.1/")
    assert str(refused.value) == str(other.value)


@pytest.mark.parametrize(
    "url",
    [
        *("", "hook", "//example.com/", "https:/example.com", "https:example.com", "https://", "https:///hook"),
        *("https://user@example.com/", "https://user:pass@example.com/", "https://@example.com/", "https://a@b@c/"),
        *("https://example.com/#here", "https://example.com#@1.1.1.1/", "https://example.com\\@1.1.1.1/"),
        *(
            "https://exa mple.com/",
            "https://example.com/\x00",
            "https://example.com/\r\nX: y",
            "https://example.com/\t",
        ),
        *("https://b\u00fccher.example/", "https://example.com/\u00e9", "https://\uff11\uff12\uff17.0.0.1/"),
        *("https://%31%32%37.0.0.1/", "https://example.com%2f@1.1.1.1/", "https://example.com:/", "https://a:b/"),
        *("https://[::1", "https://::1]/", "https://[::1%25eth0]/", "https://[1.1.1.1]/", "https://[v1.a]/"),
        *("https://.example.com/", "https://example..com/", "https://example.com../", "https://-a.com/", "https://./"),
        *(f"https://{'a' * 64}.com/", f"https://{'a.' * 127}com/", f"https://example.com/{'a' * 2048}"),
        *('https://example.com/"', "https://example.com/<a>", "https://example.com:443:443/", "https://e,x/|"),
    ],
)
def test_no_url(url: str) -> None:
    """What two parsers could read in two ways is no URL."""
    with pytest.raises(InvalidHeader):
        GUARD.target(url)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.com", ("https://example.com:443/", "example.com", 443)),
        ("HTTPS://EXAMPLE.com.:8443/A?b=C%20d", ("https://example.com:8443/A?b=C%20d", "example.com", 8443)),
        ("https://example.com?a=b@c", ("https://example.com:443/?a=b@c", "example.com", 443)),
        ("https://xn--bcher-kva.example/", ("https://xn--bcher-kva.example:443/", "xn--bcher-kva.example", 443)),
        ("https://1.1.1.1/", ("https://1.1.1.1:443/", "1.1.1.1", 443)),
        ("https://[2606:4700:4700:0::1111]/", ("https://[2606:4700:4700::1111]:443/", "2606:4700:4700::1111", 443)),
        ("https://1and1.example/", ("https://1and1.example:443/", "1and1.example", 443)),
    ],
)
def test_a_url(url: str, target: tuple[str, str, int]) -> None:
    """One that leads outside is taken, in one spelling."""
    found = GUARD.target(url)
    assert (found.url, found.host, found.port) == target


@pytest.mark.parametrize("port", [0, 22, 80, 444, 6379, 65536, 99999])
def test_ports(port: int) -> None:
    """Only the ports of the operator's list are called."""
    with pytest.raises(WebhookUrlRejected, match=f"port {port}; this service calls 443, 8443"):
        GUARD.target(f"https://example.com:{port}/")
    if 0 < port < 65536:
        assert Guard(ports=(port,)).target(f"https://example.com:{port}/").port == port


@pytest.mark.parametrize("scheme", ["http", "ftp", "file", "gopher", "ws", "javascript"])
def test_schemes(scheme: str) -> None:
    """Only https, and http where the operator allows it."""
    with pytest.raises(WebhookUrlRejected, match="does not begin with https://, as"):
        GUARD.target(f"{scheme}://example.com:443/")
    loose = Guard(allow_http=True, ports=(80,))
    assert loose.target("http://example.com/").url == "http://example.com:80/"
    with pytest.raises(WebhookUrlRejected, match="does not begin with https:// or http://, as"):
        loose.target("ftp://example.com:80/")


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("hooks.example.com", True),
        ("HOOKS.EXAMPLE.COM.", True),
        ("a.b.internal.test", True),
        ("internal.test", False),
        ("evil-internal.test", False),
        ("hooks.example.com.evil.test", False),
        ("example.com", False),
        ("1.1.1.1", False),
    ],
)
def test_a_list_of_hosts(host: str, allowed: bool) -> None:
    """Exact names, and what is below a domain."""
    guard = Guard(allow_hosts=("Hooks.example.com", "*.internal.test"))
    if allowed:
        guard.target(f"https://{host}/")
    else:
        with pytest.raises(WebhookUrlRejected):
            guard.target(f"https://{host}/")
