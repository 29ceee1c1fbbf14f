"""What a watch is: it is told events and facts, and says what holds now; and what all watches share.

A watch reads nothing by itself. What it remembers is bounded and is lost with the process; after a start it
is told again what was stored (engine.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from seawall_control.domain import filters
from seawall_control.domain.alerts.facts import Facts, GroupNotice
from seawall_control.domain.alerts.lifecycle import Alert, Reading
from seawall_control.domain.alerts.rules import Filters
from seawall_control.domain.alerts.subject import Subject, as_event, scrubbed
from seawall_control.domain.alerts.windows import CallSeries
from seawall_control.domain.events import Event

OWN_COMPONENT: Final = "alerts"
"""Events about alerts raise none: a channel that is down would tell of itself for ever."""


class Condition:
    """The filters of a rule, compiled."""

    def __init__(self, wanted: Filters) -> None:
        self._all = tuple(filters.parse(text) for text in wanted.all)
        self._any = tuple(filters.parse(text) for text in wanted.any)
        self._none = tuple(filters.parse(text) for text in wanted.none)
        self._asks = bool(wanted.all or wanted.any or wanted.none)

    def allows(self, event: Event) -> bool:
        """Whether an alert about this may be raised."""
        if not self._asks:
            return True
        return (
            all(filters.matches(node, event) for node in self._all)
            and (not self._any or any(filters.matches(node, event) for node in self._any))
            and not any(filters.matches(node, event) for node in self._none)
        )

    def allows_subject(self, subject: Subject, at_us: int) -> bool:
        """As `allows`, of what is no event."""
        return not self._asks or self.allows(as_event(subject, at_us))


class Watch(Protocol):
    """Watches one trigger."""

    def event(self, event: Event, at_us: int) -> None:
        """Take an event in that the rule's filters allow."""
        ...

    def notice(self, notice: GroupNotice, at_us: int) -> None:
        """Take in what happened to a group."""
        ...

    def readings(self, facts: Facts, calls: Mapping[str, CallSeries], at_us: int) -> Iterable[Reading]:
        """Return what holds now."""
        ...

    def restore(self, alert: Alert, at_us: int) -> None:
        """Take note of an alert that fires from before the start."""
        ...

    def denies(self, subject: Subject, calls: Mapping[str, CallSeries], at_us: int) -> bool:
        """Whether what is known shows that the condition does not hold of a subject, though windows may miss
        a part of what was before the start.
        """
        ...

    def shift(self, by_us: int) -> None:
        """Move everything that is remembered in time: the clock was set by so much."""
        ...


class Quiet:
    """What most watches do with what they do not watch: nothing."""

    def event(self, event: Event, at_us: int) -> None:
        pass

    def notice(self, notice: GroupNotice, at_us: int) -> None:
        pass

    def restore(self, alert: Alert, at_us: int) -> None:
        pass

    def denies(self, subject: Subject, calls: Mapping[str, CallSeries], at_us: int) -> bool:
        return False

    def shift(self, by_us: int) -> None:
        pass


def percent(share: float) -> str:
    """Return a share in per cent."""
    return f"{share * 100:.3g} %"


def span(seconds: float) -> str:
    """Return a length of time in its largest whole unit."""
    whole = round(seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if whole >= size and whole % size == 0:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def route_subject(name: str) -> Subject:
    """Return the subject that a route is."""
    clean = scrubbed(name)
    return Subject(key=f"route/{clean}", component=f"route/{clean}", route=clean)
