"""Servers that serve a little on each connection and say GOAWAY."""

from __future__ import annotations

from seawall_policy import status
from seawall_proxy.upstream.endpoint import STATE_NAMES
from tests.scenario.scenes import begin, plain


def test_a_server_of_one_call_a_connection_is_a_good_one() -> None:
    """A connection on which the server took a call was worth dialling, however short it was: the next call
    gets another one at once.
    """
    with plain() as play:
        for number in range(1, 6):
            call = begin(play)
            play.server().goaway()
            play.server().request(number).trailers_only(0)
            play.forget()
            assert call.seen.status == status.OK
        assert play.server().server.dials == 6


def test_a_server_that_takes_no_call_is_left_alone() -> None:
    """GOAWAY on connections that nothing was served on, again and again, is no invitation to dial."""
    with plain() as play:
        begin(play)
        play.server().goaway(0)
        play.forget()
        assert STATE_NAMES[play.world.endpoint("a").state] == "backoff"


def test_goaway_before_any_call_is_no_service() -> None:
    """A server that greets and leaves has served nobody, whatever stream id it names."""
    with plain() as play:
        play.server().goaway(2**31 - 1)
        assert STATE_NAMES[play.world.endpoint("a").state] == "backoff"
