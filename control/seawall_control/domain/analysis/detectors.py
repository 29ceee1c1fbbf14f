"""Named detectors: each says of a window what is unusual, how bad it is, and shows the numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Final

from seawall_control.domain.analysis import series
from seawall_control.domain.analysis.settings import Settings
from seawall_control.domain.events import Severity


@dataclass(frozen=True, slots=True)
class RouteCalls:
    """What a route did over the window that statistics reach back (at most ten minutes)."""

    route: str
    calls: int
    failed: int
    """Calls that failed by the server's fault, as the alert rule on error rates counts them."""
    tried_again: int
    """Calls that failed once and were tried again."""
    recovered: int
    """Those of them that succeeded."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """Everything that detectors look at. Buckets are in seconds since the epoch."""

    start: int
    end: int
    """The first bucket that is not complete; it is not looked at."""
    width: int
    total: Mapping[int, int] = field(default_factory=dict)
    """Events by bucket."""
    by_subject: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    by_error: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Events in the window by subject and code."""
    critical: int = 0
    calls: Sequence[RouteCalls] = ()
    revisions: Sequence[tuple[int, str]] = ()
    """Times, in seconds, at which policies changed within the window, and the names of their revisions."""

    @cached_property
    def lines(self) -> list[tuple[str, list[int]]]:
        """The counts of every bucket, of everything and of each route and component."""
        found = [("", self.total)] if self.total else []
        found += [(subject, counts) for subject, counts in sorted(self.by_subject.items()) if subject]
        return [
            (subject, series.dense(counts, start=self.start, end=self.end, width=self.width))
            for subject, counts in found
        ]


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something unusual."""

    kind: str
    """Name of the detector."""
    subject: str
    """`route/NAME`, the component of what has no route, or empty for all."""
    severity: Severity
    value: float
    threshold: float
    text: str
    at_s: int = 0
    """When it was worst; 0 where it is about the whole window."""


Detector = Callable[[Material, Settings], list[Anomaly]]


def high_rate(material: Material, settings: Settings) -> list[Anomaly]:
    """Too large a share of a route's calls fails."""
    found = []
    for route in material.calls:
        rate = route.failed / route.calls if route.calls else 0.0
        if route.calls >= settings.min_calls and rate >= settings.error_rate:
            severity = Severity.HIGH if rate >= 2 * settings.error_rate else Severity.MEDIUM
            text = f"{route.failed} of {route.calls} calls failed ({rate:.0%})"
            found.append(
                Anomaly("high_rate", f"route/{route.route}", severity, rate, settings.error_rate, text)
            )
    return found


def frequent_error(material: Material, settings: Settings) -> list[Anomaly]:
    """One error comes again and again. Calls that ended well after all are no error of their callers', but
    what saves them may be the next to give way.
    """
    return [
        Anomaly(
            "frequent_error",
            subject,
            Severity.LOW if code == "OK" else Severity.MEDIUM,
            float(count),
            settings.specific_error_count,
            f"{count} calls were saved: something failed first"
            if code == "OK"
            else f"{count} events with {code or 'no code'}",
        )
        for (subject, code), count in sorted(material.by_error.items(), key=lambda item: -item[1])
        if count >= settings.specific_error_count
    ]


def critical(material: Material, settings: Settings) -> list[Anomaly]:
    """Critical events."""
    if material.critical < settings.critical_count:
        return []
    text = f"{material.critical} critical events"
    return [
        Anomaly("critical", "", Severity.CRITICAL, float(material.critical), settings.critical_count, text)
    ]


def recovery_failures(material: Material, settings: Settings) -> list[Anomaly]:
    """Trying again does not help."""
    found = []
    for route in material.calls:
        if route.tried_again < settings.min_calls:
            continue
        rate = 1 - min(route.recovered, route.tried_again) / route.tried_again
        if rate >= settings.recovery_failure_rate:
            lost = route.tried_again - min(route.recovered, route.tried_again)
            text = f"{lost} of {route.tried_again} calls that were tried again failed"
            found.append(
                Anomaly(
                    "recovery_failures",
                    f"route/{route.route}",
                    Severity.HIGH,
                    rate,
                    settings.recovery_failure_rate,
                    text,
                )
            )
    return found


_SERIES: Final = 512
"""Series whose places are remembered: those of ten windows, each with its fifty routes."""


def spikes(values: Sequence[float], settings: Settings) -> frozenset[int]:
    """Return the places at which a series is far above what was before them.

    Places that were found are left out of the baseline of those after them: a spike must not raise the
    threshold for the next one.
    """
    return _spikes(tuple(values), settings)


