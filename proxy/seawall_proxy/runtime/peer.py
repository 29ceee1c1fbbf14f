"""Who is on the other side of a connection: the address, and the name in a verified certificate."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_KINDS: Final = ("URI", "DNS", "email")
"""Alternative names in the order in which they name a client: a SPIFFE ID is a URI."""
_MAX_NAME: Final = 256


def shown_address(name: object) -> str:
    """Return `host:port` of an IP socket's address, `unix:` of a Unix socket's."""
    if isinstance(name, tuple) and len(name) >= 2:
        host, port = str(name[0]), name[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return "unix:"


def split_address(shown: str) -> tuple[str, int] | None:
    """Return host and port of what `shown_address` made; None for a Unix socket's."""
    host, _, port = shown.rpartition(":")
    return (host.strip("[]"), int(port)) if port.isdigit() else None


def identity(certificate: Mapping[str, object] | None) -> str:
    """Return the name in a certificate as SSLObject.getpeercert() shows it: a URI, DNS name or e-mail address
    of its alternative names, else the subject's common name; empty without any.
    """
    if not certificate:
        return ""
    names = certificate.get("subjectAltName")
    if isinstance(names, Sequence):
        for wanted in _KINDS:
            for kind, value in names:
                if kind == wanted:
                    return _clean(value)
    subject = certificate.get("subject")
    if isinstance(subject, Sequence):
        for part in subject:
            for key, value in part:
                if key == "commonName":
                    return _clean(value)
    return ""


def _clean(name: str) -> str:
    """Return a name fit for a log line: printable, and not longer than 256 characters."""
    return "".join(character if character.isprintable() else "?" for character in name[:_MAX_NAME])


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Return networks from CIDR notation."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def is_trusted(sock: socket.socket, name: object, trusted: Sequence[Network]) -> bool:
    """Tell whether a connection comes from one of the networks. No networks means everyone; a Unix socket's
    permissions have decided already.
    """
    if not trusted or sock.family == socket.AF_UNIX:
        return True
    if not isinstance(name, tuple):
        return False
    try:
        address = ipaddress.ip_address(str(name[0]).partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address.version == network.version and address in network for network in trusted)
