"""The gate against a model that keeps lists and looks through all of them, with tiny numbers."""

from __future__ import annotations

from math import ceil, inf

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_policy.limit.gate import (
    ENTERED,
    LONG_AT_LEAST_S,
    LONG_TIMES,
    NO_PLACE,
    QUEUED,
    SHEDDING_S,
    WAITED_IN_VAIN,
    Gate,
)
from seawall_policy.limit.options import CLASSES, LimitOptions
from seawall_policy.limit.place import IGNORED, Place
from seawall_policy.limit.queue import STANDING_S

USUAL_S = 0.2
TIMEOUT_S = 0.5


class Entry:
    """A call in the model."""

    def __init__(self, place: Place, since: float) -> None:
        self.place = place
        self.since = since


class Model:
    """The rules, word by word."""

    def __init__(self, places: int, queue: int, shares: tuple[float, ...]) -> None:
        self.places = places
        self.queue = queue
        self.shares = shares
        self.held: list[Entry] = []
        self.long: list[Entry] = []
        self.waiting: list[Entry] = []
        self.filled_since = inf
        self.shedding_until = -inf
        self.started: list[Place] = []
        self.refused: list[tuple[Place, int]] = []

    def of(self, entries: list[Entry], criticality: int) -> list[Entry]:
        return [entry for entry in entries if entry.place.criticality == criticality]

    def standing(self, now: float) -> bool:
        return now - self.filled_since >= STANDING_S

    def below_share(self, criticality: int) -> bool:
        return len(self.of(self.held, criticality)) < ceil(self.places * self.shares[criticality])

    def reserved(self, criticality: int) -> int:
        """Places that more important classes are sure of and do not use."""
        return sum(
            max(0, ceil(self.places * self.shares[other]) - len(self.of(self.held, other)))
            for other in range(criticality)
        )

    def may_start(self, criticality: int, now: float) -> bool:
        if self.below_share(criticality):
            return True
        if any(entry.place.criticality <= criticality for entry in self.waiting):
            return False
        reserve = self.reserved(criticality) if now < self.shedding_until else 0
        return len(self.held) + reserve < self.places

    def hold(self, place: Place, now: float) -> None:
        self.held.append(Entry(place, now))

    def retire(self, now: float) -> None:
        for entry in list(self.held):
            if now - entry.since < max(LONG_AT_LEAST_S, LONG_TIMES * USUAL_S):
                return
            if len(self.long) < self.places:
                self.held.remove(entry)
                self.long.append(entry)

    def drop(self, entry: Entry, why: int) -> None:
        self.waiting.remove(entry)
        if not self.waiting:
            self.filled_since = inf
        if why:
            self.refused.append((entry.place, why))

    def enter(self, place: Place, now: float) -> int:
        if self.may_start(place.criticality, now):
            self.hold(place, now)
            return ENTERED
        self.shedding_until = now + SHEDDING_S
        if self.queue == 0:
            self.retire(now)
            if self.may_start(place.criticality, now):
                self.hold(place, now)
                return ENTERED
            return NO_PLACE
        if place.deadline - now < USUAL_S:
            return NO_PLACE
        if len(self.waiting) >= self.queue:
            victim = self.victim(place, now)
            if victim is None:
                return NO_PLACE
            self.drop(victim, NO_PLACE)
        if not self.waiting:
            self.filled_since = now
        self.waiting.append(Entry(place, now))
        self.retire(now)
        return QUEUED

    def victim(self, place: Place, now: float) -> Entry | None:
        lower = [entry for entry in self.waiting if entry.place.criticality > place.criticality]
        if lower:
            least = max(entry.place.criticality for entry in lower)
            same = self.of(lower, least)
            return same[0] if self.standing(now) else same[-1]
        same = self.of(self.waiting, place.criticality)
        return same[0] if self.standing(now) and same else None

    def next_of(self, line: list[Entry], now: float) -> Entry:
        return line[-1] if self.standing(now) else line[0]

    def settle(self, now: float) -> None:
        while True:
            for criticality in range(CLASSES):
                line = self.of(self.waiting, criticality)
                room = self.places - len(self.held) - self.reserved(criticality)
                if line and (self.below_share(criticality) or room > 0):
                    entry = self.next_of(line, now)
                    self.drop(entry, 0)
                    self.shedding_until = now + SHEDDING_S
                    self.hold(entry.place, now)
                    self.started.append(entry.place)
                    break
            else:
                return

    def expire(self, now: float) -> None:
        for entry in list(self.waiting):
            if entry.since + TIMEOUT_S <= now or entry.place.deadline - USUAL_S <= now:
                self.drop(entry, WAITED_IN_VAIN)
        self.retire(now)

    def next_deadline(self) -> float:
        return min(
            (min(entry.since + TIMEOUT_S, entry.place.deadline - USUAL_S) for entry in self.waiting),
            default=inf,
        )

    def leave(self, place: Place) -> None:
        for entries in (self.held, self.long):
            entries[:] = [entry for entry in entries if entry.place is not place]
        for entry in list(self.waiting):
            if entry.place is place:
                self.drop(entry, 0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("enter", "enter", "enter", "leave", "leave", "answered", "expire")),
        st.integers(0, 5),
        st.sampled_from((0.0, 0.0, 0.0625, 0.125, 0.25, 1.0, 2.0)),
        st.sampled_from((inf, inf, 0.125, 0.375, 1.0)),
    ),
    min_size=12,
    max_size=50,
)


