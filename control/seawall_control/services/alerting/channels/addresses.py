"""Where messages may go: the guard against making the control plane talk to its own network.

An address in a channel is written by somebody, and what stands behind the control plane's firewall must not
be reached by writing it down (server-side request forgery). So a name is looked up once, every address that
it has is checked, and the connection goes to a checked address: a second look-up, which could answer
otherwise, is never made. Networks that whoever runs the process allows (`--alert-allow-net`) are exempt, and
only they may be reached without TLS or at unusual ports.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from seawall_control.services.alerting.channels.port import NotSent
from seawall_control.services.alerting.channels.threads import in_own_thread

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

WEB_PORTS: Final = frozenset({443, 8443})
MAIL_PORTS: Final = frozenset({25, 465, 587, 2525})
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL: Final = ipaddress.ip_network("64:ff9b:1::/48")
_SIX_TO_FOUR: Final = ipaddress.ip_network("2002::/16")
_TEREDO: Final = ipaddress.ip_network("2001::/32")
_SITE_LOCAL: Final = ipaddress.ip_network("fec0::/10")
_COMPATIBLE: Final = ipaddress.ip_network("::/96")
_ASSIGNMENTS: Final = ipaddress.ip_network("192.0.0.0/24")
"""IETF protocol assignments (RFC 6890); Python before 3.13 takes most of them for the internet, and a cloud
has its metadata service there.
"""
_ODD: Final = re.compile(r"[\x00-\x20\x7f-\uffff\\]")
_NUMBER: Final = re.compile(r"(?:0[xX][0-9a-fA-F]*|\d+)\.?")
_HOST: Final = re.compile(
    r"(?=.{1,253}$)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*"
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?"
)


@dataclass(frozen=True, slots=True)
class Url:
    """A web address, taken apart."""

    is_tls: bool
    host: str
    port: int
    target: str
    """Path and query."""

    @property
    def authority(self) -> str:
        """What the Host header says."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.is_tls else 80) else f"{name}:{self.port}"


def parse_url(text: str) -> Url:
    """Take a web address apart. Raise `NotSent` for anything that two parsers could read in two ways."""
    if _ODD.search(text):
        raise _refused(
            "holds a space, a backslash, a control character or a letter outside ASCII; "
            "write such a host in its xn-- form and percent-encode the rest"
        )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused("cannot be read") from None
    if parts.scheme not in ("https", "http"):
        raise _refused("must begin with https://")
    if "@" in parts.netloc or parts.fragment or "#" in text:
        raise _refused("must have neither user nor password nor fragment")
    if not host or port == 0:
        raise _refused("has no host, or port 0")
    is_tls = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(is_tls, checked_host(host), port or (443 if is_tls else 80), target)


def checked_host(host: str) -> str:
    """Return a host name or a plainly spelled address. Raise `NotSent`."""
    if "%" in host:
        raise _refused("has a zone or a percent sign in its host")
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise _refused("has an IPv6 address that is none") from None
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2] or host):
        # 127.1, 0x7f000001, 017700000001 and 2130706433 are 127.0.0.1 to some resolvers.
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise _refused("has an address that is not spelled as four decimal numbers") from None
    if not _HOST.fullmatch(host):
        raise _refused("has a host that is no name")
    return host.lower()


def _refused(why: str) -> NotSent:
    return NotSent(f"the address {why}", final=True)


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet, in whatever disguise."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return is_public(inner)
        if address in _TEREDO or address in _NAT64_LOCAL or address in _SITE_LOCAL or address in _COMPATIBLE:
            return False
        if address.scope_id:
            return False
    if isinstance(address, ipaddress.IPv4Address) and address in _ASSIGNMENTS:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        return ipaddress.IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return None


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """Look a name up as this machine does."""
    found = await in_own_thread(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM))
    return [str(item[4][0]) for item in found]


@dataclass(frozen=True, slots=True)
class Guard:
    """Decides where messages may go."""

    allowed: tuple[Network, ...] = ()
    resolve: Resolve = field(default=system_resolve)

    def is_allowed(self, address: Address) -> bool:
        """Whether an operator of the process has allowed this address."""
        inner = _embedded(address) if isinstance(address, ipaddress.IPv6Address) else None
        return any(
            a in network
            for a in (address, inner)
            if a is not None
            for network in self.allowed
            if network.version == a.version
        )

    async def addresses(self, host: str, port: int, *, ports: frozenset[int], is_tls: bool) -> list[str]:
        """Return the addresses of a host, all of them checked. Raise `NotSent`."""
        try:
            found = list(dict.fromkeys(await self.resolve(host, port)))
        except OSError:
            raise NotSent(f"the name {host} cannot be looked up") from None
        if not found:
            raise NotSent(f"the name {host} has no address")
        checked = [ipaddress.ip_address(text) for text in found]
        if all(self.is_allowed(address) for address in checked):
            return found
        if not all(is_public(address) or self.is_allowed(address) for address in checked):
            raise NotSent(
                f"{host} is not an address of the internet; whoever runs the control plane can allow its "
                "network with --alert-allow-net",
                final=True,
            )
        if not is_tls:
            raise NotSent(f"{host} is only told over TLS; use https://", final=True)
        if port not in ports:
            named = ", ".join(str(one) for one in sorted(ports))
            raise NotSent(f"port {port} of {host} is not one of {named}", final=True)
        return found

    def check_peer(self, own: str, peer: str) -> None:
        """Refuse a connection that ended at this machine under a public address. Raise `NotSent`."""
        if own == peer and not self.is_allowed(ipaddress.ip_address(peer)):
            raise NotSent("the address is the control plane's own", final=True)


def parse_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Return networks from their spelling, such as `10.0.0.0/8`. Raise ValueError."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)
