"""Decides what of a batch is new, by its numbers: the part of exactly-once that every store shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import lt

from seawall_control.domain.events import Batch, Event, Gap, Refusal
from seawall_control.domain.sequences import Arrivals, Range


@dataclass(frozen=True, slots=True)
class Intake:
    """The new part of a batch and the arrivals after it."""

    arrivals: Arrivals
    events: tuple[tuple[int, Event], ...]
    refusals: tuple[Refusal, ...]
    gaps: tuple[Gap, ...]
    duplicates: int
    assumed_through: int
    again: tuple[tuple[int, Event], ...] = ()
    """Events whose numbers were seen before: sent again, as a rule. See `is_forked`."""
    send_from: int = 0
    """First number that is missing here and that the proxy keeps; 0 when none is."""


def _runs(numbers: Sequence[int]) -> list[Range]:
    runs: list[Range] = []
    if numbers and numbers[-1] - numbers[0] + 1 == len(numbers) and _grow(numbers):
        return [(numbers[0], numbers[-1])]
    for number in sorted(numbers):
        if runs and number <= runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _grow(numbers: Sequence[int]) -> bool:
    """Tell whether each number is larger than the one before, as those of a spool in order are."""
    return all(map(lt, numbers, numbers[1:]))


def take_in(known: Arrivals | None, batch: Batch) -> Intake:
    """Split a batch into what is new and what was seen before.

    `known` is None for a spool that the store has never met. Raises `TooManyIslands`.
    """
    numbers = [seq for seq, _ in batch.events] + [refusal.seq for refusal in batch.refusals]
    starts = numbers + [gap.from_seq for gap in batch.gaps]
    lowest = min(starts, default=max(1, batch.next_seq))
    assumed = 0
    begins = known is None or batch.starts_stream
    if known is None or batch.starts_stream:
        before = known or Arrivals()
        known = before.starting_at(min(batch.oldest_seq, lowest) or lowest)
        assumed = known.assumed_through if known is not before else 0
    events: dict[int, Event] = {}
    again: list[tuple[int, Event]] = []
    if not known.seen or (numbers and numbers[0] > known.seen[-1][1] and _grow(numbers)):
        # Nearly always: a spool sends in order, so that nothing of it can have come before.
        for seq, event in batch.events:
            events.setdefault(seq, event)
    else:
        for seq, event in batch.events:
            if known.has(seq):
                again.append((seq, event))
            else:
                events.setdefault(seq, event)
    refusals = {r.seq: r for r in batch.refusals if not known.has(r.seq) and r.seq not in events}
    # An acknowledgement that was lost on the way leaves a sender with events that are stored here; if it then
    # has
    # to drop them, its gap covers them too, and only the rest was lost.
    gaps = tuple(
        Gap(first, last, gap.reason)
        for gap in batch.gaps
        for first, last in known.missing(gap.from_seq, gap.to_seq)
    )
    arrivals = known.add([*_runs(numbers), *((gap.from_seq, gap.to_seq) for gap in batch.gaps)])
    return Intake(
        arrivals=arrivals,
        events=tuple(sorted(events.items())),
        refusals=tuple(refusals[seq] for seq in sorted(refusals)),
        gaps=gaps,
        duplicates=len(numbers) - len(events) - len(refusals),
        assumed_through=assumed,
        again=tuple(again),
        send_from=arrivals.through + 1 if begins and arrivals.through + 1 < lowest else 0,
    )


def is_forked(again: Iterable[tuple[int, Event]], stored: Mapping[int, str]) -> bool:
    """Tell whether a spool gives its numbers out twice, as two machines made from one image do: a number that
    was seen before comes with another event than the one that is stored under it.

    `stored` has the ids by number, as far as they are still there. What was counted and not stored, or was
    deleted, proves nothing.
    """
    return any(stored.get(seq, event.id) != event.id for seq, event in again)
