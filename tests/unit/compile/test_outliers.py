"""What a cluster says about outliers: read in range, told off where it stands, on where nothing is said."""

from __future__ import annotations

import pytest

from seawall_policy import status
from seawall_policy.outlier.options import ENFORCE, OFF, SHADOW
from tests.unit.compile.test_members import good, read

TWO = "endpoints: ['a:1', 'b:1']"


def test_it_is_on_by_default() -> None:
    """A cluster that says nothing has its endpoints compared; A50's algorithms wait to be asked for."""
    options = good(TWO).outlier
    assert options is not None
    assert options.mode == ENFORCE
    assert (options.consecutive, options.consecutive_local, options.ejection_s) == (5, 5, 5.0)
    assert (options.success_rate, options.failure_percentage) == (None, None)
    assert (options.latency.mode, options.failure_share.share) == (ENFORCE, 0.3)
    assert options.failure_mask == status.code_mask((2, 4, 13, 14, 15))
    assert good(TWO).max_in_flight_per_endpoint == 0


def test_off() -> None:
    """Nobody is compared."""
    assert good(f"{TWO}, outlier: {{mode: off}}").outlier is None


def test_every_setting() -> None:
    """What is written is what is done."""
    options = good(
        TWO
        + ", health_check: {}, outlier: {interval: 2s, consecutive: 7, consecutive_local: 0, ejection: 3s, "
        "max_ejection: 1m, jitter: 0.5, max_ejected: 25%, failure_codes: [ABORTED], mode: shadow, "
        "health_check_returns: true, success_rate: {stdev_factor: 1.2, min_endpoints: 6, min_calls: 30, "
        "enforcement: 50%}, failure_percentage: {threshold: 60%, min_endpoints: 2, min_calls: 7, "
        "enforcement: 10%}, failure_share: {share: 40%, min_calls: 9, enforcement: 20%}, latency: "
        "{mad_factor: 8, share: 25%, min_ratio: 2, min_excess: 5ms, silence: 1s, min_calls: 3, mode: off}}"
    ).outlier
    assert options is not None
    assert (options.interval_s, options.consecutive, options.consecutive_local) == (2.0, 7, 0)
    assert (options.ejection_s, options.max_ejection_s, options.jitter) == (3.0, 60.0, 0.5)
    assert (options.max_ejected, options.failure_mask, options.mode) == (0.25, 1 << status.ABORTED, SHADOW)
    assert options.health_check_returns
    assert options.success_rate is not None
    assert options.success_rate.key() == (1.2, 6, 30, 0.5)
    assert options.failure_percentage is not None
    assert options.failure_percentage.key() == (0.6, 2, 7, 0.1)
    assert options.failure_share.key() == (0.4, 9, 0.2)
    assert options.latency.key() == (8.0, 0.25, 2.0, 0.005, 1.0, 3, OFF)


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("outlier: {interval: 1ms}", "outlier.interval SW0102"),
        ("outlier: {consecutive: 1001}", "outlier.consecutive SW0102"),
        ("outlier: {consecutive_local: 1001}", "outlier.consecutive_local SW0102"),
        ("outlier: {ejection: 25h}", "outlier.ejection SW0102"),
        ("outlier: {max_ejection: 1ms}", "outlier.max_ejection SW0102"),
        ("outlier: {jitter: 2}", "outlier.jitter SW0102"),
        ("outlier: {max_ejected: 101%}", "outlier.max_ejected SW0102"),
        ("outlier: {failure_codes: [NOPE]}", "outlier.failure_codes[0] SW0103"),
        ("outlier: {failure_codes: [NOT_FOUND]}", "outlier.failure_codes[0] SW0534"),
        ("outlier: {success_rate: {stdev_factor: 0}}", "outlier.success_rate.stdev_factor SW0102"),
        ("outlier: {success_rate: {min_endpoints: 3}}", "outlier.success_rate SW0533"),
        ("outlier: {failure_percentage: {threshold: 0%}}", "outlier.failure_percentage.threshold SW0102"),
        ("outlier: {failure_share: {share: 1%}}", "outlier.failure_share.share SW0102"),
        ("outlier: {failure_share: {min_calls: 0}}", "outlier.failure_share.min_calls SW0102"),
        ("outlier: {latency: {mad_factor: 0}}", "outlier.latency.mad_factor SW0102"),
        ("outlier: {latency: {min_ratio: 0.5}}", "outlier.latency.min_ratio SW0102"),
        ("outlier: {latency: {min_excess: 2h}}", "outlier.latency.min_excess SW0102"),
        ("outlier: {latency: {silence: 1ms}}", "outlier.latency.silence SW0102"),
        ("outlier: {mode: off, consecutive: 3}", "outlier.consecutive SW0512"),
        ("outlier: {ejection: 10s, max_ejection: 5s}", "outlier.max_ejection SW0512"),
        ("outlier: {health_check_returns: true}", "outlier.health_check_returns SW0512"),
        ("max_in_flight_per_endpoint: 0", "max_in_flight_per_endpoint SW0102"),
        ("max_in_flight: 5, max_in_flight_per_endpoint: 6", "max_in_flight_per_endpoint SW0512"),
    ],
)
def test_mistakes(setting: str, problem: str) -> None:
    """Each is reported once, at its place."""
    assert read(f"{TWO}, {setting}")[1] == [problem]


def test_one_endpoint_alone() -> None:
    """There is nothing to compare it with; one that is found by name may be many."""
    assert read("endpoints: ['a:1'], outlier: {consecutive: 3}")[1] == ["outlier SW0530"]
    assert read("target: 'dns:///a:1', outlier: {consecutive: 3}")[1] == []
    assert read("endpoints: ['a:1']")[1] == []
