"""Rate limits, as calls meet them: tokens by key, and when to come back."""

from __future__ import annotations

from base64 import b64decode

from google.rpc import error_details_pb2, status_pb2

from seawall_policy import rate
from seawall_policy.rate import RateLimiter, RateLimitOptions
from seawall_proxy.testing import Playbook
from seawall_proxy.testing.policies import to_static
from tests.scenario.scenes import GET, LIST, begin, playing, snapshot

TENANT = b"x-tenant"


def limiter_of(play: Playbook) -> RateLimiter:
    """Return the rate limiter of the only route."""
    guards = play.world.state().guards
    assert guards is not None
    assert guards.rate is not None
    return guards.rate


def pass_one(play: Playbook, *fields: tuple[bytes, bytes], path: str = GET) -> bool:
    """Make a call; tell whether it came through."""
    before = play.server().count
    call = begin(play, b"ping", *fields, path=path)
    if play.server().count == before:
        assert call.seen.field(b"seawall-reason") == b"RATE_LIMITED"
        assert call.seen.status == 8
        return False
    play.server().last.reply(b"pong")
    play.forget()
    return True


def test_a_call_without_a_token_hears_when_there_is_one() -> None:
    """RESOURCE_EXHAUSTED with the exact time, in the trailer and as RetryInfo; nothing is sent."""
    with playing(rate_limit=RateLimitOptions(2.0, 1)) as play:
        assert pass_one(play)
        play.advance(0.1)
        call = play.call(GET, b"ping")
        play.expect("client#2 <- TRAILERS-ONLY RESOURCE_EXHAUSTED LOCAL RATE_LIMITED rejected pushback=400")
        value = call.seen.field(b"grpc-status-details-bin")
        assert value is not None
        details = status_pb2.Status.FromString(b64decode(value + b"=="))
        again = error_details_pb2.RetryInfo()
        assert any(detail.Unpack(again) for detail in details.details)
        assert 0.39e9 < again.retry_delay.nanos <= 0.4e9
        play.advance(0.402)
        assert pass_one(play)


def test_buckets_by_metadata_and_method() -> None:
    """Each combination has a bucket of its own; a missing key is one of them."""
    options = RateLimitOptions(0.1, 1, ("metadata:x-tenant", "method"))
    with playing(rate_limit=options) as play:
        assert pass_one(play, (TENANT, b"a"))
        assert not pass_one(play, (TENANT, b"a"))
        assert pass_one(play, (TENANT, b"b"))
        assert pass_one(play, (TENANT, b"a"), path=LIST)
        assert pass_one(play)
        assert not pass_one(play)
        assert limiter_of(play).keys() == 4


def test_buckets_by_peer() -> None:
    """A client's connections share a bucket: the port does not count."""
    with playing(rate_limit=RateLimitOptions(0.1, 1, ("peer",))) as play:
        assert pass_one(play)
        assert not pass_one(play)
        assert limiter_of(play).keys() == 1


def test_shadow_counts_and_refuses_nothing() -> None:
    """In shadow every call comes through."""
    with playing(rate_limit=RateLimitOptions(0.1, 1, mode=rate.SHADOW)) as play:
        for _ in range(3):
            assert pass_one(play)
        assert play.world.counters["all"].would_limit_by == {"RATE_LIMITED": 2}
        assert limiter_of(play).would_refuse == 2


def test_a_fallback_answers_it() -> None:
    """`when: [RATE_LIMITED]` answers a call that came too soon."""
    fallback = (to_static(b"\x00\x00\x00\x00\x00", GET.encode(), 0, frozenset(("RATE_LIMITED",))),)
    with playing(rate_limit=RateLimitOptions(0.1, 1), fallback=fallback) as play:
        assert pass_one(play)
        call = begin(play)
        assert call.seen.status == 0
        assert call.seen.field(b"seawall-reason") == b"RATE_LIMITED"


def test_a_new_policy_keeps_the_buckets() -> None:
    """A policy push fills no bucket, unless its key is another one."""
    with Playbook(snapshot(rate_limit=RateLimitOptions(0.1, 1))) as play:
        assert pass_one(play)
        play.apply(snapshot(rate_limit=RateLimitOptions(0.2, 1), revision=2))
        assert not pass_one(play)
        play.apply(snapshot(rate_limit=RateLimitOptions(0.2, 1, ("method",)), revision=3))
        assert pass_one(play)
