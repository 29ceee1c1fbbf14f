"""The rate limiter against buckets that hold tokens."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_policy.rate import RateLimiter, RateLimitOptions


class Bucket:
    """Tokens that come back with time, exactly."""

    def __init__(self, burst: int) -> None:
        self.tokens = Fraction(burst)
        self.at = Fraction(0)


@settings(max_examples=100)
@given(
    per_second=st.sampled_from((1, 2, 4)),
    burst=st.integers(1, 3),
    max_keys=st.integers(1, 3),
    steps=st.lists(
        st.tuples(
            st.sampled_from((b"a", b"b", b"c", b"d")), st.sampled_from((0.0, 0.0, 0.125, 0.25, 0.5, 3.0))
        ),
        max_size=50,
    ),
)
def test_the_limiter_is_a_bucket_for_each_key(
    per_second: int, burst: int, max_keys: int, steps: list[tuple[bytes, float]]
) -> None:
    """Calls pass while there is a token; the wait told is exact; the key unused for longest is forgotten."""
    limiter = RateLimiter(RateLimitOptions(float(per_second), burst, max_keys=max_keys))
    buckets: dict[bytes, Bucket] = {}
    now = Fraction(64)
    refused = 0
    for key, pause in steps:
        now += Fraction(pause)
        bucket = buckets.get(key)
        if bucket is None:
            bucket = Bucket(burst)
            bucket.at = now
        bucket.tokens = min(Fraction(burst), bucket.tokens + (now - bucket.at) * per_second)
        bucket.at = now
        wait = limiter.take(key, float(now))
        if bucket.tokens >= 1:
            assert wait == 0.0
            bucket.tokens -= 1
            buckets.pop(key, None)
            buckets[key] = bucket
            if len(buckets) > max_keys:
                del buckets[next(iter(buckets))]
        else:
            refused += 1
            assert abs(wait - float((1 - bucket.tokens) / per_second)) < 1e-9
        assert limiter.keys() == len(buckets)
    assert limiter.refused == refused
