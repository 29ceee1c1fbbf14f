"""Families of the process, its spool, its breakers and its certificates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from seawall_policy.breaker import STATE_NAMES as BREAKER_STATES
from seawall_proxy.telemetry import names
from seawall_proxy.telemetry.counters import (
    ProxyCounters,
)
from seawall_proxy.telemetry.prometheus.exposition import Exposition
from seawall_proxy.telemetry.spool import SpoolStatus


def add_access_log(page: Exposition, written: int, dropped: Mapping[str, int], waiting: int) -> None:
    """Add how the access log is doing."""
    page.family(names.ACCESS_LOG_WRITTEN, [((), written)])
    page.family(
        names.ACCESS_LOG_DROPPED,
        (((("reason", reason),), count) for reason, count in sorted(dropped.items())),
    )
    page.family(names.ACCESS_LOG_WAITING, [((), waiting)])


def add_spool(page: Exposition, spool: SpoolStatus | None, waiting: int, now_s: float) -> None:
    """Add how the record of events is doing; `spool` is None for a proxy without one, `now_s` wall-clock
    seconds.
    """
    page.family(names.EVENTS_WAITING, [((), waiting)])
    if spool is None:
        return
    page.family(names.SPOOL_DEPTH, [((), spool.depth)])
    page.family(names.SPOOL_BYTES, [((), spool.bytes)])
    page.family(names.SPOOL_OLDEST_AGE, [((), spool.age_s(now_s))])
    page.family(names.SPOOL_ACKED, [((), spool.acked)])
    page.family(names.SPOOL_DEGRADED, [((), float(spool.degraded))])
    page.family(
        names.SPOOL_DROPPED,
        (((("reason", reason),), count) for reason, count in sorted(spool.dropped.items())),
    )


class RouteBreakers(Protocol):
    """What the breakers of one route come to."""

    route: str
    states: list[int]
    """How many are in each state."""
    opened: int
    rejected: int
    would_reject: int


def add_breakers(page: Exposition, rows: Sequence[RouteBreakers]) -> None:
    """Add the breakers of routes: one series for each state, however many breakers a route has."""
    page.family(
        names.BREAKER_STATE,
        (
            ((("route", row.route), ("state", name.lower())), row.states[number])
            for row in rows
            for number, name in enumerate(BREAKER_STATES)
        ),
    )
    page.family(names.BREAKER_OPENED, (((("route", row.route),), row.opened) for row in rows))
    page.family(names.BREAKER_REJECTED, (((("route", row.route),), row.rejected) for row in rows))
    page.family(names.BREAKER_WOULD_REJECT, (((("route", row.route),), row.would_reject) for row in rows))


def add_certificates(page: Exposition, expiries: Iterable[tuple[str, str, float]]) -> None:
    """Add the certificates in use, given as owner, file and the Unix time of their expiry."""
    page.family(
        names.CERTIFICATE_EXPIRY,
        (((("owner", owner), ("file", file)), expiry) for owner, file, expiry in expiries),
    )


def add_proxy(
    page: Exposition, counters: ProxyCounters, *, revision: int, control_connected: bool | None
) -> None:
    """Add what belongs to no route; `control_connected` is None for a stand-alone proxy."""
    for metric, value in (
        (names.CONNECTIONS, counters.connections_open),
        (names.CONNECTIONS_TOTAL, counters.connections_total),
        (names.CONNECTIONS_REFUSED, counters.connections_refused),
        (names.PROTOCOL_ERRORS, counters.protocol_errors),
        (names.BYTES_RECEIVED, counters.bytes_received),
        (names.BYTES_SENT, counters.bytes_sent),
        (names.RESETS_RECEIVED, counters.resets_received),
        (names.RESETS_SENT, counters.resets_sent),
        (names.POLICY_REVISION, revision),
        (names.POLICY_APPLIED, counters.policy_applied),
        (names.POLICY_REFUSED, counters.policy_refused),
        (names.POLICY_APPLY_SECONDS, counters.policy_apply_s),
        (names.EVENTS_PRODUCED, counters.events_produced),
        (names.EVENTS_DROPPED, counters.events_dropped),
    ):
        page.family(metric, [((), value)])
    page.family(
        names.LIMITS_TRIPPED,
        (
            ((("side", side), ("limit", limit)), count)
            for side, counts in (("client", counters.client_limits), ("endpoint", counters.endpoint_limits))
            for limit, count in sorted(counts.items())
        ),
    )
    page.family(
        names.CONNECTIONS_FAILED,
        (((("reason", reason),), count) for reason, count in sorted(counters.prologues_failed_by.items())),
    )
    page.family(
        names.CERTIFICATE_RELOADS,
        [
            ((("result", "taken"),), counters.certificates_reloaded),
            ((("result", "refused"),), counters.certificates_refused),
        ],
    )
    if control_connected is not None:
        page.family(names.CONTROL_CONNECTED, [((), float(control_connected))])
