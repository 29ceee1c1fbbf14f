"""Rate limits: settings and buckets."""

from __future__ import annotations

from itertools import pairwise

import pytest

from seawall_policy import rate
from seawall_policy.rate import RateLimiter, RateLimitOptions


@pytest.mark.parametrize(
    "settings",
    [
        {"per_second": 0.0}, {"per_second": 1e7}, {"burst": -1}, {"max_keys": 0}, {"mode": 0},
        {"key": ("who",)}, {"key": ("peer", "peer")}, {"key": ("peer",) * 9},
    ],
)  # fmt: skip
def test_options_are_checked(settings: dict[str, object]) -> None:
    """What cannot be is refused with its name."""
    with pytest.raises(ValueError, match=r"rate limit: |key: "):
        RateLimitOptions(**{"per_second": 1.0, **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize(("per_second", "burst"), [(0.1, 1), (1.0, 1), (7.9, 7), (1000.0, 1000)])
def test_burst_is_a_second_s_calls(per_second: float, burst: int) -> None:
    """Unless it is given; at least one."""
    assert RateLimitOptions(per_second).burst == burst


def test_key_parts() -> None:
    """Parts are told apart by their form."""
    options = RateLimitOptions(1.0, key=("metadata:x-a", "peer", "method", "metadata:x-b"))
    key = options.parts
    assert (key.by_peer, key.by_method, key.names) == (True, True, (b"x-a", b"x-b"))


def test_the_long_run() -> None:
    """In ten seconds of far too many calls as many pass as there are tokens, at even distances."""
    limiter = RateLimiter(RateLimitOptions(4.0, 3))
    passed = [step for step in range(10_000) if limiter.take(b"", 5.0 + step / 1000.0) == 0.0]
    assert len(passed) == 3 + 39
    assert passed[:3] == [0, 1, 2]
    assert {second - first for first, second in pairwise(passed[3:])} == {250}


def test_fewer_keys_under_a_new_policy() -> None:
    """The oldest go, the others stay as they are."""
    limiter = RateLimiter(RateLimitOptions(0.1, 1))
    for key in (b"a", b"b", b"c"):
        limiter.take(key, 1.0)
    limiter.resize(RateLimitOptions(0.1, 1, max_keys=2))
    assert limiter.keys() == 2
    assert limiter.take(b"b", 1.0) > 9.0
    assert limiter.take(b"a", 1.0) == 0.0


def test_shadow_takes_no_token_it_has_not() -> None:
    """What would be refused passes and is counted; the bucket is not overdrawn."""
    limiter = RateLimiter(RateLimitOptions(1.0, 1, mode=rate.SHADOW))
    assert [limiter.take(b"", 1.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert (limiter.would_refuse, limiter.refused) == (2, 0)
    limiter.take(b"", 2.0)
    assert limiter.would_refuse == 2


def test_the_key_that_was_not_used_for_longest_goes() -> None:
    """Not the one that came first: it has just spent a token, and would come back with another one."""
    limiter = RateLimiter(RateLimitOptions(1.0, 1, max_keys=2))
    assert [limiter.take(b"a", 10.0), limiter.take(b"b", 10.0), limiter.take(b"a", 11.0)] == [0.0] * 3
    assert limiter.take(b"c", 11.0) == 0.0
    assert limiter.take(b"a", 11.0) == 1.0
    assert limiter.keys() == 2


def test_keys_are_cut() -> None:
    """A caller's key of any length costs no more than 256 bytes."""
    limiter = RateLimiter(RateLimitOptions(0.1, 1))
    limiter.take(b"x" * 5000, 1.0)
    assert limiter.take(b"x" * 256 + b"y", 1.0) > 0.0


def test_an_idle_bucket_is_full_and_no_fuller() -> None:
    """However long nobody came, the burst is what may come at once."""
    limiter = RateLimiter(RateLimitOptions(10.0, 2))
    limiter.take(b"", 1.0)
    assert [limiter.take(b"", 100.0) == 0.0 for _ in range(4)] == [True, True, False, False]
