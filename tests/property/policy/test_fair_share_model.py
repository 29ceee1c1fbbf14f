"""Fair shares: the gate against a model that counts everything anew, and what the rules are good for."""

from __future__ import annotations

from collections import Counter
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_policy.call_key import CallKey
from seawall_policy.limit.gate import NO_PLACE, QUEUED, Gate
from seawall_policy.limit.options import CLASSES, LimitOptions
from seawall_policy.limit.place import IGNORED, Place
from tests.property.policy.test_limit_model import TIMEOUT_S, USUAL_S, Entry, Model

FAIR = CallKey(("metadata:x-tenant",))


def whose(place: Place) -> bytes:
    """Return the tenant's key."""
    assert place.tenant is not None
    return place.tenant.key


class FairModel(Model):
    """The rules of shares, word by word: `turn` is when a call of a tenant began last, while it is known;
    `since` when its line of a class began.
    """

    def __init__(self, places: int, queue: int) -> None:
        super().__init__(places, queue, (0.0, 0.0, 0.0, 0.0))
        self.turn: Counter[bytes] = Counter()
        self.since: dict[tuple[int, bytes], int] = {}
        self.count = 0

    def line(self, criticality: int, tenant: bytes) -> list[Entry]:
        return [entry for entry in self.of(self.waiting, criticality) if whose(entry.place) == tenant]

    def hold(self, place: Place, now: float) -> None:
        super().hold(place, now)
        self.count += 1
        self.turn[whose(place)] = self.count

    def enter(self, place: Place, now: float) -> int:
        verdict = super().enter(place, now)
        if verdict == QUEUED and len(self.line(place.criticality, whose(place))) == 1:
            self.count += 1
            self.since[place.criticality, whose(place)] = self.count
        return verdict

    def forget(self) -> None:
        here = {whose(entry.place) for entry in self.held + self.waiting}
        self.turn = Counter({key: turn for key, turn in self.turn.items() if key in here})

    def longest(self, entries: list[Entry], more_than: int, now: float) -> Entry | None:
        """The newest (standing: oldest) of the tenant with the most; of equals the one that waits longer."""
        if not entries:
            return None
        criticality = entries[0].place.criticality
        sizes = Counter(whose(entry.place) for entry in entries)
        tenant = min(sizes, key=lambda key: (-sizes[key], self.since[criticality, key]))
        if sizes[tenant] <= more_than:
            return None
        own = [entry for entry in entries if whose(entry.place) == tenant]
        return own[0] if self.standing(now) else own[-1]

    def victim(self, place: Place, now: float) -> Entry | None:
        lower = [entry for entry in self.waiting if entry.place.criticality > place.criticality]
        if lower:
            least = max(entry.place.criticality for entry in lower)
            return self.longest(self.of(lower, least), 0, now)
        same = self.of(self.waiting, place.criticality)
        own = self.line(place.criticality, whose(place))
        found = self.longest(same, len(own) + 1, now)
        if found is None and self.standing(now) and same:
            found = own[0] if own else same[0]
        return found

    def next_of(self, line: list[Entry], now: float) -> Entry:
        held = Counter(whose(entry.place) for entry in self.held)
        criticality = line[0].place.criticality
        tenants = {whose(entry.place) for entry in line}
        chosen = min(tenants, key=lambda key: (held[key], self.turn[key], self.since[criticality, key]))
        own = [entry for entry in line if whose(entry.place) == chosen]
        return own[-1] if self.standing(now) else own[0]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("enter", "enter", "enter", "leave", "leave", "answered", "expire")),
        st.integers(0, 5),
        st.sampled_from((b"a", b"a", b"a", b"b", b"c")),
        st.sampled_from((0.0, 0.0, 0.0625, 0.125, 0.25)),
        st.sampled_from((inf, inf, 0.375, 1.0)),
    ),
    min_size=12,
    max_size=50,
)


@settings(max_examples=150)
@given(places=st.integers(1, 4), queue=st.integers(0, 5), classes=st.sampled_from((1, 2)), steps=STEPS)
def test_the_gate_does_what_the_model_does(
    places: int, queue: int, classes: int, steps: list[tuple[str, int, bytes, float, float]]
) -> None:
    """Verdicts, order and refusals are the same, and nobody is remembered who has nothing here."""
    gate = Gate(
        LimitOptions(max_in_flight=places, min_in_flight=1, queue=queue, queue_timeout_s=TIMEOUT_S, fair=FAIR)
    )
    gate.usual_s = USUAL_S
    model = FairModel(places, queue)
    known: list[Place] = []
    now = 64.0
    for action, number, tenant, wait, remaining in steps:
        now += wait
        if action == "enter":
            place = Place(number % classes, now + remaining)
            place.tenant = gate.tenants.of(tenant)
            wanted = model.enter(place, now)
            assert gate.enter(place, now) == wanted
            if wanted != NO_PLACE:
                known.append(place)
        elif action == "expire":
            model.expire(now)
            gate.expire(now)
        elif known:
            place = known[number % len(known)]
            if action == "answered":
                if any(entry.place is place for entry in model.held + model.long):
                    model.leave(place)
                gate.answered(place)
            else:
                known.remove(place)
                model.leave(place)
                gate.leave(place, now, IGNORED)
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
        for place, _ in refused:
            known.remove(place)
        model.started.clear()
        model.refused.clear()
        model.forget()
        held = Counter(whose(entry.place) for entry in model.held)
        here = set(held) | {whose(entry.place) for entry in model.waiting}
        assert len(gate.tenants) == len(here)
        assert gate.tenants.most_held() == max(held.values(), default=0)
        assert gate.queue.length == len(model.waiting)
    for place in known:
        gate.leave(place, now, IGNORED)
    assert (gate.in_flight, len(gate.tenants)) == (0, 0)


