"""What Seawall set itself for each scenario, and what was reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.efficacy.measures import Figures
from benchmarks.efficacy.stacks import ENVOY, SEAWALL

MET: Final = "met"
MISSED: Final = "**MISSED**"
NOT_MEASURED: Final = "not measured"

NOISE_MS: Final = 1.0
"""Two percentiles of one run that differ by less are the same."""

Results = Mapping[str, Mapping[str, Figures]]
"""By scenario and stack."""


@dataclass(frozen=True)
class Verdict:
    """What was reached of one goal."""

    scenario: str
    what: str
    wanted: str
    reached: str
    mark: str


Check = Callable[[Figures, Figures | None], tuple[str, str, bool | None]]
"""From Seawall's figures and Envoy's to what is wanted, what was reached, and whether they agree (None: the
peer is missing).
"""


def _success(least: float) -> Check:
    def check(ours: Figures, _: Figures | None) -> tuple[str, str, bool | None]:
        return f">= {least * 100:g} %", f"{ours.success * 100:.2f} %", ours.success >= least

    return check


def _p99(most_ms: float) -> Check:
    def check(ours: Figures, _: Figures | None) -> tuple[str, str, bool | None]:
        return f"<= {most_ms:g} ms", f"{ours.p99_ms:.1f} ms", ours.p99_ms <= most_ms

    return check


def _p99_as_peer(ours: Figures, peer: Figures | None) -> tuple[str, str, bool | None]:
    if peer is None:
        return "<= Envoy's", f"{ours.p99_ms:.1f} ms", None
    good = ours.p99_ms <= peer.p99_ms + NOISE_MS
    return f"<= Envoy's {peer.p99_ms:.1f} ms (+ {NOISE_MS:g})", f"{ours.p99_ms:.1f} ms", good


def _attempts(most: float) -> Check:
    def check(ours: Figures, _: Figures | None) -> tuple[str, str, bool | None]:
        return f"<= {most:g}", f"{ours.attempts:.3f}", ours.attempts <= most

    return check


def _amplification(ours: Figures, _: Figures | None) -> tuple[str, str, bool | None]:
    return "<= 1.2", f"{ours.trouble_attempts:.2f}", ours.trouble_attempts <= 1.2


def _first_success(ours: Figures, _: Figures | None) -> tuple[str, str, bool | None]:
    return "<= 1 s", f"{ours.first_success_s:.2f} s", ours.first_success_s <= 1.0


def _overshoot(ours: Figures, _: Figures | None) -> tuple[str, str, bool | None]:
    return "<= 1.2", f"{ours.overshoot:.2f}", ours.overshoot <= 1.2


def _goodput(ours: Figures, _: Figures | None) -> tuple[str, str, bool | None]:
    return ">= 270/s", f"{ours.goodput[1]:.0f}/s", ours.goodput[1] >= 270.0


def _before(ours: Figures, _: Figures | None) -> tuple[str, str, bool | None]:
    return ">= 99.5 %", f"{ours.share[0] * 100:.2f} %", ours.share[0] >= 0.995


def _after(ours: Figures, _: Figures | None) -> tuple[str, str, bool | None]:
    return ">= 99.5 %", f"{ours.share[2] * 100:.2f} %", ours.share[2] >= 0.995


def _recovered(ours: Figures, _: Figures | None) -> tuple[str, str, bool | None]:
    return "<= 1 s", f"{ours.recovered_s:.1f} s", ours.recovered_s <= 1.0


def goals() -> Iterator[tuple[str, str, Check]]:
    """Return all goals: scenario, figure, check."""
    for scenario in ("crash", "flapping", "rolling-restart"):
        yield scenario, "success", _success(1.0)
        yield scenario, "p99", _p99_as_peer
    for scenario in (
        "failing-unavailable",
        "failing-internal",
        "failing-unavailable-early",
        "failing-internal-early",
    ):
        yield scenario, "success", _success(0.9999)
        yield scenario, "attempts per call", _attempts(1.1)
    for scenario in ("slow", "frozen", "hanging"):
        yield scenario, "success", _success(1.0)
        yield scenario, "p99", _p99(60.0)
        yield scenario, "attempts per call", _attempts(1.1)
    yield "overload", "goodput during", _goodput
    yield "overload", "success before", _before
    yield "overload", "success from 1 s after", _after
    yield "overload", "recovered", _recovered
    yield "all-failing", "attempts per call while all fail", _amplification
    yield "all-failing", "first success after healing", _first_success
    yield "all-failing", "most attempts per call in a second after healing", _overshoot


def judge(results: Results) -> list[Verdict]:
    """Return what was reached of every goal."""
    verdicts = []
    for scenario, what, check in goals():
        ours = results.get(scenario, {}).get(SEAWALL)
        if ours is None:
            verdicts.append(Verdict(scenario, what, "", "-", NOT_MEASURED))
            continue
        wanted, reached, good = check(ours, results[scenario].get(ENVOY))
        mark = NOT_MEASURED if good is None else MET if good else MISSED
        verdicts.append(Verdict(scenario, what, wanted, reached, mark))
    return verdicts
