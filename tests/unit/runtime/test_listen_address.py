"""Addresses from the command line."""

from __future__ import annotations

import pytest

from seawall_proxy.runtime.server import StartFailed, place_to_listen


@pytest.mark.parametrize("address", ["abc", "8081", ":8081", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536"])
def test_what_is_no_address_is_said(address: str) -> None:
    """A bad address ends the start with a sentence; a port alone does not open every interface."""
    with pytest.raises(StartFailed, match="host:port"):
        place_to_listen(address)


def test_hosts_ports_and_brackets() -> None:
    """Names, IPv4 and IPv6 addresses are split."""
    assert place_to_listen("localhost:0") == ("localhost", 0)
    assert place_to_listen("0.0.0.0:8080") == ("0.0.0.0", 8080)
    assert place_to_listen("[::1]:8080") == ("::1", 8080)
