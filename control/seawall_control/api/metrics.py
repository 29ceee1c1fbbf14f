"""Renders the control plane's numbers in Prometheus' text format
(https://prometheus.io/docs/instrumenting/exposition_formats/).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from seawall_control.domain.events import Severity
from seawall_control.domain.health import Status
from seawall_control.services.events import EventService
from seawall_control.services.fleet import Fleet
from seawall_control.services.health import Report
from seawall_control.services.tail import Hub

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPE: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Sample = tuple[Mapping[str, str], float]


class Page:
    """Collects families of metrics."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, name: str, kind: str, text: str, samples: Iterable[Sample]) -> None:
        """Add a family."""
        self._lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        for labels, value in samples:
            inside = ",".join(f'{key}="{item.translate(_ESCAPE)}"' for key, item in labels.items())
            self._lines.append(f"{name}{{{inside}}} {value:.17g}" if inside else f"{name} {value:.17g}")

    def one(self, name: str, kind: str, text: str, value: float) -> None:
        """Add a family with one sample."""
        self.add(name, kind, text, [({}, value)])

    def text(self) -> str:
        """Return the page."""
        return "\n".join([*self._lines, ""])


def render(
    report: Report,
    events: EventService,
    fleet: Fleet,
    hub: Hub,
    version: str,
    *,
    firing: Mapping[str, int],
    feed_readers: int,
) -> str:
    """Return the page of metrics. `firing` are the alerts that fire, by severity."""
    page = Page()
    page.add(
        "seawall_control_build_info", "gauge", "Version of the control plane.", [({"version": version}, 1)]
    )
    page.one("seawall_control_uptime_seconds", "gauge", "Time since the start.", report.uptime_s)
    page.add(
        "seawall_control_health",
        "gauge",
        "1 for the state that each part is in.",
        [
            ({"component": c.name, "status": status.label}, float(c.status is status))
            for c in report.components
            for status in Status
        ],
    )
    counts = report.counts
    if counts is not None:
        by_severity = [({"severity": s.name}, float(n)) for s, n in counts.by_severity.items()]
        open_ones = [({"severity": s.name}, float(n)) for s, n in counts.unresolved_by_severity.items()]
        page.add("seawall_control_events", "gauge", "Events in the store.", by_severity)
        page.add("seawall_control_events_unresolved", "gauge", "Unresolved events in the store.", open_ones)
        page.one("seawall_control_events_recent", "gauge", "Events of the last 24 hours.", counts.recent_24h)
    numbers = events.numbers
    page.one(
        "seawall_control_events_stored_total", "counter", "Events stored since the start.", numbers.stored
    )
    page.one(
        "seawall_control_events_counted_total",
        "counter",
        "Events of floods that were counted in their group and not stored.",
        numbers.counted_only,
    )
    page.one(
        "seawall_control_events_duplicate_total",
        "counter",
        "Events that came again and were not stored again.",
        numbers.duplicates,
    )
    page.one(
        "seawall_control_events_refused_total", "counter", "Events that can never be stored.", numbers.refused
    )
    page.one(
        "seawall_control_events_gap_total",
        "counter",
        "Events that proxies dropped and said so.",
        numbers.gaps,
    )
    page.one(
        "seawall_control_events_own_lost_total",
        "counter",
        "Events about the control plane that could not be stored.",
        numbers.own_lost,
    )
    page.one("seawall_control_tail_followers", "gauge", "Open live streams of events.", len(hub))
    page.one(
        "seawall_control_tail_skipped_total",
        "counter",
        "Events that live streams were too slow for.",
        hub.skipped,
    )
    page.one("seawall_control_feed_readers", "gauge", "Open streams that are taken up again.", feed_readers)
    page.add(
        "seawall_control_alerts_firing",
        "gauge",
        "Alerts that fire.",
        [({"severity": s.name}, float(firing.get(s.name, 0))) for s in Severity],
    )
    page.one("seawall_control_proxies_connected", "gauge", "Connected proxies.", fleet.connected)
    page.one("seawall_control_proxies_known", "gauge", "Known proxies.", len(fleet.known()))
    page.one(
        "seawall_control_proxies_refusing",
        "gauge",
        "Connected proxies that refused the newest policy.",
        len(fleet.pushes.refusing()),
    )
    spooled, oldest_s = fleet.view.spooled(here=True)
    page.one(
        "seawall_control_spooled_events", "gauge", "Events that wait on disks of connected proxies.", spooled
    )
    page.one(
        "seawall_control_spool_oldest_age_seconds",
        "gauge",
        "For how long the oldest of them has waited.",
        oldest_s,
    )
    page.one(
        "seawall_control_policy_pushes_total",
        "counter",
        "Policies pushed to proxies.",
        fleet.pushes.numbers.pushes,
    )
    page.one(
        "seawall_control_policy_acks_total",
        "counter",
        "Pushes that proxies accepted.",
        fleet.pushes.numbers.accepted,
    )
    page.one(
        "seawall_control_policy_nacks_total",
        "counter",
        "Pushes that proxies refused.",
        fleet.pushes.numbers.refused,
    )
    page.one(
        "seawall_control_policy_unanswered_total",
        "counter",
        "Pushes without an answer in time.",
        fleet.pushes.numbers.unanswered,
    )
    page.one(
        "seawall_control_streams_superseded_total",
        "counter",
        "Streams that a newer one of the same node replaced.",
        fleet.superseded,
    )
    store = report.store
    page.add(
        "seawall_control_store_info",
        "gauge",
        "Engine of the store.",
        [({"engine": store.engine, "version": store.version}, 1)],
    )
    page.one(
        "seawall_control_store_up", "gauge", "Whether the store takes changes.", float(store.state == "ok")
    )
    page.one("seawall_control_store_bytes", "gauge", "Size of the store's file.", store.size_bytes)
    page.one("seawall_control_store_wal_bytes", "gauge", "Size of the write-ahead log.", store.wal_bytes)
    page.one("seawall_control_store_commits_total", "counter", "Transactions committed.", store.commits)
    page.one(
        "seawall_control_store_commit_seconds_total",
        "counter",
        "Time spent in transactions.",
        store.commit_seconds,
    )
    page.one("seawall_control_store_queued", "gauge", "Changes that wait for the writer.", store.queued)
    return page.text()
