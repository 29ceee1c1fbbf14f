"""Alert rules as values: when any trigger holds, if the filters allow it, then the channels are told.

A trigger says what is watched; a rule adds who may raise an alert (filters), how long it must hold before it
does, how long it must be over before it is, and how often people are told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from seawall_control.domain.events import Severity


class TriggerKind(StrEnum):
    """What a trigger watches."""

    ERROR_RATE = "error_rate"
    """Share of a route's calls that fail by the server's fault."""
    BURN_RATE = "burn_rate"
    """How many times faster than allowed a route uses up its error budget, in two windows at once."""
    EVENT_COUNT = "event_count"
    """Events with the same fingerprint within a window."""
    RECOVERY_FAILURE_RATE = "recovery_failure_rate"
    """Share of the calls that were tried again and failed all the same."""
    EVENT = "event"
    """One event of at least a severity."""
    BREAKER = "breaker"
    """A breaker that rejects calls."""
    GROUP = "group"
    """A group of events that is new, has come back, or grows."""
    ABSENCE = "absence"
    """Something that should come and does not."""
    DISK = "disk"
    """How full the disk of the store is."""
    QUEUE = "queue"
    """Work that waits, or was dropped."""
    STORE = "store"
    """The store cannot be written."""


ABSENT_EVENTS: Final = "events"
ABSENT_CALLS: Final = "calls"
ABSENT_PROXY: Final = "proxy"
QUEUE_INGEST: Final = "ingest"
QUEUE_DELIVERIES: Final = "deliveries"
QUEUE_DROPPED: Final = "dropped_events"
QUEUE_SPOOLED: Final = "spooled_events"
"""On the disk of one proxy."""
QUEUE_SPOOL_AGE: Final = "spool_age"
"""Seconds that the oldest event on the disk of one proxy has waited."""

SUBJECTS_OF: Final = {
    TriggerKind.ABSENCE: (ABSENT_EVENTS, ABSENT_CALLS, ABSENT_PROXY),
    TriggerKind.QUEUE: (
        QUEUE_INGEST,
        QUEUE_DELIVERIES,
        QUEUE_DROPPED,
        QUEUE_SPOOLED,
        QUEUE_SPOOL_AGE,
    ),
    TriggerKind.GROUP: ("new", "regressed", "escalating", "unmuted"),
}
"""What `Trigger.of` may name."""


USED_BY: Final = {
    TriggerKind.ERROR_RATE: ("threshold", "window", "min_calls"),
    TriggerKind.BURN_RATE: ("objective", "windows", "min_calls"),
    TriggerKind.EVENT_COUNT: ("threshold", "window"),
    TriggerKind.RECOVERY_FAILURE_RATE: ("threshold", "window", "min_calls"),
    TriggerKind.EVENT: ("severity", "window"),
    TriggerKind.BREAKER: (),
    TriggerKind.GROUP: ("of", "window"),
    TriggerKind.ABSENCE: ("of", "window"),
    TriggerKind.DISK: ("threshold",),
    TriggerKind.QUEUE: ("of", "threshold", "window"),
    TriggerKind.STORE: (),
}
"""The settings of a trigger that its kind looks at, as operators write them."""


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """A pair of windows: the long one shows that it matters, the short one that it is still so."""

    factor: float
    long_s: float
    short_s: float


BURN_WINDOWS: Final = (BurnWindow(14.4, 3600.0, 300.0), BurnWindow(6.0, 21600.0, 1800.0))
"""Two per cent of a 30-day budget in an hour, five per cent in six: the pairs of Google's SRE workbook,
chapter 5, for alerts that somebody gets up for.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What is watched. Which fields count depends on the kind; the others keep their defaults."""

    kind: TriggerKind
    threshold: float = 0.0
    """Reached counts as passed. A share (0 to 1) for rates and disks, a number for counts and queues."""
    window_s: float = 300.0
    """For rates and counts, and for how long an occurrence (EVENT, GROUP) stands without another."""
    min_calls: int = 0
    """Fewer calls than this in the window say nothing."""
    severity: Severity = Severity.LOW
    """Of EVENT: at least this."""
    of: tuple[str, ...] = ()
    """Of ABSENCE, QUEUE and GROUP: which; `SUBJECTS_OF` lists the words."""
    objective: float = 0.0
    """Of BURN_RATE: the share of calls that must succeed, such as 0.999."""
    windows: tuple[BurnWindow, ...] = ()
    """Of BURN_RATE; empty means `BURN_WINDOWS`."""


@dataclass(frozen=True, slots=True)
class Filters:
    """AIP-160 filters over the fields of events, asked of what an alert would be about."""

    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When any of the triggers holds, if the filters match, then tell the channels."""

    name: str
    title: str = ""
    disabled: bool = False
    severity: Severity | None = None
    """Of its alerts; None: that of the event, or HIGH where there is none."""
    when: tuple[Trigger, ...] = ()
    filters: Filters = field(default_factory=Filters)
    hold_s: float = 0.0
    """How long a trigger must hold before the alert fires."""
    keep_firing_s: float = 0.0
    """How long no trigger must hold before the alert resolves."""
    channels: tuple[str, ...] = ()
    """Who is told; empty: every channel that takes the severity."""
    interval_s: float = 300.0
    """At most one message about the same thing in this time; what still fires at its end is told then."""
    repeat_s: float = 0.0
    """Tell again after this time while it fires and nobody has acknowledged it; 0: never."""
    max_per_hour: int = 60
    """Messages of this rule in any hour; 0: no bound. What finds no room waits for it."""
    notify_resolved: bool = True
    inhibited_by: tuple[str, ...] = ()
    """Rules whose firing alert about the same route or proxy, or about everything, keeps this one quiet."""

    @property
    def is_builtin(self) -> bool:
        """Whether the name is one of ours."""
        return self.name.startswith(BUILTIN)


BUILTIN: Final = "builtin/"
