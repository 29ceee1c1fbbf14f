"""`mode: shadow` of the mechanisms that have it: the same conversation as without them, and a count."""

from __future__ import annotations

import pytest

from seawall_policy import status
from seawall_policy.deadline import DeadlineOptions
from seawall_policy.fault import FaultOptions
from seawall_policy.last_good import LastGoodOptions
from seawall_policy.limit.options import SHADOW, LimitOptions
from seawall_policy.model import FallbackStep
from seawall_policy.rate import RateLimitOptions
from seawall_proxy.telemetry.would import would_by_name
from seawall_proxy.testing import Playbook
from seawall_proxy.testing.policies import (
    in_shadow,
    to_cluster,
    to_empty,
    to_last_good,
    to_method,
    to_static,
)
from tests.scenario.scenes import GET, METHODS, begin, playing, retrying, snapshot

UNAVAILABLE = 1 << status.UNAVAILABLE
WITH_DR = {"main": ("a",), "dr": ("d",)}
PAYLOAD = b"\x00\x00\x00\x00\x02hi"
LAST = LastGoodOptions(60.0)


def would(play: Playbook) -> dict[str, int]:
    """Return what would have been done."""
    return would_by_name(play.world.counters["all"])


def fail(play: Playbook, code: int = 14) -> str:
    """Make a call that its server fails; return what the client hears."""
    begin(play)
    play.server().last.trailers_only(code)
    return play.forget()[-1]


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (to_static(PAYLOAD, GET.encode(), UNAVAILABLE), "static"),
        (to_empty(UNAVAILABLE), "empty"),
    ],
)
def test_a_fallback_that_would_have_answered(step: FallbackStep, kind: str) -> None:
    """The client gets the failure, and the route is not degraded."""
    with playing(fallback=(in_shadow(step),)) as play:
        assert fail(play) == "client#1 <- TRAILERS-ONLY UNAVAILABLE"
        assert fail(play, 13) == "client#2 <- TRAILERS-ONLY INTERNAL"
        assert would(play) == {f"fallback/{kind}": 1}
        assert play.world.counters["all"].fallbacks == 0
        assert play.world.state().degradation is None


@pytest.mark.parametrize(
    ("step", "kind"),
    [(to_cluster("dr"), "cluster"), (to_method("/shop.v1.Orders/GetCached", "dr"), "method")],
)
def test_a_fallback_that_would_have_sent(step: FallbackStep, kind: str) -> None:
    """Nothing is sent there; what is not safe to repeat would not have been."""
    with playing(
        fallback=(in_shadow(step),), clusters=WITH_DR, retry=retrying(1, only_idempotent=False)
    ) as play:
        assert "UNAVAILABLE" in fail(play)
        assert would(play) == {f"fallback/{kind}": 1}
        assert play.server("d").count == 0
    with playing(
        fallback=(in_shadow(step),), clusters=WITH_DR, retry=retrying(1, only_idempotent=True)
    ) as play:
        fail(play)
        assert would(play) == {}


def test_a_last_good_answer_that_would_have_been_served() -> None:
    """It is kept as if it were needed, which is what tells how often it would have been there."""
    with playing(fallback=(in_shadow(to_last_good(LAST)),)) as play:
        fail(play)
        assert would(play) == {}
        begin(play)
        play.server().last.reply(PAYLOAD)
        play.forget()
        assert "UNAVAILABLE" in fail(play)
        assert would(play) == {"fallback/last_good": 1}


def test_a_shadow_beside_fallbacks_in_force() -> None:
    """It changes nothing of the chain, before it or behind it, and is asked once for a call."""
    steps = (in_shadow(to_empty()), to_cluster("dr"), to_static(PAYLOAD, GET.encode()))
    with playing(fallback=steps, clusters=WITH_DR, retry=retrying(1)) as play:
        begin(play)
        play.server().last.trailers_only(14)
        play.server("d").last.trailers_only(14)
        assert "TRAILERS OK" in play.forget()[-1]
        assert would(play) == {"fallback/empty": 1}
        assert play.world.counters["all"].fallback_by_kind == {"static": 1}


def test_a_shadow_holds_no_answer_back() -> None:
    """An answer is passed on as it comes unless something in force may replace it."""
    with playing(fallback=(in_shadow(to_empty()),)) as play:
        begin(play)
        play.server().last.headers()
        assert play.forget()[-1].startswith("client#1 <- HEADERS")
        play.server().last.trailers(14)
        play.forget()
        assert would(play) == {}, "committed: no fallback could have answered"


def test_a_fallback_that_is_off() -> None:
    """It is not there."""
    step = to_empty()
    step.mode = 3
    with playing(fallback=(step,)) as play:
        assert "UNAVAILABLE" in fail(play)
        assert would(play) == {}


def test_faults_that_would_have_been_injected() -> None:
    """Counted by kind; the server sees every call and the client no mark."""
    fault = FaultOptions(
        until_s=1e9, abort_share=1.0, delay_share=1.0, delay_s=1.0, max_active=1, shadow=True
    )
    with playing(fault=fault) as play:
        for _ in range(3):
            begin(play)
            play.server().last.trailers_only(0)
            assert "fault" not in play.forget()[-1]
        assert would(play) == {"fault/abort": 3, "fault/delay": 3}
        statistics = play.world.counters["all"].faults
        assert (statistics.injected, statistics.active, statistics.capped) == ([0, 0, 0, 0], 0, 0)


def test_hopeless_calls_that_would_have_been_refused() -> None:
    """The default is shadow: what enforcing would do can be read before it does it."""
    with playing(deadline=DeadlineOptions(max_refused=20.0), methods=METHODS) as play:
        for _ in range(30):
            begin(play)
            play.advance(0.1)
            play.server().last.trailers_only(0)
        play.advance(0.3)
        begin(play)
        play.server().last.trailers_only(0)
        for _ in range(20):
            call = begin(play, timeout=b"50m")
            assert not call.seen.ended
            play.server().last.trailers_only(0)
        play.forget()
        refused = would(play)["deadline/refuse"]
        assert 0 < refused < play.world.counters["all"].hopeless == 20


def test_limits_that_would_have_refused() -> None:
    """Under one name each."""
    with playing(
        limit=LimitOptions(max_in_flight=1, initial=1, mode=SHADOW),
        rate_limit=RateLimitOptions(1.0, 1, mode=SHADOW),
    ) as play:
        for _ in range(3):
            begin(play)
        for number in range(1, 4):
            play.server().request(number).trailers_only(0)
        play.forget()
        assert would(play) == {"limit/refuse": 2, "rate_limit/refuse": 2}


def test_a_shadow_that_is_put_in_force() -> None:
    """The same settings in mode enforce do what was counted."""
    step = in_shadow(to_empty())
    with playing(fallback=(step,)) as play:
        fail(play)
        play.apply(snapshot(fallback=(to_empty(),), revision=2))
        assert "TRAILERS OK" in fail(play)
