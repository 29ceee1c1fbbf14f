"""Proxies go from one control plane to another and back, start anew, and control planes die: what all control
planes count together is what the proxies counted, once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from seawall_control.domain.fleet_ledger import End, Ledger
from seawall_control.domain.statistics import Counters

PLANES = st.integers(0, 2)
NODES = st.sampled_from(["edge-1", "edge-2"])


@dataclass
class Proxy:
    """A process that counts, and who knows how much of it."""

    run: int = 0
    counted: int = 0
    """By this run."""
    before: int = 0
    """By the runs before, as far as they have told anybody."""
    told: int = 0
    """By this run, as far as it has told anybody."""
    plane: int | None = None
    met: bool = False
    """Whether anybody knows this run."""


@dataclass
class Plane:
    """A control plane, and what others have heard of it."""

    ledger: Ledger = field(default_factory=Ledger)


def calls(ledger: Ledger) -> int:
    """Return all that was counted."""
    return sum(counters.calls for counters in ledger.grown.values())


class Moves(RuleBasedStateMachine):
    """Two proxies, three control planes."""

    @initialize(patient=st.booleans())
    def begin(self, patient: bool) -> None:
        """Nobody is connected. `patient`: the control planes hear from each other between any two moves."""
        self.patient = patient
        self.now_s = 0.0
        self.proxies = {node: Proxy() for node in ("edge-1", "edge-2")}
        self.planes = [Plane() for _ in range(3)]
        self.dead = 0
        """Counted by control planes that are no more, as others have heard of it."""
        self.heard: dict[str, list[End]] = {}

    @rule(node=NODES, number=st.integers(1, 50))
    def serve(self, node: str, number: int) -> None:
        """Calls end at a proxy."""
        self.proxies[node].counted += number

    @rule(node=NODES, to=PLANES)
    def connect(self, node: str, to: int) -> None:
        """A proxy connects, wherever it was before."""
        self.leave(node)
        proxy = self.proxies[node]
        self.now_s += 1
        self.planes[to].ledger.arrived(node, str(proxy.run), is_new=not proxy.met, now_s=self.now_s)
        proxy.plane, proxy.met = to, True

    @rule(node=NODES)
    def leave(self, node: str) -> None:
        """Its stream ends."""
        proxy = self.proxies[node]
        if proxy.plane is not None:
            self.planes[proxy.plane].ledger.left(node, now_s=self.now_s)
            proxy.plane = None

    @rule(node=NODES)
    def restart(self, node: str) -> None:
        """The process starts anew, and counts from zero."""
        self.leave(node)
        proxy = self.proxies[node]
        proxy.before += proxy.told
        proxy.run, proxy.counted, proxy.told, proxy.met = proxy.run + 1, 0, 0, False

    @precondition(lambda self: any(proxy.plane is not None for proxy in self.proxies.values()))
    @rule(node=NODES)
    def report(self, node: str) -> None:
        """It says what it has counted."""
        proxy = self.proxies[node]
        if proxy.plane is not None:
            routes = {"all": Counters(by_code=(proxy.counted,), in_flight=3)}
            self.planes[proxy.plane].ledger.counted(node, str(proxy.run), routes)
            proxy.told = proxy.counted
            if self.patient:
                self.settle()

    @rule(number=PLANES)
    def die(self, number: int) -> None:
        """A control plane ends after it has told the others; another process takes its name."""
        self.settle()
        for node, proxy in self.proxies.items():
            if proxy.plane == number:
                proxy.plane = None
                self.planes[number].ledger.left(node, now_s=self.now_s)
        for node, end in self.planes[number].ledger.ends().items():
            self.heard.setdefault(node, []).append(end)
        self.dead += calls(self.planes[number].ledger)
        self.planes[number] = Plane()

    @rule()
    def settle(self) -> None:
        """All have heard from all: gaps are closed."""
        for plane in self.planes:
            for node, run, _ in list(plane.ledger.gaps()):
                ends = [other.ledger.ends().get(node) for other in self.planes if other is not plane]
                ours = [end for end in (*ends, *self.heard.get(node, [])) if end and end.run == run]
                plane.ledger.close(node, max(ours, key=lambda end: end.calls, default=None))

    @invariant()
    def nothing_is_counted_twice(self) -> None:
        """At any time; and nothing is lost where they hear from each other in time. What a proxy did between
        two visits that nobody had time to tell of may be nobody's.
        """
        told = sum(proxy.before + proxy.told for proxy in self.proxies.values())
        assert self.counted() == told if self.patient else self.counted() <= told

    def counted(self) -> int:
        """Return what all have counted."""
        return self.dead + sum(calls(plane.ledger) for plane in self.planes)


TestMoves = Moves.TestCase
TestMoves.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
