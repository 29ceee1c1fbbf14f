"""Which events of a flood are stored, and which are only counted.

Every group has a token bucket. While it has tokens, events are stored as they come: a group's first events,
and the first ones after a rest. Without tokens an event goes through two small stages:

- a ring of the newest `last` events: the end of a flood is as telling as its beginning;
- what leaves the ring may enter a reservoir of `samples` events (Vitter's algorithm R), so that the flood in
  between is represented evenly. A reservoir is filled anew each hour; that of the hour before stays stored.

So in an hour a group stores at most `burst + 3600 * rate + last + samples` events, whatever comes; all others
are counted and nothing else. Gates are kept for the `gates` most recently active groups.

A slow store makes the buckets smaller (`Pressure`). Nothing here is durable: after a restart all buckets are
full, which stores a little more, never less, and counts stay exact since the store counts what it did.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from seawall_control.domain.events import Event

WINDOW_S: Final = 3600.0
REMEMBERED: Final = 20_000
"""Events of which it is remembered what was said, in case they are asked about again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodLimits:
    """How much of a group is stored."""

    rate: float = 1.0
    """Events a second and group, in the long run; 0 stores everything."""
    burst: int = 200
    """Events of a group that are stored at once after a rest; at least 1."""
    last: int = 5
    """The newest events that are kept of what is over the limit; at least 1."""
    samples: int = 10
    """Representatives of an hour that are kept of what is over the limit."""
    gates: int = 20_000
    """Groups that are remembered."""


@dataclass(frozen=True, slots=True)
class Sifted:
    """What is to be done with a list of events."""

    stored: frozenset[str]
    """Ids to store; the others of the list are only counted."""
    evicted: tuple[tuple[str, str], ...] = ()
    """Group and id of events that were stored before and give their place to newer ones."""


class Sieve(Protocol):
    """Decides what is stored. Asked within the transaction that stores, with new events only."""

    def sift(self, events: Sequence[tuple[str, Event]]) -> Sifted:
        """Return what is to be done with these events, each with the group that it belongs to. May be asked
        again with the same events when a transaction was not committed.
        """
        ...


class KeepAll:
    """Stores everything."""

    def sift(self, events: Sequence[tuple[str, Event]]) -> Sifted:
        """See `Sieve.sift`."""
        return Sifted(frozenset(event.id for _, event in events))


KEEP_ALL: Final = KeepAll()


class Pressure:
    """How much the store can take: 1 when it is quick, less when it is slow.

    Told how long each transaction took; an average that halves its memory every eight transactions or so is
    compared with `TARGET_S`.
    """

    TARGET_S: Final = 0.25
    LEAST: Final = 0.05
    _WEIGHT: Final = 0.08

    def __init__(self) -> None:
        self._average_s = 0.0

    def took(self, seconds: float) -> None:
        """Note how long a transaction took, waiting included."""
        self._average_s += self._WEIGHT * (min(seconds, 60.0) - self._average_s)

    @property
    def share(self) -> float:
        """The share of the usual rate and burst that is stored, 0.05 to 1."""
        if self._average_s <= self.TARGET_S:
            return 1.0
        return max(self.LEAST, self.TARGET_S / self._average_s)


class _Gate:
    """The state of one group."""

    __slots__ = ("at_s", "last", "sample", "seen", "tokens", "window")

    def __init__(self, tokens: float, now_s: float) -> None:
        self.tokens = tokens
        self.at_s = now_s
        self.window = now_s // WINDOW_S
        self.last: deque[str] = deque()
        self.sample: list[str] = []
        self.seen = 0
        """Events of this hour that have left the ring."""


class Gates:
    """The sieve of a running control plane."""

    def __init__(
        self, limits: FloodLimits, now_s: Callable[[], float], draw: Callable[[], float], pressure: Pressure
    ) -> None:
        """`now_s` gives monotonic seconds, `draw` a number of [0, 1)."""
        self._limits = limits
        self._now_s = now_s
        self._draw = draw
        self._pressure = pressure
        self._gates: OrderedDict[str, _Gate] = OrderedDict()
        # What was said of the newest events. A transaction that fails is tried again with the same ones, and
        # must
        # not find the bucket emptied by itself.
        self._said: OrderedDict[str, bool] = OrderedDict()

    def __len__(self) -> int:
        return len(self._gates)

    def sift(self, events: Sequence[tuple[str, Event]]) -> Sifted:
        """See `Sieve.sift`."""
        limits = self._limits
        if limits.rate <= 0.0:
            return KEEP_ALL.sift(events)
        now_s = self._now_s()
        share = self._pressure.share
        rate, burst = limits.rate * share, max(1.0, limits.burst * share)
        stored: set[str] = set()
        out: list[tuple[str, str]] = []
        refreshed: set[str] = set()
        asked: list[str] = []
        again: list[str] = []
        for group, event in events:
            gate = self._gates.get(group)
            if gate is None:
                gate = self._gates[group] = _Gate(burst, now_s)
                refreshed.add(group)
                if len(self._gates) > limits.gates:
                    self._gates.popitem(last=False)
            elif group not in refreshed:
                refreshed.add(group)
                self._gates.move_to_end(group)
                gate.tokens = min(burst, gate.tokens + max(0.0, now_s - gate.at_s) * rate)
                gate.at_s = now_s
                if now_s // WINDOW_S != gate.window:
                    gate.window, gate.sample, gate.seen = now_s // WINDOW_S, [], 0
            before = self._said.get(event.id)
            if before is not None:
                if before:
                    again.append(event.id)
                continue
            stored.add(event.id)
            asked.append(event.id)
            if gate.tokens >= 1.0:
                gate.tokens -= 1.0
            else:
                loser = self._over_limit(gate, event.id)
                if loser:
                    out.append((group, loser))
        # Whatever came in and went out within these events has never been stored.
        evicted = tuple(item for item in out if item[1] not in stored)
        stored.difference_update(loser for _, loser in out)
        for event_id in asked:
            self._said[event_id] = event_id in stored
        while len(self._said) > REMEMBERED:
            self._said.popitem(last=False)
        return Sifted(frozenset((*stored, *again)), evicted)

    def _over_limit(self, gate: _Gate, event_id: str) -> str:
        """Take an event that is over the limit; return the id that goes for it, empty if none."""
        gate.last.append(event_id)
        if len(gate.last) <= self._limits.last:
            return ""
        leaving = gate.last.popleft()
        gate.seen += 1
        if len(gate.sample) < self._limits.samples:
            gate.sample.append(leaving)
            return ""
        place = int(self._draw() * gate.seen)
        if place < len(gate.sample):
            leaving, gate.sample[place] = gate.sample[place], leaving
        return leaving
