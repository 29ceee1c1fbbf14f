"""A connection whose stream ids run out is replaced before a call notices."""

from __future__ import annotations

from seawall_proxy.http2.table import LAST_OPENED_ID
from tests.scenario.scenes import GET, plain


def test_the_upstream_is_dialled_again() -> None:
    """The call with the last id ends normally, the next one takes a new connection, the old one closes."""
    with plain() as play:
        old = play.world.endpoint("a").links[0].connection
        assert old is not None
        # A connection that has lived for a while: one that is lost at once is left alone.
        play.advance(2.0)
        old.table.next_id = LAST_OPENED_ID - 1
        last = play.call(GET, b"ping")
        first = play.call(GET, b"ping")
        assert play.server().count == 2
        assert play.server().dials == 2
        play.server().request(1).trailers_only(0)
        play.server().request(2).trailers_only(0)
        play.advance(2.0)
        play.forget()
        assert (last.seen.status, first.seen.status) == (0, 0)
        assert old.closed
