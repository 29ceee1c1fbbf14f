"""The sieve in front of the store: hours, memory, pressure."""

from __future__ import annotations

from seawall_control.domain.flood import KEEP_ALL, FloodLimits, Gates, Pressure
from tests.property.control.test_flood_model import event


def gates(limits: FloodLimits, now_s: list[float], pressure: Pressure | None = None) -> Gates:
    """Return a sieve whose dice always show the highest number."""
    return Gates(limits, lambda: now_s[0], lambda: 0.999, pressure or Pressure())


def test_tokens_come_back_with_time() -> None:
    """After a rest the beginning of the next flood is stored again, never more than the burst."""
    now_s = [0.0]
    sieve = gates(FloodLimits(rate=1.0, burst=3, last=1, samples=0), now_s)
    assert len(sieve.sift([("a", event(n)) for n in range(10)]).stored) == 4
    now_s[0] = 2.0
    assert {"10", "11"} <= sieve.sift([("a", event(n)) for n in range(10, 14)]).stored
    now_s[0] = 1000.0
    assert {"20", "21", "22"} <= sieve.sift([("a", event(n)) for n in range(20, 30)]).stored


def test_reservoir_is_new_each_hour_and_leaves_the_old_one() -> None:
    """The samples of the hour before are not evicted any more."""
    now_s = [0.0]
    sieve = gates(FloodLimits(rate=1e-9, burst=1, last=1, samples=1), now_s)
    sieve.sift([("a", event(n)) for n in range(3)])
    now_s[0] = 3600.0
    found = sieve.sift([("a", event(n)) for n in range(3, 6)])
    assert found.evicted == () and "3" not in found.stored and "5" in found.stored


def test_gates_are_bounded_and_the_least_active_goes() -> None:
    """A gate that was forgotten starts anew."""
    sieve = gates(FloodLimits(rate=0.001, burst=1, last=1, samples=0, gates=2), [0.0])
    sieve.sift([("a", event(1)), ("b", event(2))])
    sieve.sift([("a", event(3)), ("c", event(4))])
    assert len(sieve) == 2
    assert sieve.sift([("b", event(5)), ("b", event(6)), ("b", event(7))]).stored == {"5", "7"}


def test_rate_of_zero_stores_everything() -> None:
    """For those who want each event whatever it costs."""
    pairs = [("a", event(n)) for n in range(1000)]
    assert gates(FloodLimits(rate=0.0, burst=1), [0.0]).sift(pairs) == KEEP_ALL.sift(pairs)


def test_slow_store_makes_the_buckets_smaller() -> None:
    """Down to a twentieth; and larger again when it is quick."""
    pressure = Pressure()
    assert pressure.share == 1.0
    for _ in range(100):
        pressure.took(2.5)
    assert 0.09 < pressure.share < 0.11
    sieve = gates(FloodLimits(rate=1.0, burst=100, last=1, samples=0), [0.0], pressure)
    assert 10 <= len(sieve.sift([("a", event(n)) for n in range(1000)]).stored) <= 12
    for _ in range(1000):
        pressure.took(1e9)
    assert pressure.share == Pressure.LEAST
    for _ in range(200):
        pressure.took(0.001)
    assert pressure.share == 1.0