# The same series are asked about at every look, and change with their newest bucket.
@lru_cache(_SERIES)
def _spikes(values: tuple[float, ...], settings: Settings) -> frozenset[int]:
    found: set[int] = set()
    for at in range(_MIN_PAST, len(values)):
        # Most buckets are told by this alone, which costs nothing.
        if values[at] < settings.burst_events:
            continue
        middle, deviation = series.baseline(values[:at], flagged=frozenset(found))
        if values[at] >= middle + settings.spike_deviations * deviation:
            found.add(at)
    return frozenset(found)


_MIN_PAST: Final = 5
"""Buckets that have to lie before one that is called a spike."""


def spike(material: Material, settings: Settings) -> list[Anomaly]:
    """The newest bucket is far above those before."""
    found = []
    for subject, values in material.lines:
        flagged = spikes(values, settings)
        if len(values) - 1 not in flagged:
            continue
        # What comes later does not change what was found before, so these are those of the earlier ones.
        middle, deviation = series.baseline(values[:-1], flagged=flagged)
        text = f"{values[-1]} events in the last {material.width} s, {middle:g} before"
        score = (values[-1] - middle) / deviation
        severity = Severity.HIGH if score >= 2 * settings.spike_deviations else Severity.MEDIUM
        at_s = material.end - material.width
        found.append(Anomaly("spike", subject, severity, score, settings.spike_deviations, text, at_s))
    return found


def burst(material: Material, settings: Settings) -> list[Anomaly]:
    """Most of the window's events came at once."""
    found = []
    for subject, values in material.lines:
        if len(values) < _MIN_PAST:
            continue
        most = max(values)
        mean = sum(values) / len(values)
        if most >= settings.burst_events and most >= settings.burst_factor * mean:
            at_s = material.start + values.index(most) * material.width
            text = f"{most} of {sum(values)} events within {material.width} s"
            found.append(
                Anomaly("burst", subject, Severity.MEDIUM, most / mean, settings.burst_factor, text, at_s)
            )
    return found


@lru_cache(_SERIES)
def _period(values: tuple[float, ...], least: float) -> tuple[int, float] | None:
    return series.period(values, least=least)


def periodic(material: Material, settings: Settings) -> list[Anomaly]:
    """Events come in a rhythm: look for what runs that often."""
    found = []
    for subject, values in material.lines:
        if sum(values) < settings.burst_events:
            continue
        rhythm = _period(tuple(values), settings.period_correlation)
        if rhythm is not None:
            every_s = rhythm[0] * material.width
            text = f"events come about every {every_s} s"
            found.append(
                Anomaly("periodic", subject, Severity.LOW, rhythm[1], settings.period_correlation, text)
            )
    return found


def policy_change(material: Material, settings: Settings) -> list[Anomaly]:
    """Many more events after a revision than in the same time before it."""
    found = []
    for at_s, name in material.revisions:
        place = (at_s - material.start) // material.width
        for subject, values in material.lines:
            length = min(place, len(values) - place)
            if length < 1:
                continue
            before = sum(values[place - length : place])
            after = sum(values[place : place + length])
            # The difference of two counts by chance has the deviation sqrt(before + after).
            sure = after - before >= 4 * max(1.0, before + after) ** 0.5
            if after >= settings.burst_events and after >= settings.change_factor * before and sure:
                text = f"{after} events after {name}, {before} in the same time before"
                ratio = after / max(1, before)
                found.append(
                    Anomaly(
                        "policy_change", subject, Severity.HIGH, ratio, settings.change_factor, text, at_s
                    )
                )
    return found


OF_CALLS: Final[Mapping[str, Detector]] = {"high_rate": high_rate, "recovery_failures": recovery_failures}
"""Those that look at the calls of the last minutes, which change all the time."""
OF_EVENTS: Final[Mapping[str, Detector]] = {
    "frequent_error": frequent_error,
    "critical": critical,
    "spike": spike,
    "burst": burst,
    "periodic": periodic,
    "policy_change": policy_change,
}
"""Those that look at the window's events, and at nothing else."""
DETECTORS: Final[Mapping[str, Detector]] = {**OF_CALLS, **OF_EVENTS}


def found_by(
    detectors: Mapping[str, Detector], material: Material, settings: Settings
) -> tuple[Anomaly, ...]:
    """Return what some detectors find unusual."""
    return tuple(one for detector in detectors.values() for one in detector(material, settings))


def worst_first(found: Iterable[Anomaly]) -> tuple[Anomaly, ...]:
    """Return anomalies in the order in which they are told."""
    return tuple(sorted(found, key=lambda one: (-int(one.severity), one.kind, one.subject)))


def anomalies(material: Material, settings: Settings) -> tuple[Anomaly, ...]:
    """Return everything that is unusual, the worst first."""
    return worst_first(found_by(DETECTORS, material, settings))
