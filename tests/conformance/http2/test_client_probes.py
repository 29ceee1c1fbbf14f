"""The client role against the probes: the engine in memory, with one call on stream 1 and one on stream 3."""

from __future__ import annotations

import pytest

from tests.conformance.http2.client_probes import PROBES
from tests.conformance.http2.probe_kit import MARKER, ConnectionFault, Probe, Speaker
from tests.unit.http2.wire import ACK, PING, SETTINGS, client, frame


def test_every_probe_has_a_name_of_its_own() -> None:
    """A report names one rule by one name, and there are not fewer of them than in the public suite."""
    assert len({probe.id for probe in PROBES}) == len(PROBES)
    assert len(PROBES) >= 57


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.id)
@pytest.mark.parametrize("step", [1, 1 << 20], ids=["octet by octet", "whole"])
def test_engine(probe: Probe, step: int) -> None:
    """`Connection` in the client role does what the RFC asks, however the octets are cut."""
    peer = client(handshake=False)
    speaker = Speaker()

    def say(data: bytes) -> None:
        for at in range(0, len(data), step):
            peer.send(data[at : at + step])

    say(frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0))
    peer.open_call(end_stream=True)
    peer.open_call()
    for part in probe.steps:
        assert callable(part)
        say(part(speaker))
    say(frame(PING, 0, 0, MARKER))
    assert probe.expect.seen(peer.frames), peer.frames
    assert peer.connection.closed is isinstance(probe.expect, ConnectionFault)
