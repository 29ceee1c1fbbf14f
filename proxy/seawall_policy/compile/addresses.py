"""Checking addresses: `host:port`, with an IPv6 host in brackets, and Unix sockets, `unix:///path`."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

_HOST_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_NUMERIC_HOST: Final = re.compile(r"[0-9.]+", re.ASCII)
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://", re.ASCII)
_MAX_HOST: Final = 253
_MAX_UNIX_PATH_BYTES: Final = 107
"""sockaddr_un holds 108 on Linux, with the zero at the end."""
_NO_UNIX: Final = "is a Unix socket, which is not possible here; write host:port, such as 127.0.0.1:50051"


def address_mistake(address: str, *, lowest_port: int, unix: bool = False) -> str:
    """Return what is wrong with a `host:port`; empty when nothing is. `lowest_port` is 0 where 0 means any
    free port; `unix` says that a Unix socket may be meant too.
    """
    if not address:
        return "is empty; write host:port, such as 127.0.0.1:50051"
    if address.startswith("unix:"):
        return _unix_mistake(address) if unix else _NO_UNIX
    scheme = _SCHEME.match(address)
    if scheme:
        rest = address[scheme.end() :].lstrip("/")
        found = " (a cluster that finds its endpoints by name says `target: dns:///host:port`)"
        return (
            f"starts with {scheme.group(0)}; write host:port, such as {rest[:80]}"
            f"{found if scheme.group(1) == 'dns' else ''}"
        )
    host, colon, port = address.rpartition(":")
    if address.startswith("["):
        return _bracketed_mistake(address, lowest_port)
    if not colon:
        return f"has no port; write {address}:50051" if not _host_mistake(address) else "is not host:port"
    if ":" in host:
        return (
            f"has an IPv6 host without brackets; write [{host}]:{port}"
            if _is_ipv6(host)
            else "is not host:port"
        )
    return _host_mistake(host) or _port_mistake(port, lowest_port)


def host_mistake(host: str) -> str:
    """Return what is wrong with a host name or an IP address without brackets; empty when nothing is."""
    return "" if _is_ipv6(host) else _host_mistake(host)


def _unix_mistake(address: str) -> str:
    path = address.removeprefix("unix://")
    if not address.startswith("unix:///"):
        return "is no Unix socket; write it with an absolute path, such as unix:///run/seawall.sock"
    if path.endswith("/") or "\0" in path:
        return "has no usable path; write the name of a file, such as unix:///run/seawall.sock"
    if len(path.encode("utf-8", "surrogateescape")) > _MAX_UNIX_PATH_BYTES:
        return f"has a path that is too long for a socket; at most {_MAX_UNIX_PATH_BYTES} bytes are possible"
    return ""


def _bracketed_mistake(address: str, lowest_port: int) -> str:
    host, bracket, rest = address[1:].partition("]")
    if not bracket:
        return "has no closing bracket; write [::1]:50051"
    if not _is_ipv6(host):
        return "has no IPv6 address between its brackets; write [::1]:50051"
    if not rest.startswith(":"):
        return f"has no port; write [{host}]:50051"
    return _port_mistake(rest[1:], lowest_port)


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _host_mistake(host: str) -> str:
    if not host:
        return "has no host; write 127.0.0.1 for this machine or 0.0.0.0 for every interface"
    if _NUMERIC_HOST.fullmatch(host):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            return f"has the host {host[:80]}, which is no IPv4 address; write four numbers from 0 to 255"
        return ""
    name = host.removesuffix(".")
    if len(name) > _MAX_HOST or not all(_HOST_LABEL.fullmatch(label) for label in name.split(".")):
        return "has a malformed host name; write letters, digits, dots and hyphens"
    return ""


def _port_mistake(port: str, lowest: int) -> str:
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and lowest <= int(port) <= 65535):
        return f"has no valid port; ports are {lowest} to 65535"
    if len(port) > 1 and port[0] == "0":
        return "has a port with a leading zero; remove it"
    return ""