def saturated(offered: dict[bytes, int], places: int, queue: int, rounds: int = 400) -> Counter[bytes]:
    """Return how many places each tenant holds after a while: each offers so many calls in every round, and
    the call that has been at work for the longest ends.
    """
    gate = Gate(LimitOptions(max_in_flight=places, queue=queue, queue_timeout_s=60.0, fair=FAIR))
    at_work: list[Place] = []
    now = 0.0
    for number in range(rounds):
        now += 0.001
        for tenant, count in offered.items():
            for _ in range(count if number % 2 == 0 or count > 1 else 0):
                place = Place(1, inf)
                place.tenant = gate.tenants.of(tenant)
                if gate.enter(place, now) == 0:
                    at_work.append(place)
        while gate.next_refused() is not None:
            pass
        if at_work:
            gate.leave(at_work.pop(0), now, IGNORED)
        while (started := gate.next_started(now)) is not None:
            at_work.append(started)
    return Counter(whose(place) for place in at_work)


@pytest.mark.parametrize("queue", [10, 100])
def test_a_flood_leaves_the_others_their_share(queue: int) -> None:
    """Whoever offers a hundred times as much holds no more than those that want as many as there are."""
    held = saturated({b"flood": 100, b"a": 2, b"b": 2}, 12, queue)
    assert held == {b"flood": 4, b"a": 4, b"b": 4}


def test_places_are_not_kept_free() -> None:
    """A flood gets what the others do not want: max-min, and no quota."""
    held = saturated({b"flood": 100}, 12, 100)
    assert held == {b"flood": 12}


@settings(max_examples=40)
@given(
    places=st.integers(2, 12),
    queue=st.integers(8, 40),
    offered=st.lists(st.integers(2, 30), min_size=2, max_size=4),
)
def test_shares_are_equal_within_one(places: int, queue: int, offered: list[int]) -> None:
    """Tenants that all want more than there is end up with equally many places, whatever they offer."""
    tenants = {b"t%d" % number: count for number, count in enumerate(offered)}
    held = saturated(tenants, places, queue)
    shares = [held[tenant] for tenant in tenants]
    assert sum(shares) == places
    assert max(shares) - min(shares) <= 1


def test_more_tenants_than_are_told_apart() -> None:
    """Those beyond the bound are one tenant together, however many keys they make up."""
    gate = Gate(LimitOptions(max_in_flight=100, queue=10, fair=FAIR, max_tenants=2))
    for number in range(50):
        place = Place(CLASSES - 1, inf)
        place.tenant = gate.tenants.of(b"t%d" % number)
        gate.enter(place, 0.0)
    assert (len(gate.tenants), gate.tenants.most_held()) == (2, 48)
    assert gate.tenants.of(b"x" * 1000) is gate.tenants.of(b"y")


def test_long_keys_are_cut() -> None:
    """Of a key the first 256 bytes count."""
    gate = Gate(LimitOptions(fair=FAIR))
    place = Place(1, inf)
    place.tenant = gate.tenants.of(b"x" * 300)
    gate.enter(place, 0.0)
    assert gate.tenants.of(b"x" * 256) is place.tenant


def test_shares_become_fair_while_calls_wait() -> None:
    """Calls of the policy before have no tenant: they go in turn, and then the shares are fair."""
    gate = Gate(LimitOptions(max_in_flight=1, queue=10))
    first, untold = Place(1, inf), Place(1, inf)
    gate.enter(first, 0.0)
    gate.enter(untold, 0.0)
    gate.resize(LimitOptions(max_in_flight=1, queue=10, fair=FAIR))
    rich, poor = Place(1, inf), Place(1, inf)
    rich.tenant = gate.tenants.of(b"a")
    poor.tenant = gate.tenants.of(b"b")
    gate.enter(rich, 0.01)
    gate.enter(poor, 0.01)
    gate.leave(first, 0.02, IGNORED)
    assert gate.next_started(0.02) is untold
    gate.leave(untold, 0.03, IGNORED)
    assert gate.next_started(0.03) is rich
    gate.leave(rich, 0.04, IGNORED)
    assert gate.next_started(0.04) is poor
