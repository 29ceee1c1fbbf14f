"""What new events come to: which group each belongs to, what of them is stored, and what is only counted.

Every store goes through the same steps within the transaction that also moves the mark of the spool, so an
event is counted once whether it was stored or not: `grouped_by` says which group each new event belongs to,
the sieve which are stored, `arrivals_of` what each group learns, and `groups.taken` what it becomes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from seawall_control.domain.escalation import HOUR_US
from seawall_control.domain.events import Event, Json
from seawall_control.domain.flood import KEEP_ALL, Sieve, Sifted
from seawall_control.domain.groups import OVERFLOW, Arrival, Change


def _no_reason(_: Event) -> Mapping[str, Json]:
    return {}


@dataclass(frozen=True, slots=True)
class Reception:
    """How new events are received."""

    at_us: int = 0
    """When, in microseconds since the epoch; 0: at the time of the newest of them."""
    sieve: Sieve = KEEP_ALL
    why: Callable[[Event], Mapping[str, Json]] = _no_reason
    """Says what makes an event one of its group, when it is the first."""


PLAIN: Final = Reception()


@dataclass(frozen=True, slots=True)
class Received:
    """What became of new events."""

    stored: tuple[Event, ...] = ()
    counted: tuple[Event, ...] = ()
    """New ones that are counted in their groups and rollups and not stored."""
    changes: tuple[Change, ...] = ()
    """What happened to groups."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a batch: the cumulative mark of its spool, and its new events."""

    through_seq: int
    stored: tuple[Event, ...]
    duplicates: int
    assumed_through: int = 0
    """Above 0 when this batch showed that the numbers up to here were acknowledged by another store and will
    not come.
    """
    counted: tuple[Event, ...] = ()
    changes: tuple[Change, ...] = ()
    is_forked: bool = False
    """Whether its spool gives numbers out twice; the events are taken in by their ids, without numbers."""
    send_from: int = 0
    """First number that the store lacks and the proxy keeps; 0 when it lacks none."""


def prints_of(events: Iterable[Event]) -> list[str]:
    """Return the distinct fingerprints of events, in order."""
    return list(dict.fromkeys(event.fingerprint for event in events))


def grouped_by(
    events: Sequence[Event], aliases: Mapping[str, str], known: Iterable[str], room: int
) -> list[tuple[str, Event]]:
    """Return each event with its group.

    `aliases` lead from fingerprints that were merged to their groups, `known` are the groups that exist,
    `room` is how many more may be made. Without room an event goes to the group `overflow`, under that
    fingerprint.
    """
    groups = set(known)
    found: list[tuple[str, Event]] = []
    for event in events:
        group = aliases.get(event.fingerprint, event.fingerprint)
        if group not in groups and group != OVERFLOW:
            if room > 0:
                room -= 1
                groups.add(group)
            else:
                group = OVERFLOW
                event = replace(event, fingerprint=OVERFLOW)
        found.append((group, event))
    return found


def arrivals_of(
    events: Sequence[tuple[str, Event]], sifted: Sifted, gone: Iterable[str] = ()
) -> dict[str, Arrival]:
    """Return what each group learns. `gone` are the evicted ids that were really there to be deleted."""
    found: dict[str, Arrival] = {}
    stored = sifted.stored
    # Written out: this runs for every event.
    for group, event in events:
        arrival = found.get(group)
        if arrival is None:
            arrival = found[group] = Arrival()
        arrival.events.append(event)
        if event.id in stored:
            arrival.stored += 1
        hours = arrival.hours
        hour = event.timestamp_us // HOUR_US
        hours[hour] = hours.get(hour, 0) + 1
    deleted = set(gone)
    for group, event_id in sifted.evicted:
        if event_id in deleted:
            found[group].evicted += 1
    return found