@settings(max_examples=60)
@given(
    places=st.integers(1, 3),
    queue=st.integers(0, 3),
    shares=st.sampled_from(
        (
            (0.0, 0.0, 0.0, 0.0),
            (0.0, 0.0, 0.0, 0.0),
            (0.5, 0.0, 0.0, 0.0),
            (0.25, 0.25, 0.0, 0.5),
            (0.0, 1.0, 0.0, 0.0),
        )
    ),
    steps=STEPS,
)
def test_the_gate_does_what_the_model_does(
    places: int, queue: int, shares: tuple[float, ...], steps: list[tuple[str, int, float, float]]
) -> None:
    """Verdicts, order, refusals, deadlines and counts are the same; every call that waits leaves once."""
    gate = Gate(
        LimitOptions(
            max_in_flight=places, min_in_flight=1, queue=queue, queue_timeout_s=TIMEOUT_S, shares=shares
        )
    )
    gate.usual_s = USUAL_S
    model = Model(places, queue, shares)
    known: list[Place] = []
    settled: list[Place] = []
    now = 64.0
    for action, number, wait, remaining in steps:
        now += wait
        if action == "enter":
            place = Place(number % CLASSES, now + remaining)
            wanted = model.enter(place, now)
            assert gate.enter(place, now) == wanted
            if wanted != NO_PLACE:
                known.append(place)
            if wanted == QUEUED:
                settled.append(place)
        elif action == "expire":
            model.expire(now)
            gate.expire(now)
        elif known:
            place = known[number % len(known)]
            if action == "answered":
                held = any(entry.place is place for entry in model.held + model.long)
                if held:
                    model.leave(place)
                gate.answered(place)
            else:
                known.remove(place)
                model.leave(place)
                gate.leave(place, now, IGNORED)
                gate.leave(place, now, IGNORED)
                if place in settled:
                    settled.remove(place)
        model.settle(now)
        refused = []
        started = []
        while True:
            told = gate.next_refused()
            if told is not None:
                refused.append(told)
                continue
            given_place = gate.next_started(now)
            if given_place is None:
                break
            started.append(given_place)
        assert started == model.started
        assert sorted(refused, key=lambda r: id(r[0])) == sorted(model.refused, key=lambda r: id(r[0]))
        for place in [*started, *(place for place, _ in refused)]:
            assert place in settled, "nobody is told twice"
            settled.remove(place)
        for place, _ in refused:
            known.remove(place)
        model.started.clear()
        model.refused.clear()
        assert gate.in_flight == len(model.held)
        assert gate.long_calls == len(model.long)
        assert gate.queue.length == len(model.waiting) <= queue
        assert [gate.held_by(c) for c in range(CLASSES)] == [
            len(model.of(model.held, c)) for c in range(CLASSES)
        ]
        assert gate.next_deadline() == model.next_deadline()
    for place in known:
        gate.leave(place, now, IGNORED)
    assert gate.in_flight == gate.long_calls == 0
