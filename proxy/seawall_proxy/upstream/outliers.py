"""A cluster's outlier detection: hands the detector time, and does with endpoints what it decides.

An ejected endpoint keeps its connections and what is in flight there (gRFC A50); it only gets no new
attempts. One timer of the wheel serves the whole cluster, and none is armed while no attempts are made and
nobody is out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seawall_policy.outlier.detector import OutlierDetector
from seawall_policy.outlier.options import ENFORCE, OutlierOptions
from seawall_policy.outlier.standing import EJECTED, HEALTH_CHECK, RETURNED, SIBLING, Verdict
from seawall_policy.outlier.tally import OUT
from seawall_proxy.call.timers import Timed, TimerWheel
from seawall_proxy.upstream.member import Member, OutlierWatch
from seawall_proxy.upstream.ports import UpstreamObserver

_MIN_MEMBERS: Final = 2
"""One alone is never ejected, so nobody need watch it."""


class EjectionSink:
    """Whoever picks endpoints."""

    def ejections_changed(self) -> None:
        """Learn that some endpoint may be picked more, or less, than before."""


class Outliers(OutlierWatch):
    """The detection of one cluster."""

    def __init__(
        self,
        cluster: str,
        timers: TimerWheel,
        draw: Callable[[], float],
        observer: UpstreamObserver,
        sink: EjectionSink,
    ) -> None:
        self.detector: OutlierDetector | None = None
        """None while outliers are not looked for."""
        self.ejections: dict[str, int] = {}
        """Ejections by reason."""
        self.spared: dict[tuple[str, str], int] = {}
        """Outliers that were not ejected, by reason and why not."""
        self._cluster: str = cluster
        self._timer: _Look = _Look(self)
        self._timers: TimerWheel = timers
        self._draw: Callable[[], float] = draw
        self._observer: UpstreamObserver = observer
        self._sink: EjectionSink = sink
        self._members: dict[int, Member] = {}
        """Those that are watched, by slot."""

    # members and options

    def configure(self, options: OutlierOptions | None) -> None:
        """Look for outliers like this from now on; None: not at all, and everybody is back."""
        now = self._timers.now
        detector = self.detector
        if options is None:
            if detector is not None:
                detector.release_all(now)
                self._settle(now)
                self._let_go(list(self._members.values()))
                self.detector = None
                self._timers.cancel(self._timer)
            return
        if detector is None:
            self.detector = OutlierDetector(options, self._draw, now)
        else:
            detector.configure(options, now)
            self._settle(now)

    def set_members(self, members: list[Member]) -> None:
        """Take in who is new, and forget who is gone."""
        detector = self.detector
        if detector is None:
            return
        wanted = members if len(members) >= _MIN_MEMBERS else []
        stay = {member.index: member for member in wanted}
        self._let_go([m for m in self._members.values() if stay.get(m.index) is not m])
        groups: dict[tuple[str, int], int] = {}
        for member in wanted:
            tally = member.tally
            if tally is None:
                tally = detector.add(member.index, member.address, self._timers.now)
                member.tally = tally
                member.watch = self
                self._members[member.index] = member
            tally.group = groups.setdefault((member.zone, member.priority), len(groups))

    def _let_go(self, members: list[Member]) -> None:
        detector = self.detector
        for member in members:
            tally = member.tally
            if tally is not None and detector is not None:
                detector.remove(tally)
            member.tally = None
            member.watch = None
            member.ejected = False
            member.set_room(True)
            self._members.pop(member.index, None)

    # what happens

    def rouse(self) -> None:
        detector = self.detector
        if detector is not None:
            now = self._timers.now
            detector.wake(now)
            self._arm(detector, now)

    def look_at(self, member: Member) -> None:
        detector = self.detector
        tally = member.tally
        if detector is not None and tally is not None:
            now = self._timers.now
            detector.look_at(tally, now)
            self._settle(now)

    def look(self, now: float) -> None:
        """Follow the timer."""
        detector = self.detector
        if detector is not None:
            detector.look(now)
            self._settle(now)
            self._arm(detector, now)

    def check_passed(self, member: Member) -> None:
        """Learn that an active health check has succeeded."""
        detector = self.detector
        tally = member.tally
        if (
            detector is not None
            and tally is not None
            and tally.state == OUT
            and detector.options.health_check_returns
        ):
            now = self._timers.now
            detector.release(tally, now, HEALTH_CHECK)
            self._settle(now)

    def follow(self, address: str, until: float) -> None:
        """Eject an endpoint that a sibling has ejected."""
        detector = self.detector
        if detector is None:
            return
        now = self._timers.now
        for member in self._members.values():
            if member.address == address and member.tally is not None:
                detector.follow(member.tally, until, now)
        self._settle(now)
        self._arm(detector, now)

    def out(self) -> int:
        """Return how many endpoints are ejected."""
        count = 0
        for member in self._members.values():
            if member.ejected:
                count += 1
        return count

    def _arm(self, detector: OutlierDetector, now: float) -> None:
        self._timers.arm(self._timer, detector.next_deadline(now))

    def _settle(self, now: float) -> None:
        """Do what the detector has decided."""
        detector = self.detector
        if detector is None:
            return
        enforced = detector.options.mode == ENFORCE
        changed = False
        for member in self._members.values():
            tally = member.tally
            if tally is None:
                continue
            ejected = enforced and tally.state == OUT
            room = member.room
            if ejected != member.ejected:
                member.ejected = ejected
                changed = True
            member.set_room(enforced)
            changed = changed or room != member.room
        verdicts = detector.verdicts
        if len(verdicts) > 0:
            detector.verdicts = []
            for verdict in verdicts:
                self._tell(verdict)
            if self._timer.tick < 0 or changed:
                self._arm(detector, now)
        if changed:
            self._sink.ejections_changed()

    def _tell(self, verdict: Verdict) -> None:
        reason = verdict.reason
        if verdict.kind == EJECTED:
            self.ejections[reason] = self.ejections.get(reason, 0) + 1
            self._observer.endpoint_ejected(
                self._cluster, verdict.address, reason, verdict.at, verdict.until, verdict.times_out
            )
        elif verdict.kind == RETURNED:
            if reason != SIBLING:
                self._observer.endpoint_returned(self._cluster, verdict.address, reason, verdict.why)
        else:
            key = (reason, verdict.why)
            self.spared[key] = self.spared.get(key, 0) + 1


class _Look(Timed):
    """Wakes a cluster's detection."""

    def __init__(self, outliers: Outliers) -> None:
        self.tick = -1
        self._outliers: Outliers = outliers

    def fire(self, now: float) -> None:
        self._outliers.look(now)
