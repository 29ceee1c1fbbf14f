"""Who accepts from which socket."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_proxy.runtime.places import StartFailed
from seawall_proxy.runtime.sockets import assign, bind


@given(st.integers(1, 8), st.sets(st.integers(0, 7), min_size=1))
def test_every_slot_is_served_and_every_worker_serves(slots: int, workers: set[int]) -> None:
    """Whatever the number of sockets that were inherited, and whoever has died."""
    shares = assign(slots, sorted(workers))
    assert set(shares) == workers
    assert {slot for served in shares.values() for slot in served} == set(range(slots))
    assert all(shares.values())
    for worker, served in shares.items():
        assert len(served) == len(set(served))
        if worker < slots:
            assert served[0] == worker


def test_without_workers_nothing_is_shared_out() -> None:
    """All have died: the connections wait."""
    assert assign(4, []) == {}


def test_slots_share_a_port_and_a_taken_one_is_said() -> None:
    """Each slot has a socket of its own on the same port; a second proxy there is told."""
    place = bind("127.0.0.1:0", 3)
    try:
        ports = {sock.getsockname()[1] for slot in place.slots for sock in slot}
        assert len(ports) == 1
        assert place.address == f"127.0.0.1:{ports.pop()}"
        place.slots[0][0].listen()
        with pytest.raises(StartFailed, match="cannot listen on"):
            bind(place.address, 3)
    finally:
        place.close()
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", int(place.address.rpartition(":")[2])))
