"""Each detector finds what it is for and is quiet otherwise."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.analysis import detectors, series
from seawall_control.domain.analysis.detectors import DETECTORS, Material, RouteCalls, anomalies, spikes
from seawall_control.domain.analysis.settings import Settings, problems
from seawall_control.domain.events import Severity

SETTINGS = Settings()


def material(*values: int, route: str = "") -> Material:
    """Return a window of minutes."""
    counts = {1200 + 60 * at: value for at, value in enumerate(values)}
    routes: Mapping[str, Mapping[int, int]] = {f"route/{route}": counts} if route else {}
    return Material(start=1200, end=1200 + 60 * len(values), width=60, total=counts, by_subject=routes)


def kinds(found: Material) -> list[str]:
    """Return what is found."""
    return [one.kind for one in anomalies(found, SETTINGS)]


def test_high_rate() -> None:
    """From the threshold on, with enough calls; twice the threshold is worse."""
    calls = [RouteCalls(f"r{failed}", 100, failed, 0, 0) for failed in (14, 15, 30)]
    few = RouteCalls("few", 19, 19, 0, 0)
    found = detectors.high_rate(replace(material(0), calls=[*calls, few]), SETTINGS)
    assert [(one.subject, one.severity) for one in found] == [
        ("route/r15", Severity.MEDIUM),
        ("route/r30", Severity.HIGH),
    ]
    assert found[0].text == "15 of 100 calls failed (15%)"


def test_frequent_error_and_critical() -> None:
    """Counts at the threshold count."""
    errors = {("route/a", "UNAVAILABLE"): 20, ("route/a", "INTERNAL"): 19, ("billing", ""): 21}
    found = detectors.frequent_error(replace(material(0), by_error=errors), SETTINGS)
    assert [(one.subject, one.text) for one in found] == [
        ("billing", "21 events with no code"),
        ("route/a", "20 events with UNAVAILABLE"),
    ]
    (saved,) = detectors.frequent_error(replace(material(0), by_error={("route/a", "OK"): 30}), SETTINGS)
    assert (saved.severity, saved.text) == (Severity.LOW, "30 calls were saved: something failed first")
    assert detectors.critical(replace(material(0), critical=0), SETTINGS) == []
    assert detectors.critical(replace(material(0), critical=1), SETTINGS)[0].severity is Severity.CRITICAL


def test_recovery_failures() -> None:
    """Of what was tried again; recoveries that are counted late do not make it negative."""
    calls = [RouteCalls("a", 100, 9, 20, 15), RouteCalls("b", 100, 9, 20, 16), RouteCalls("c", 9, 9, 20, 25)]
    found = detectors.recovery_failures(replace(material(0), calls=calls), SETTINGS)
    assert [(one.subject, one.value) for one in found] == [("route/a", 0.25)]


def test_spike() -> None:
    """Far above the minutes before; the newest one only; not from nothing to little."""
    assert kinds(material(*[2] * 20, 60)) == ["spike", "burst"]
    assert kinds(material(*[2] * 20, 60, 2)) == ["burst"]
    assert "spike" not in kinds(material(*[0] * 20, 19))
    assert "spike" not in kinds(material(*[100] * 20, 150))
    (found,) = detectors.spike(material(*[2] * 20, 60, route="a"), SETTINGS)[1:]
    assert (found.subject, found.at_s) == ("route/a", 1200 + 20 * 60)
    assert found.text == "60 events in the last 60 s, 2 before"


def test_a_spike_does_not_hide_the_next_one() -> None:
    """It is left out of the baseline (getsentry/sentry#76751)."""
    values = [2] * 10 + [60] * 8 + [2] * 2 + [60]
    assert 20 in spikes(values, SETTINGS)
    assert set(range(10, 18)) <= spikes(values, SETTINGS)


def test_chance_is_no_spike() -> None:
    """Counts that only vary by chance are rarely called one."""
    dice = random.Random(7)
    found = 0
    for _ in range(50):
        values = [sum(dice.random() < 0.03 for _ in range(1000)) for _ in range(60)]
        found += bool(spikes(values, SETTINGS))
    assert found <= 1


def test_burst() -> None:
    """Says when."""
    (found,) = detectors.burst(material(*[0] * 10, 30, *[0] * 20), SETTINGS)
    assert (found.at_s, found.text) == (1200 + 600, "30 of 30 events within 60 s")
    assert detectors.burst(material(*[30] * 20), SETTINGS) == []


def test_periodic() -> None:
    """The shortest period, not its multiples."""
    (found,) = detectors.periodic(material(*[9, 0, 0, 0, 0] * 12), SETTINGS)
    assert found.text == "events come about every 300 s"
    assert detectors.periodic(material(*[5] * 60), SETTINGS) == []
    dice = random.Random(3)
    assert detectors.periodic(material(*[dice.randrange(9) for _ in range(60)]), SETTINGS) == []


def test_policy_change() -> None:
    """More after than before, by more than chance."""
    window = material(*[2] * 10, *[12] * 10)
    (found,) = detectors.policy_change(replace(window, revisions=[(1800, "default/7")]), SETTINGS)
    assert found.text == "120 events after default/7, 20 in the same time before"
    assert detectors.policy_change(replace(window, revisions=[(1200, "x"), (2400, "y")]), SETTINGS) == []
    even = material(*[12] * 20)
    assert detectors.policy_change(replace(even, revisions=[(1800, "x")]), SETTINGS) == []


@given(st.lists(st.integers(0, 10_000), max_size=80), st.integers(-600, 6000))
def test_nothing_breaks_them(values: list[int], at: int) -> None:
    """Whatever was counted, every detector ends and names itself."""
    window = replace(material(*values, route="a"), revisions=[(1200 + at, "x")])
    for name, detector in DETECTORS.items():
        assert all(one.kind == name for one in detector(window, SETTINGS))


@given(st.lists(st.floats(0, 1e6), min_size=6, max_size=40), st.integers(1, 10))
def test_correlation_is_one(values: list[float], lag: int) -> None:
    """It stays between -1 and 1, and a series that repeats exactly has 1."""
    assert -1.0001 <= series.correlation(values, min(lag, len(values) - 1)) <= 1.0001
    if max(values) - min(values) > 1:
        assert series.correlation(values * 3, len(values)) == pytest.approx(1.0, abs=1e-6)


def test_settings() -> None:
    """Every number that cannot be used is named."""
    assert problems(SETTINGS) == ()
    bad = Settings(error_rate=2, specific_error_count=0, burst_factor=float("nan"))
    assert [name for name, _ in problems(bad)] == ["error_rate", "specific_error_count", "burst_factor"]
