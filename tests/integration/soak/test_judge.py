"""What the soak test calls a leak, a lost call and an unexplained error."""

from __future__ import annotations

import random

import pytest

from benchmarks.soak.judge import Evidence, Sample, problems, trend

QUIET = {
    "resident_bytes": 60e6,
    "objects": 10_000.0,
    "descriptors": 20.0,
    "tasks": 4.0,
    "timers": 1.0,
    "upstream_connections": 3.0,
    "events": 2_000.0,
    "connections": 0.0,
    "streams": 0.0,
    "calls": 0.0,
    "held_calls": 0.0,
    "replay_bytes": 0.0,
    "attempts": 0.0,
    "waiting_attempts": 0.0,
    "retired_endpoints": 0.0,
}


def evidence(growth_bytes: float = 0.0, **after: float) -> Evidence:
    """Return a run of an hour in which nothing went wrong, but for what is given."""
    dice = random.Random(3)
    samples = []
    for number in range(1_800):
        resident = 65e6 + dice.uniform(-2e6, 2e6) + growth_bytes * number / 1_800
        samples.append(Sample(number * 2.0, {**QUIET, "resident_bytes": resident}))
    return Evidence(
        before=QUIET,
        after={**QUIET, **after},
        samples=samples,
        in_flight={"soak": 0},
        counted_ok=1_000,
        by_kind={"unary": {"OK": 900, "UNAVAILABLE": 100}},
        unexplained={},
    )


def test_nothing_found() -> None:
    """A proxy that came back to where it was has no problem, noise or not."""
    assert list(problems(evidence())) == []
    assert list(problems(evidence(descriptors=21.0, resident_bytes=63e6))) == []


@pytest.mark.parametrize("name", ["connections", "streams", "calls", "replay_bytes", "retired_endpoints"])
def test_nothing_may_be_left(name: str) -> None:
    """One call, stream, connection or kept byte that is left is a problem."""
    assert [text for text in problems(evidence(**{name: 1.0})) if text.startswith(name)]


@pytest.mark.parametrize("name", ["descriptors", "timers", "tasks", "upstream_connections"])
def test_resting_levels(name: str) -> None:
    """What has a resting level must be back at it, but for a few."""
    assert list(problems(evidence(**{name: QUIET[name] + 10})))


def test_memory_after() -> None:
    """Memory that stays after the run is a problem."""
    assert any("resident_bytes" in text for text in problems(evidence(resident_bytes=75e6)))


def test_memory_trend() -> None:
    """A trend is seen through the noise, and peaks are not taken for one."""
    assert any("trend" in text for text in problems(evidence(growth_bytes=15e6)))
    peaks = evidence()
    for sample in peaks.samples[::50]:
        sample.numbers["resident_bytes"] += 40e6
    assert list(problems(peaks)) == []
    assert trend(evidence(growth_bytes=15e6).samples, "resident_bytes") == pytest.approx(15e6, rel=0.1)


def test_kept_events_explain_objects() -> None:
    """Objects may grow while the record of the newest events fills up, and not afterwards."""
    grown = evidence(objects=18_000.0)
    assert any(text.startswith("objects") for text in problems(grown))
    grown.before = {**QUIET, "events": 100.0}
    assert list(problems(grown)) == []


def test_errors() -> None:
    """Calls that nothing explains, gauges that do not return, a bystander's error, a log, an exit code."""
    wrong = evidence()
    wrong.unexplained = {"unary: INTERNAL: oh": 2}
    wrong.in_flight = {"soak": -1}
    wrong.bystander_calls, wrong.bystander_errors = 50, 1
    wrong.log_problems = ["Traceback"]
    wrong.exit_code = 1
    assert len(list(problems(wrong))) == 5


def test_lost_calls() -> None:
    """The proxy has to count every call that its clients saw end well, and most plain ones must."""
    wrong = evidence()
    wrong.counted_ok = 899
    assert any("were counted" in text for text in problems(wrong))
    wrong = evidence()
    wrong.by_kind = {"unary": {"OK": 10, "UNAVAILABLE": 90}}
    assert any("went well" in text for text in problems(wrong))
