"""Where alerts may go: spellings of addresses, networks, and names that answer one thing and then another."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest

from seawall_control.services.alerting.channels.addresses import (
    MAIL_PORTS,
    WEB_PORTS,
    Guard,
    is_public,
    parse_networks,
    parse_url,
)
from seawall_control.services.alerting.channels.port import NotSent

REFUSED_SPELLINGS = (
    "", "x", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "//example.com/", "https://",
    "https:///path", "https://user@example.com/", "https://user:pass@example.com/", "https://@example.com/",
    "https://example.com@127.0.0.1/", "https://example.com/#fragment", "https://example.com#@127.0.0.1/",
    "https://example.com:0/", "https://example.com:99999/", "https://example.com:port/",
    "https://exa mple.com/", " https://example.com/", "https://example.com/\r\nhost: x",
    "https://example.com\\@x/",
    "https:\\\\example.com/", "https://ex\tample.com/", "https://exämple.com/", "https://１２７.0.0.1/",
    "https://ⓔxample.com/", "https://127.1/", "https://127.0.1/", "https://2130706433/", "https://0x7f000001/",
    "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/", "https://127.0.0.1.1/",
    "https://256.0.0.1/", "https://127.0.0.01/", "https://[::1/", "https://[::g]/", "https://[::ffff:127.0.0.1",
    "https://-example.com/", "https://example..com/", "https://exam%70le.com/", "https://127.0.0.1%2f@x/",
    "https://[fe80::1%25eth0]/", "https://0/", "https://0x/", "https://example.com:443:443/",
    "javascript:alert(1)",
    "HTTPS//example.com", "https:/example.com/", "https://.example.com/", "https://a" + "b" * 64 + ".com/",
)  # fmt: skip


@pytest.mark.parametrize("spelling", REFUSED_SPELLINGS)
def test_refused_spellings(spelling: str) -> None:
    """What two parsers could read in two ways is read by none."""
    with pytest.raises(NotSent) as caught:
        parse_url(spelling)
    assert caught.value.final


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("https://Example.com", (True, "example.com", 443, "/")),
        ("https://example.com:8443/a/b?c=d", (True, "example.com", 8443, "/a/b?c=d")),
        ("http://10.0.0.1:80/x", (False, "10.0.0.1", 80, "/x")),
        ("https://[2001:db8::1]/", (True, "2001:db8::1", 443, "/")),
        ("https://xn--exmple-cua.com./", (True, "xn--exmple-cua.com.", 443, "/")),
        ("https://example.com?q", (True, "example.com", 443, "/?q")),
    ],
)
def test_good_spellings(spelling: str, expected: tuple[bool, str, int, str]) -> None:
    """A plain address is taken apart."""
    url = parse_url(spelling)
    assert (url.is_tls, url.host, url.port, url.target) == expected


def test_the_host_header() -> None:
    """The port is named where it is not the usual one; IPv6 addresses stand in brackets."""
    assert parse_url("https://[2001:db8::1]:8443/").authority == "[2001:db8::1]:8443"
    assert parse_url("https://example.com:443/").authority == "example.com"


PRIVATE = (
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
    "192.0.0.9", "192.0.0.192", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::7f00:1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b::a00:1",
    "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001::1", "2001:db8::1", "fc00::1", "fd12:3456::1",
    "fe80::1", "fe80::1%1", "fec0::1", "ff02::1", "100::1",
)  # fmt: skip
PUBLIC = (
    "1.1.1.1",
    "93.184.216.34",
    "2606:4700:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
    "2002:101:101::",
)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    """Every form of what is not of the internet."""
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    """And of what is."""
    assert is_public(ipaddress.ip_address(address))


class Names:
    """Answers look-ups one after the other."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, _host: str, _port: int) -> Sequence[str]:
        """Answer."""
        self.asked += 1
        return self.answers.pop(0)


async def test_every_address_of_a_name_is_checked() -> None:
    """One private address among public ones is enough to refuse; the name is looked up once."""
    names = Names(["93.184.216.34", "169.254.169.254"])
    with pytest.raises(NotSent, match="not an address of the internet") as caught:
        await Guard(resolve=names.resolve).addresses("x.example", 443, ports=WEB_PORTS, is_tls=True)
    assert caught.value.final
    assert names.asked == 1


