"""Watches over calls of routes, as proxies count them: the share that fails, and the error budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from seawall_control.domain.alerts import rules as r
from seawall_control.domain.alerts.facts import Facts
from seawall_control.domain.alerts.lifecycle import Reading
from seawall_control.domain.alerts.rules import Trigger
from seawall_control.domain.alerts.subject import Subject, scrubbed
from seawall_control.domain.alerts.watch import Quiet, percent, route_subject, span
from seawall_control.domain.alerts.windows import CallSeries
from seawall_control.domain.events import MICROS


class ErrorRateWatch(Quiet):
    """Failed calls of a route over all proxies."""

    def __init__(self, trigger: Trigger) -> None:
        self._threshold = trigger.threshold
        self._window_us = int(trigger.window_s * MICROS)
        self._min_calls = max(1, trigger.min_calls)
        self._span = span(trigger.window_s)

    def denies(self, subject: Subject, calls: Mapping[str, CallSeries], at_us: int) -> bool:
        series = calls.get(subject.route)
        failed, total = series.over(self._window_us, at_us) if series else (0, 0)
        return total >= self._min_calls and failed < self._threshold * total

    def readings(self, facts: Facts, calls: Mapping[str, CallSeries], at_us: int) -> Iterable[Reading]:
        for route, series in calls.items():
            failed, total = series.over(self._window_us, at_us)
            if total >= self._min_calls and failed >= self._threshold * total:
                share = failed / total
                text = (
                    f"route {scrubbed(route)}: {failed} of {total} calls failed within {self._span}"
                    f" ({percent(share)}, allowed less than {percent(self._threshold)})"
                )
                yield Reading(route_subject(route), share, self._threshold, text)


class BurnRateWatch(Quiet):
    """How fast a route uses up the share of calls that may fail."""

    def __init__(self, trigger: Trigger) -> None:
        self._budget = 1.0 - trigger.objective
        self._objective = trigger.objective
        self._min_calls = max(1, trigger.min_calls)
        self._pairs = trigger.windows or r.BURN_WINDOWS

    def denies(self, subject: Subject, calls: Mapping[str, CallSeries], at_us: int) -> bool:
        series = calls.get(subject.route)
        if series is None:
            return False
        for pair in self._pairs:
            long, total = self._burn(series, pair.long_s, at_us)
            short, _ = self._burn(series, pair.short_s, at_us)
            if total < self._min_calls or min(long, short) >= pair.factor:
                return False
        return True

    def _burn(self, series: CallSeries, window_s: float, at_us: int) -> tuple[float, int]:
        failed, total = series.over(int(window_s * MICROS), at_us)
        return (failed / total / self._budget if total else 0.0), total

    def readings(self, facts: Facts, calls: Mapping[str, CallSeries], at_us: int) -> Iterable[Reading]:
        for route, series in calls.items():
            for pair in self._pairs:
                long, total = self._burn(series, pair.long_s, at_us)
                if total < self._min_calls or long < pair.factor:
                    continue
                short, _ = self._burn(series, pair.short_s, at_us)
                if short < pair.factor:
                    continue
                text = (
                    f"route {scrubbed(route)}: the error budget of {percent(self._objective)} burns"
                    f" {long:.3g} times too fast over {span(pair.long_s)} and {short:.3g} times over"
                    f" {span(pair.short_s)} (allowed less than {pair.factor:g})"
                )
                yield Reading(route_subject(route), long, pair.factor, text)
                break
