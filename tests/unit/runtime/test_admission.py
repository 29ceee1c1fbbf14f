"""Which connections a listener takes."""

from __future__ import annotations

import pytest

from seawall_policy.listener_limits import ListenerLimits
from seawall_proxy.runtime.admission import Admission, client_of


def test_connections_in_all() -> None:
    """So many at once; one that leaves makes room."""
    admission = Admission(ListenerLimits(max_connections=2, max_connections_per_address=2))
    assert [admission.enter("a"), admission.enter("b"), admission.enter("c")] == ["", "", "max_connections"]
    admission.leave("a")
    assert admission.enter("c") == ""


def test_connections_of_one_client() -> None:
    """A client's share is its own, and nothing is remembered of clients that have gone."""
    admission = Admission(ListenerLimits(max_connections=10, max_connections_per_address=2))
    assert [admission.enter("a") for _ in range(3)] == ["", "", "max_connections_per_address"]
    assert admission.enter("b") == ""
    for client in ("a", "a", "b"):
        admission.leave(client)
    assert (admission.open, admission.by_client) == (0, {})


def test_clients_without_an_address() -> None:
    """Whoever comes by a Unix socket counts in all, and has no share."""
    admission = Admission(ListenerLimits(max_connections=3, max_connections_per_address=1))
    assert [admission.enter("") for _ in range(4)] == ["", "", "", "max_connections"]


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        (("10.0.0.7", 1234), "10.0.0.7"),
        (("2001:db8:1:2:aaaa::1", 1, 0, 0), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:bbbb::9", 2, 0, 0), "2001:db8:1:2::/64"),
        (("::ffff:10.0.0.7", 1, 0, 0), "10.0.0.7"),
        (("fe80::1%eth0", 1, 0, 2), "fe80::/64"),
        ("", ""),
        (None, ""),
        (b"\0abstract", ""),
    ],
)
def test_what_a_client_is(peer: object, client: str) -> None:
    """An IPv4 address, an IPv6 /64 network, or nobody in particular."""
    assert client_of(peer) == client