async def test_the_checked_addresses_are_those_that_are_used() -> None:
    """A name that answers otherwise the second time is not asked a second time."""
    names = Names(["93.184.216.34"], ["127.0.0.1"])
    found = await Guard(resolve=names.resolve).addresses("x.example", 443, ports=WEB_PORTS, is_tls=True)
    assert found == ["93.184.216.34"]
    assert names.asked == 1


@pytest.mark.parametrize(
    ("host", "port", "is_tls", "what"),
    [
        ("93.184.216.34", 443, False, "over TLS"),
        ("93.184.216.34", 22, True, "port 22"),
        ("127.0.0.1", 443, True, "--alert-allow-net"),
    ],
)
async def test_what_is_refused(host: str, port: int, is_tls: bool, what: str) -> None:
    """TLS and usual ports only."""
    guard = Guard(resolve=Names([host]).resolve)
    with pytest.raises(NotSent, match=what):
        await guard.addresses(host, port, ports=WEB_PORTS, is_tls=is_tls)


async def test_allowed_networks() -> None:
    """A network that was allowed is reached at any port and without TLS, also in an IPv6 disguise; a name
    that has other addresses too is held to the rules of the internet.
    """
    allowed = parse_networks(["10.1.0.0/16", "fd00::/8"])
    for address in ("10.1.2.3", "fd00::1", "::ffff:10.1.2.3"):
        guard = Guard(allowed, Names([address]).resolve)
        assert await guard.addresses("x", 9999, ports=MAIL_PORTS, is_tls=False) == [address]
    guard = Guard(allowed, Names(["10.2.0.1"]).resolve)
    with pytest.raises(NotSent):
        await guard.addresses("x", 443, ports=WEB_PORTS, is_tls=True)
    guard = Guard(allowed, Names(["10.1.0.1", "93.184.216.34"]).resolve)
    with pytest.raises(NotSent, match="over TLS"):
        await guard.addresses("x", 80, ports=WEB_PORTS, is_tls=False)


async def test_names_that_are_none() -> None:
    """A name without an address, or that cannot be looked up, may be better later."""

    async def fails(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such name")

    for resolve in (fails, Names([]).resolve):
        with pytest.raises(NotSent) as caught:
            await Guard(resolve=resolve).addresses("x", 443, ports=WEB_PORTS, is_tls=True)
        assert not caught.value.final


def test_the_control_planes_own_address() -> None:
    """A public address of this machine is this machine."""
    with pytest.raises(NotSent, match="own"):
        Guard().check_peer("93.184.216.34", "93.184.216.34")
    Guard().check_peer("192.168.1.2", "93.184.216.34")
    Guard(parse_networks(["127.0.0.0/8"])).check_peer("127.0.0.1", "127.0.0.1")


INSIDE = (
    "https://localhost/", "https://LOCALHOST./", "https://127.0.0.1/", "https://127.1.2.3:8443/",
    "https://[::1]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::127.0.0.1]/",
    "https://[2002:7f00:1::]/", "https://0.0.0.0/", "https://[::]/",
    "https://169.254.169.254/latest/meta-data/", "https://[fd00:ec2::254]/", "https://[::ffff:a9fe:a9fe]/",
    "https://[64:ff9b::a9fe:a9fe]/", "https://100.100.100.200/", "https://10.0.0.1/", "https://192.168.0.1/",
    "https://172.16.0.1/", "https://[fe80::1]/", "https://[fc00::1]/", "https://224.0.0.1/",
    "https://255.255.255.255/", "https://[ff02::1]/", "https://198.18.0.1/", "https://192.0.0.192/",
)  # fmt: skip
"""Good spellings of what no channel may reach: this machine, its network, and clouds' metadata services."""


@pytest.mark.parametrize("spelling", INSIDE)
async def test_spellings_of_what_is_inside(spelling: str) -> None:
    """They are read, looked up by the machine itself, and refused; nothing is connected to."""
    url = parse_url(spelling)
    with pytest.raises(NotSent) as caught:
        await Guard().addresses(url.host, url.port, ports=WEB_PORTS, is_tls=url.is_tls)
    assert caught.value.final or "cannot be looked up" in str(caught.value)
