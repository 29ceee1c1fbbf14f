"""Breakers of one route in several workers act as one, and what one worker ejects all eject.

What one worker's breaker has found out, all believe: when it opens, the others are held open; when it closes,
they close. The one that opened is the one that probes: the others are held for as long as it is open and a
grace of half that time (0.5 s to 5 s) longer, so that its probes decide before theirs would begin. Only where
it gets no calls in that grace do others probe too, so `half_open_calls` may then be multiplied. Of two that
open at the same moment the one with the higher number gives way.

What a breaker does because of a sibling has a trigger that begins with `sibling`; it is no event of its own
and is not passed on.

An endpoint that one worker ejects as an outlier is ejected by the others until the same moment, as far as
their own caps allow; each tries it again for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seawall_policy.breaker import CLOSED, HALF_OPEN, OPEN, Breaker, Transition
from seawall_proxy.runtime.frames import Frame, Head, Kind
from seawall_proxy.runtime.upstream_edge import UpstreamNotes
from seawall_proxy.runtime.worker import Worker
from seawall_proxy.upstream.clusters import ClusterSet

PREFIX: Final = "sibling"
MIN_GRACE_S: Final = 0.5
MAX_GRACE_S: Final = 5.0
MAX_TRIGGER: Final = 200

Tell = Callable[[Frame], None]


class Siblings:
    """One worker's side: tells what its breakers found out, follows what the others' did."""

    def __init__(self, worker: Worker, number: int, tell: Tell) -> None:
        self.speaks: bool = True
        """False while a command is carried out that another worker reports as an event."""
        self._worker: Worker = worker
        self._number: int = number
        self._tell: Tell = tell
        worker.on_transition = self._changed
        self._clusters: ClusterSet | None = None

    def _changed(self, route: str, breaker: Breaker, change: Transition) -> bool:
        if change.trigger.startswith(PREFIX):
            return False
        if self.speaks and change.to_state in (OPEN, CLOSED):
            until = breaker.open_until if change.to_state == OPEN else 0.0
            self._tell(breaker_frame(self._number, route, change.to_state, until, change.at, change.trigger))
        return self.speaks

    def watch(self, clusters: ClusterSet) -> None:
        """Pass ejections on, and follow the others'."""
        self._clusters = clusters
        observer = clusters.observer
        if isinstance(observer, UpstreamNotes):
            observer.on_ejection = self._ejected

    def _ejected(self, cluster: str, endpoint: str, until: float) -> None:
        head: Head = {"from": self._number, "cluster": cluster, "endpoint": endpoint, "until": until}
        self._tell(Frame(Kind.EJECTION, head))

    def follow_ejection(self, frame: Frame) -> None:
        """Learn that a sibling has ejected an endpoint."""
        found = None if self._clusters is None else self._clusters.clusters.get(frame.text("cluster"))
        if found is not None:
            self._worker.tell_time()
            found.outliers.follow(frame.text("endpoint"), frame.seconds("until"))
            self._worker.after_batch()

    def follow(self, frame: Frame) -> None:
        """Learn what a sibling's breaker did."""
        worker = self._worker
        table = worker.context.table
        route = frame.text("route")
        state = None if table is None else table.states.get(route)
        if state is None or state.breaker is None:
            return
        if self._obey(state.breaker, frame):
            worker.report_breaker(route, state.breaker)
            worker.breaker_clock.rearm()
            worker.after_batch()

    def _obey(self, breaker: Breaker, frame: Frame) -> bool:
        now = self._worker.tell_time()
        reason = f"{PREFIX}: {frame.text('trigger')}"
        if frame.number("state") == CLOSED:
            if breaker.state in (OPEN, HALF_OPEN):
                breaker.reset(now, reason)
                return True
            return False
        mine = breaker.state == OPEN and not breaker.trigger.startswith(PREFIX)
        if breaker.state not in (CLOSED, HALF_OPEN, OPEN) or (mine and self._number < frame.number("from")):
            return False
        left = frame.seconds("until") - now
        if left <= 0.0:
            return False
        breaker.trip(now, left + grace_s(frame.seconds("until") - frame.seconds("at")), reason)
        return True


def grace_s(open_s: float) -> float:
    """Return how much longer the others stay open than the one that probes."""
    return min(max(open_s / 2, MIN_GRACE_S), MAX_GRACE_S)


def breaker_frame(number: int, route: str, state: int, until: float, at: float, trigger: str) -> Frame:
    """Return what is told of a transition: monotonic seconds, which all processes of a machine share."""
    return Frame(
        Kind.BREAKER,
        {
            "from": number,
            "route": route,
            "state": state,
            "until": until,
            "at": at,
            "trigger": trigger[:MAX_TRIGGER],
        },
    )
