"""`grpc-timeout` there and back."""

from __future__ import annotations

import re
from math import nextafter

from hypothesis import example, given
from hypothesis import strategies as st

from seawall_policy.deadline import MALFORMED, format_grpc_timeout, parse_grpc_timeout

UNIT_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
LARGEST_S = 99_999_999 * 3600.0


JUST_BELOW = st.builds(
    lambda n, units: nextafter(n / units, 0.0), st.integers(1, 99_999_999), st.sampled_from((1e3, 1e6, 1e9))
)


@given(seconds=st.floats(0.0, LARGEST_S) | st.floats(0.0, 1.0) | JUST_BELOW)
@example(nextafter(0.537159, 0.0))
@example(0.1)
@example(100.0)
@example(LARGEST_S)
def test_what_is_forwarded_never_grows_and_loses_less_than_a_unit(seconds: float) -> None:
    """At most eight digits, and the finest unit that fits: the next finer one would need nine."""
    wire = format_grpc_timeout(seconds)
    assert re.fullmatch(rb"[0-9]{1,8}[HMSmun]", wire)
    read = parse_grpc_timeout(wire)
    unit_s = UNIT_S[wire[-1:]]
    assert read <= seconds
    assert seconds - read <= unit_s * (1 + 1e-9)
    finer = [other for other in UNIT_S.values() if other < unit_s]
    assert all(seconds / other > 99_999_999 for other in finer)


@given(value=st.from_regex(rb"\A[0-9]{1,8}[HMSmun]\Z"))
def test_every_well_formed_value_is_read_and_survives_being_forwarded(value: bytes) -> None:
    """Read, written and read again it is the same or less, within a unit of what is written."""
    seconds = parse_grpc_timeout(value)
    assert (
        seconds == int(value[:-1]) * UNIT_S[value[-1:]]
        or abs(seconds / (int(value[:-1]) * UNIT_S[value[-1:]]) - 1) < 1e-12
    )
    again = parse_grpc_timeout(format_grpc_timeout(seconds))
    assert 0.0 <= again <= seconds


@given(value=st.binary(max_size=12) | st.from_regex(rb"\A[-+ 0-9.]{0,10}[HMSmunx]?\Z"))
def test_reading_accepts_exactly_the_grammar(value: bytes) -> None:
    """1*8DIGIT and a unit; never an exception."""
    well_formed = re.fullmatch(rb"[0-9]{1,8}[HMSmun]", value) is not None
    assert (parse_grpc_timeout(value) != MALFORMED) == well_formed
