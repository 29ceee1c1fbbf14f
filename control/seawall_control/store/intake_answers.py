"""Who is told what of events that were taken in as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from seawall_control.domain.events import Event
from seawall_control.domain.groups import Change
from seawall_control.domain.ingest import Intake as Numbers
from seawall_control.domain.taking import Ingested, Received, Reception


def alike(how: Reception, other: Reception) -> bool:
    """Tell whether what two callers sent may be received as one."""
    return how.sieve is other.sieve and how.why == other.why and bool(how.at_us) == bool(other.at_us)


def ingested(numbers: Numbers, new: Received, is_fork: bool) -> Ingested:
    """Return what became of a batch."""
    again = len(numbers.events) - len(new.stored) - len(new.counted)
    return Ingested(
        numbers.arrivals.through,
        new.stored,
        numbers.duplicates + again,
        numbers.assumed_through,
        new.counted,
        new.changes,
        is_fork,
        numbers.send_from,
    )


def shared_out(
    callers: int,
    caller: Mapping[str, int],
    pairs: Iterable[tuple[str, Event]],
    stored: Sequence[Event],
    left: Sequence[Event],
    changes: tuple[Change, ...],
) -> list[Received]:
    """Return what became of the events of each caller. Changes of a group are the first one's that sent some
    of it.
    """
    if callers == 1:
        return [Received(tuple(stored), tuple(left), changes)]
    first: dict[str, int] = {}
    for group, event in pairs:
        first.setdefault(group, caller[event.id])
    kept: list[list[Event]] = [[] for _ in range(callers)]
    over: list[list[Event]] = [[] for _ in range(callers)]
    became: list[list[Change]] = [[] for _ in range(callers)]
    for event in stored:
        kept[caller[event.id]].append(event)
    for event in left:
        over[caller[event.id]].append(event)
    for change in changes:
        became[first[change.group.id]].append(change)
    return [Received(tuple(a), tuple(b), tuple(c)) for a, b, c in zip(kept, over, became, strict=True)]
