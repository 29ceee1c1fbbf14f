"""Breakers of one key in several workers act as one, and what one worker ejects all eject.

What one worker's breaker has found out, all believe: when it opens, the others are held open; when it closes,
they close. The one that opened is the one that probes: the others are held for as long as it is open and a
grace of half that time (0.5 s to 5 s) longer, so that its probes decide before theirs would begin. Only where
it gets no calls in that grace do others probe too, so `half_open_calls` may then be multiplied. Of two that
open at the same moment the one with the higher number gives way.

When the probes have passed and the policy has a ramp, all begin to ramp; from there on each goes by what it
sees itself, since each has a share of the calls. What a person holds is a command, which every worker carries
out.

What a breaker does because of a sibling has a trigger that begins with `sibling`; it is no event of its own
and is not passed on.

An endpoint that one worker ejects as an outlier is ejected by the others until the same moment, as far as
their own caps allow; each tries it again for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seawall_policy.breaker import CLOSED, HALF_OPEN, OPEN, RAMP, Breaker, Transition
from seawall_proxy.runtime.breaker_images import SIBLING, Image
from seawall_proxy.runtime.frames import Frame, Head, Kind
from seawall_proxy.runtime.upstream_edge import UpstreamNotes
from seawall_proxy.runtime.worker import Worker
from seawall_proxy.upstream.clusters import ClusterSet

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

    def _changed(self, breaker: Breaker, change: Transition) -> bool:
        if change.trigger.startswith(SIBLING):
            return False
        if self.speaks and change.to_state in (OPEN, CLOSED, RAMP):
            until = breaker.open_until if change.to_state == OPEN else 0.0
            self._tell(
                breaker_frame(self._number, breaker.key, change.to_state, until, change.at, change.trigger)
            )
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
        found = None if table is None else table.find_breaker(frame.text("key"), make=True)
        if found is None:
            return
        state, breaker = found
        if self._obey(breaker, frame):
            worker.report_breaker(state.name, breaker)
            worker.breaker_clock.rearm()
            worker.after_batch()

    def _obey(self, breaker: Breaker, frame: Frame) -> bool:
        now = self._worker.tell_time()
        reason = f"{SIBLING}: {frame.text('trigger')}"
        if frame.number("state") == CLOSED:
            if breaker.state in (OPEN, HALF_OPEN):
                breaker.reset(now, reason)
                return True
            return False
        if frame.number("state") == RAMP:
            return breaker.follow_ramp(now, reason)
        mine = breaker.state == OPEN and not breaker.trigger.startswith(SIBLING)
        if breaker.state not in (CLOSED, HALF_OPEN, OPEN, RAMP) or (
            mine and self._number < frame.number("from")
        ):
            return False
        left = frame.seconds("until") - now
        if left <= 0.0:
            return False
        breaker.trip(now, left + grace_s(frame.seconds("until") - frame.seconds("at")), reason)
        return True


def grace_s(open_s: float) -> float:
    """Return how much longer the others stay open than the one that probes."""
    return min(max(open_s / 2, MIN_GRACE_S), MAX_GRACE_S)


def followed(image: Image) -> Image:
    """Return the image of an open breaker as one that follows it has it: held a grace longer, so that the
    other probes.
    """
    left = image.get("left")
    if image.get("state") != "OPEN" or not isinstance(left, int | float):
        return image
    return {**image, "left": left + grace_s(left), "held": True, "trigger": f"{SIBLING}: {image['trigger']}"}


def breaker_frame(number: int, key: str, state: int, until: float, at: float, trigger: str) -> Frame:
    """Return what is told of a transition: monotonic seconds, which all processes of a machine share."""
    return Frame(
        Kind.BREAKER,
        {
            "from": number,
            "key": key,
            "state": state,
            "until": until,
            "at": at,
            "trigger": trigger[:MAX_TRIGGER],
        },
    )
