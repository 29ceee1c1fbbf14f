"""RFC 9113 section 5.1.1: stream ids are used up, and nobody is surprised by it."""

from __future__ import annotations

from seawall_proxy.http2.headers import HeaderBlock
from seawall_proxy.http2.table import LAST_OPENED_ID
from tests.unit.http2.wire import (
    END_HEADERS,
    GOAWAY,
    NO_ERROR,
    REQUEST,
    RESPONSE,
    StreamRecorder,
    client,
    server,
)

LAST = LAST_OPENED_ID - 1
"""The last odd id a client of ours uses."""


def test_a_client_says_so_with_its_last_stream() -> None:
    """With the last id the handler learns that nothing new is opened here; what is open goes on."""
    peer = client()
    peer.connection.table.next_id = LAST - 2
    first = peer.open_call()
    assert peer.recorder.names("goaway") == []
    last = peer.connection.open_stream(StreamRecorder(peer.recorder), HeaderBlock(REQUEST), (), False)
    assert (first.id, last.id) == (LAST - 2, LAST)
    assert peer.recorder.names("goaway") == [("goaway", 2**31 - 1, NO_ERROR)]
    assert not peer.connection.can_open
    peer.send(peer.headers(first.id, RESPONSE, END_HEADERS), peer.headers(last.id, RESPONSE, END_HEADERS))
    assert [entry[1] for entry in peer.recorder.names("headers")] == [first.id, last.id]


def test_a_server_sends_a_client_away_in_time() -> None:
    """At an id of 2^30 the client is asked, once and without a loss, to come back on a new connection."""
    peer = server()
    peer.send(peer.headers(LAST))
    assert peer.goaway_code() is None
    peer.send(peer.headers(LAST + 2), peer.headers(LAST + 4))
    sent = [answered.payload for answered in peer.frames if answered.kind == GOAWAY]
    assert [payload[:8] for payload in sent] == [(2**31 - 1).to_bytes(4, "big") + bytes(4)]
    assert [entry[1] for entry in peer.recorder.names("request")] == [LAST, LAST + 2, LAST + 4]
