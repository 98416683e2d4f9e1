"""Which URLs and which addresses a webhook may go to; pure.

A client chooses the URL, and the service stands where the client does not: beside databases, consoles and the metadata
service of a cloud. What a name leads to may change from one look to the next, and so the URL is checked when it is
accepted, and the address each time at the moment before it is connected to.

``ipaddress.is_global`` is not enough: it is true for multicast, NAT64, ``::7f00:1``, ``fec0::/10``, 192.88.99.0/24 and
168.63.129.16, and changes with the version of Python. Here only what is surely public passes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from litgen_runtime.errors import InvalidHeader, WebhookUrlRejected

Address = IPv4Address | IPv6Address

_MAX_CHARS = 2048
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<place>[^/?]*)(?P<rest>[/?].*)?")
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_ODD = frozenset('\\"<>^`{|}')  # characters that parsers of URLs disagree about
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # Source: WHATWG URL, "ends in a number": such a name is an IPv4 address

# Nobody sends webhooks there, whatever the operator opens: "this" network, the metadata services of clouds, multicast.
_NEVER = tuple(
    map(
        ipaddress.ip_network,
        (
            *("0.0.0.0/8", "169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32"),
            *("224.0.0.0/4", "240.0.0.0/4"),
            *("::/128", "fe80::/10", "ff00::/8", "fd00:ec2::254/128", "fd20:ce::254/128"),
        ),
    )
)
# Source: the IANA special-purpose address registries, of IPv4 and of IPv6, with what was there before.
_PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        (
            *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24"),
            *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
            *("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20"),
        ),
    )
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # of IPv6, everything else is private or unassigned
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")

_REJECTED = (
    "The Webhook-Url cannot be called from here: its host does not resolve, or not to public addresses only. "
    "Expected a URL that anybody can reach."
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a webhook goes.

    Args:
        url: what is called, in one spelling.
        host: a name or an address, in lower case, without brackets.
        port: of it.
    """

    url: str
    host: str
    port: int

    @property
    def place(self) -> str:
        """What counts as one receiver."""
        return f"{self.host}:{self.port}"

    @property
    def literal(self) -> Address | None:
        """The address, where the host is one."""
        return _literal(self.host)


@dataclass(frozen=True, slots=True)
class Guard:
    """What the operator allows.

    Args:
        allow_hosts: names, or ``*.`` and a domain for all below it; empty: any.
        allow_http: whether without TLS too.
        allow_private: whether to addresses that only this network reaches; never to a cloud's metadata.
        ports: which ones.
    """

    allow_hosts: Sequence[str] = ()
    allow_http: bool = False
    allow_private: bool = False
    ports: Sequence[int] = (443, 8443)

    def target(self, text: str) -> Target:
        """Return where a URL leads.

        Raises:
            InvalidHeader: it is no URL in the sense of this module, which is stricter than others.
            WebhookUrlRejected: it is one that is not allowed.
        """
        target = self._parsed(text)
        address = target.literal
        if address is not None and not self.allows(address):
            raise rejected()
        if address is None and _NUMBER.fullmatch(target.host.rpartition(".")[2]):
            raise rejected()  # 2130706433, 0x7f.1, 127.1 and 0177.0.0.1 are addresses to some
        if self.allow_hosts and not any(_matches(target.host, pattern) for pattern in self.allow_hosts):
            raise WebhookUrlRejected("The Webhook-Url names a host that this service does not call.")
        return target

    def allows(self, address: Address) -> bool:
        """Whether an address may be connected to."""
        inner = _embedded(address)
        if any(_in(each, _NEVER) for each in inner):
            return False
        if self.allow_private:
            return True
        return len(inner) == 1 and _is_public(address)

    def _parsed(self, text: str) -> Target:
        if len(text) > _MAX_CHARS:
            raise InvalidHeader(f"The Webhook-Url has {len(text)} characters; expected at most {_MAX_CHARS}.")
        if not _VISIBLE.fullmatch(text) or _ODD & set(text):
            raise InvalidHeader("The Webhook-Url has characters that a URL has not. Use percent-encoding and punycode.")
        match = _URL.fullmatch(text)
        place = _PLACE.fullmatch(match["place"]) if match else None
        if match is None or place is None or "#" in text or "@" in match["place"]:
            raise InvalidHeader(
                "The Webhook-Url is not an absolute URL without user and fragment, such as https://example.com/hook."
            )
        scheme = match["scheme"].lower()
        if scheme not in (("https", "http") if self.allow_http else ("https",)):
            allowed = "https:// or http://" if self.allow_http else "https://"
            raise WebhookUrlRejected(f"The Webhook-Url does not begin with {allowed}, as this service requires.")
        port = int(place["port"] or {"https": 443, "http": 80}[scheme])
        if port not in self.ports:
            shown = ", ".join(map(str, self.ports))
            raise WebhookUrlRejected(f"The Webhook-Url names port {port}; this service calls {shown}.")
        host, rest = _host(place["host"]), match["rest"] or "/"
        shown = f"[{host}]" if ":" in host else host
        path = rest if rest.startswith("/") else f"/{rest}"
        return Target(f"{scheme}://{shown}:{port}{path}", host, port)


def rejected() -> WebhookUrlRejected:
    """Return the one answer for whatever the network has to do with: it must not tell what there is in it."""
    return WebhookUrlRejected(_REJECTED)


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return IPv6Address(text[1:-1]).compressed
        except ValueError:
            raise InvalidHeader("The Webhook-Url's host is no IPv6 address.") from None
    host = text.lower().removesuffix(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise InvalidHeader("The Webhook-Url's host is no name. Write one of other letters in punycode (xn--…).")
    return host


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _matches(host: str, pattern: str) -> bool:
    pattern = pattern.lower().removesuffix(".")
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not _in(address, _PRIVATE)


def _embedded(address: Address) -> list[Address]:
    """Return an address, and those that a network may take it for."""
    found: list[Address] = [address]
    if isinstance(address, IPv6Address):
        low = IPv4Address(int(address) & 0xFFFFFFFF)
        if address.ipv4_mapped is not None:
            found.append(address.ipv4_mapped)
        if address.sixtofour is not None:
            found.append(address.sixtofour)
        if address.teredo is not None:
            found += address.teredo
        if _in(address, _NAT64) or (address in _COMPATIBLE and int(address) > 1):
            found.append(low)
    return found


def _in(address: Address, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)
