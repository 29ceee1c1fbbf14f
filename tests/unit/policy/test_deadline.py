"""The `grpc-timeout` header and sums with deadlines."""

from __future__ import annotations

from math import inf, nan, nextafter

import pytest

from seawall_policy import deadline


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"0n", 0.0),
        (b"1n", 1e-9),
        (b"1u", 1e-6),
        (b"1m", 1e-3),
        (b"1S", 1.0),
        (b"1M", 60.0),
        (b"1H", 3600.0),
        (b"00000001S", 1.0),
        (b"99999999n", 0.099999999),
        (b"99999999H", 99999999 * 3600.0),
        (b"123456u", 0.123456),
    ],
)
def test_timeout_of_each_unit(value: bytes, seconds: float) -> None:
    """Every unit, with leading zeros and the largest values."""
    assert deadline.parse_grpc_timeout(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"1",
        b"S",
        b"-1S",
        b"+1S",
        b"1 S",
        b" 1S",
        b"1S ",
        b"1.5S",
        b"1s",
        b"1h",
        b"1N",
        b"1x",
        b"1e3S",
        b"123456789S",
        b"0000000001S",
        b"1SS",
        b"1\x00",
        b"1_0S",
        b"/S",
        b":S",
        "٣S".encode(),
        b"1S, 2S",
        b"infinity",
    ],
)
def test_malformed_timeout_is_never_read_as_no_deadline(value: bytes) -> None:
    """1-8 ASCII digits and one unit letter; everything else is malformed."""
    assert deadline.parse_grpc_timeout(value) == deadline.MALFORMED == -1.0


@pytest.mark.parametrize(
    ("seconds", "value"),
    [
        (0.0, b"0n"),
        (-1.0, b"0n"),
        (-inf, b"0n"),
        (nan, b"0n"),
        (1e-10, b"0n"),
        (1e-9, b"1n"),
        (0.001, b"1000000n"),
        (0.0999999999, b"99999999n"),
        (0.1, b"100000u"),
        (1.5, b"1500000u"),
        (99.9999999, b"99999999u"),
        (100.0, b"100000m"),
        (99999.9999, b"99999999m"),
        (100000.0, b"100000S"),
        (99999999.9, b"99999999S"),
        (1e8, b"1666666M"),
        (5999999999.0, b"99999999M"),
        (6e9, b"1666666H"),
        (359999999999.0, b"99999999H"),
        (1e12, b"99999999H"),
        (inf, b"99999999H"),
    ],
)
def test_remaining_time_is_written_in_the_finest_unit_that_fits(seconds: float, value: bytes) -> None:
    """At and around each change of unit."""
    assert deadline.format_grpc_timeout(seconds) == value


@pytest.mark.parametrize("value", [b"29919322n", b"537159u", b"70594767m"])
def test_value_whose_product_rounds_up_is_still_not_more_than_what_is_left(value: bytes) -> None:
    """The largest float below these, times the units in a second, is rounded up to the whole number above."""
    below = nextafter(deadline.parse_grpc_timeout(value), 0.0)
    units = {b"n": 1e9, b"u": 1e6, b"m": 1e3}[value[-1:]]
    assert int(below * units) == int(value[:-1])
    assert deadline.format_grpc_timeout(below) == b"%d%s" % (int(value[:-1]) - 1, value[-1:])


@pytest.mark.parametrize(
    ("asked", "limit", "offset", "given"),
    [
        (5.0, 2.0, 0.0, 2.0),
        (1.0, 2.0, 0.0, 1.0),
        (inf, 2.0, 0.5, 1.5),
        (inf, inf, 0.5, inf),
        (1.0, inf, 0.25, 0.75),
        (0.1, 2.0, 0.25, 0.0),
        (0.0, inf, 0.0, 0.0),
    ],
)
def test_call_gets_the_smaller_time_less_the_offset(
    asked: float, limit: float, offset: float, given: float
) -> None:
    """Infinity means no limit, and the result is never negative."""
    assert deadline.clamp_timeout(asked, limit, offset) == given


def test_remaining_time_ends_at_zero() -> None:
    """Never negative; infinite without a deadline."""
    assert deadline.remaining(10.0, 4.0) == 6.0
    assert deadline.remaining(10.0, 11.0) == 0.0
    assert deadline.remaining(inf, 11.0) == inf


def test_a_try_ends_with_its_own_limit_or_with_the_call() -> None:
    """Whichever is earlier."""
    assert deadline.try_deadline(10.0, 4.0, 1.0) == 5.0
    assert deadline.try_deadline(10.0, 9.5, 1.0) == 10.0
    assert deadline.try_deadline(10.0, 4.0, inf) == 10.0
    assert deadline.try_deadline(inf, 4.0, inf) == inf


def test_what_would_end_exactly_at_the_deadline_does_not_fit() -> None:
    """Strictly before; everything fits where there is no deadline."""
    assert deadline.fits(1.0, 0.999)
    assert not deadline.fits(1.0, 1.0)
    assert deadline.fits(inf, 1e9)
    assert deadline.fits(inf, inf)


def test_give_up_at() -> None:
    """The margin earlier, but never before half of the time."""
    assert deadline.give_up_at(10.0, 0.0, 0.0) == 10.0
    assert deadline.give_up_at(10.0, 0.0, 1.0) == 9.0
    assert deadline.give_up_at(10.0, 9.0, 1.0) == 9.5
    assert deadline.give_up_at(inf, 0.0, 1.0) == inf
    assert deadline.give_up_at(5.0, 6.0, 1.0) == 5.0


def test_the_gate_refuses_a_share() -> None:
    """A fifth of the calls of the last ten seconds, in mode enforce only; every hopeless call is counted."""
    for mode, wanted in ((deadline.ENFORCE, 20), (deadline.SHADOW, 0)):
        gate = deadline.HopelessGate(deadline.DeadlineOptions(hopeless=mode, max_refused=20.0))
        gate.deposit(100, 1.0)
        assert sum(gate.refuses(1.0) for _ in range(50)) == wanted
        assert (gate.seen, gate.refused, gate.refused + gate.would_refuse) == (50, wanted, 20)
        assert not gate.refuses(20.0)


def test_a_gate_of_another_document_goes_on() -> None:
    """What was refused counts on, as long as the share is the same."""
    gate = deadline.HopelessGate(deadline.DeadlineOptions(hopeless=deadline.ENFORCE))
    gate.deposit(5, 1.0)
    assert gate.refuses(1.0)
    same = deadline.HopelessGate(deadline.DeadlineOptions(hopeless=deadline.ENFORCE))
    same.carry_over(gate)
    assert not same.refuses(1.0)
    assert (same.seen, same.refused) == (2, 1)
    other = deadline.HopelessGate(deadline.DeadlineOptions(hopeless=deadline.ENFORCE, max_refused=50.0))
    other.carry_over(gate)
    other.deposit(2, 1.0)
    assert other.refuses(1.0)


@pytest.mark.parametrize(
    "options", [{"margin_s": -0.1}, {"margin_s": 11.0}, {"hopeless": 0}, {"max_refused": 101.0}]
)
def test_deadline_options_that_make_no_sense(options: dict[str, float]) -> None:
    """A number out of range is refused."""
    with pytest.raises(ValueError, match="deadline: "):
        deadline.DeadlineOptions(**options)  # type: ignore[arg-type]
