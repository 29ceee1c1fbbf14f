"""The text format of Prometheus (exposition 0.0.4): families with their samples become lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seawall_proxy.telemetry.counters import LATENCY_BOUNDS
from seawall_proxy.telemetry.names import Metric

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_LE: Final[tuple[str, ...]] = (*(f'le="{bound!r}"}} ' for bound in LATENCY_BOUNDS), 'le="+Inf"} ')

Labels = tuple[tuple[str, str], ...]
Sample = tuple[Labels, float]


class Exposition:
    """Collects families and writes them out."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def family(self, metric: Metric, samples: Iterable[Sample]) -> None:
        """Add a counter or gauge with its samples; a family without any is left out."""
        rows = [f"{metric.name}{_labels(labels)} {_number(value)}" for labels, value in samples]
        if rows:
            self._head(metric)
            self._lines.extend(rows)

    def histograms(self, metric: Metric, rows: Iterable[tuple[Labels, list[int], float]]) -> None:
        """Add histograms given as plain (not cumulative) buckets and a sum."""
        self._head(metric)
        lines = self._lines
        for labels, buckets, total in rows:
            # A page of a hundred routes has four thousand of these lines, and calls wait while it is written.
            start = f"{metric.name}_bucket{{{''.join(f'{pair},' for pair in _pairs(labels))}"
            running = 0
            for end, count in zip(_LE, buckets, strict=True):
                running += count
                lines.append(f"{start}{end}{running}")
            lines.append(f"{metric.name}_sum{_labels(labels)} {_number(total)}")
            lines.append(f"{metric.name}_count{_labels(labels)} {running}")

    def text(self) -> str:
        """Return the page."""
        return "\n".join(self._lines) + "\n"

    def _head(self, metric: Metric) -> None:
        self._lines.append(f"# HELP {metric.name} {metric.help}")
        self._lines.append(f"# TYPE {metric.name} {metric.kind}")


def _number(value: float) -> str:
    return repr(int(value)) if float(value).is_integer() else repr(value)


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(_pairs(labels)) + "}"


def _pairs(labels: Labels) -> list[str]:
    return [f'{key}="{_escape(value)}"' for key, value in labels]


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
