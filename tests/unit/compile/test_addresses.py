"""Addresses of listeners and endpoints."""

from __future__ import annotations

import pytest

from seawall_policy.compile.addresses import address_mistake


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:50051",
        "localhost:1",
        "shop.svc.cluster.local:65535",
        "shop.:80",
        "[::1]:50051",
        "[fe80::1]:1",
        "a_b:9",
        "0.0.0.0:80",
    ],
)
def test_addresses(address: str) -> None:
    """Names, IPv4 and bracketed IPv6 with a port are addresses."""
    assert address_mistake(address, lowest_port=1) == ""


@pytest.mark.parametrize(
    ("address", "part"),
    [
        ("", "is empty"),
        ("localhost", "has no port; write localhost:50051"),
        (":50051", "has no host"),
        ("localhost:", "no valid port"),
        ("localhost:0", "no valid port"),
        ("localhost:65536", "no valid port"),
        ("localhost:grpc", "no valid port"),
        ("localhost:+80", "no valid port"),
        ("localhost:080", "leading zero"),
        ("localhost:٨٠", "no valid port"),
        ("::1:50051", "without brackets; write [::1]:50051"),
        ("[::1]", "has no port; write [::1]:50051"),
        ("[::1]50051", "has no port"),
        ("[::1", "no closing bracket"),
        ("[localhost]:1", "no IPv6 address"),
        ("256.1.1.1:1", "no IPv4 address"),
        ("1.2.3:1", "no IPv4 address"),
        ("a b:1", "malformed host"),
        ("-a:1", "malformed host"),
        ("a..b:1", "malformed host"),
        ("a:b:1", "is not host:port"),
        ("http://shop:80", "starts with http://"),
        ("dns:///shop:50051", "such as shop:50051"),
        ("unix:/run/x.sock", "Unix socket"),
        ("x" * 300 + ":1", "malformed host"),
    ],
)
def test_mistakes(address: str, part: str) -> None:
    """Everything else is told what is wrong with it."""
    assert part in address_mistake(address, lowest_port=1)


def test_port_zero_is_for_listeners() -> None:
    """Port 0 picks a free port, which only a listener can."""
    assert address_mistake("127.0.0.1:0", lowest_port=0) == ""
