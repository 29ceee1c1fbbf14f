"""Finding the members of a cluster by name.

A name is looked up at an interval, and sooner when a connection was lost or cannot be made, because that may
be how a change of addresses shows; never more often than the least interval. What was found stays until
something else is found: an answer that fails, is empty or comes too late changes nothing, is counted, and is
told once until the next good one. After a failure the next try waits longer each time, up to the interval.
At most 1,000 addresses are taken, in a fixed order, so that the same answer is the same to every proxy.
"""

from __future__ import annotations

from collections.abc import Callable

from seawall_policy.members import DNS_JITTER, MAX_MEMBERS, DnsTarget
from seawall_proxy.call.timers import Timed, TimerWheel
from seawall_proxy.upstream.ports import Lookup, Resolver, UpstreamObserver

_GROWTH = 1.6


class MemberSink:
    """Whoever wants the members."""

    def found(self, addresses: tuple[str, ...]) -> None:
        """Take the addresses, sorted, at least one."""


class Finder(Timed):
    """Follows one name."""

    def __init__(
        self,
        cluster: str,
        target: DnsTarget,
        resolver: Resolver,
        timers: TimerWheel,
        draw: Callable[[], float],
        observer: UpstreamObserver,
        sink: MemberSink,
    ) -> None:
        self.tick = -1
        self.target: DnsTarget = target
        self.addresses: tuple[str, ...] = ()
        """The last good answer."""
        self.lookups: int = 0
        self.failures: int = 0
        self.cut_off: int = 0
        """Addresses of the last answer that were too many."""
        self.last_error: str = ""
        """Why the latest lookup failed; empty when it did not."""
        self.answered_at: float = 0.0
        self._cluster: str = cluster
        self._resolver: Resolver = resolver
        self._timers: TimerWheel = timers
        self._draw: Callable[[], float] = draw
        self._observer: UpstreamObserver = observer
        self._sink: MemberSink = sink
        self._lookup: Lookup | None = None
        self._asked_at: float = 0.0
        self._due_at: float = 0.0
        self._in_a_row: int = 0

    def start(self) -> None:
        """Look the name up now, and from then on."""
        self._ask(self._timers.now)

    def stop(self) -> None:
        """Look nothing up any more."""
        self._timers.cancel(self)
        lookup = self._lookup
        if lookup is not None:
            lookup.done = True
            self._lookup = None

    def hurry(self) -> None:
        """Look again as soon as that is allowed: a connection was lost or cannot be made."""
        if self._lookup is None:
            self._arm(min(self._due_at, self._asked_at + self.target.min_interval_s))

    def fire(self, now: float) -> None:
        lookup = self._lookup
        if lookup is not None:
            lookup.done = True
            self._failed(f"no answer within {self.target.timeout_s:g} s")
        else:
            self._ask(now)

    def _ask(self, now: float) -> None:
        target = self.target
        self.lookups += 1
        self._asked_at = now
        lookup = _Question(self, target.host, target.port, target.timeout_s)
        self._lookup = lookup
        # The runtime keeps the time limit too; this one also ends a lookup that it forgets.
        self._timers.arm(self, now + 1.5 * target.timeout_s)
        self._resolver.resolve(lookup)

    def lookup_answered(self, addresses: list[str]) -> None:
        """Take an answer."""
        found = sorted(set(addresses))
        if len(found) == 0:
            self._failed("the answer has no addresses")
            return
        self.cut_off = max(0, len(found) - MAX_MEMBERS)
        taken = tuple(found[:MAX_MEMBERS])
        if self._in_a_row > 0:
            self._observer.lookup_recovered(self._cluster, self.target.host, len(taken))
        self._in_a_row = 0
        self.last_error = ""
        self.answered_at = self._timers.now
        self._wait(self.target.interval_s * (1.0 - DNS_JITTER * self._draw()))
        if taken != self.addresses:
            self.addresses = taken
            self._sink.found(taken)

    def lookup_failed(self, reason: str) -> None:
        """Take that there is no answer."""
        self._failed(reason)

    def _failed(self, reason: str) -> None:
        self.failures += 1
        self.last_error = reason
        if self._in_a_row == 0:
            self._observer.lookup_failed(self._cluster, self.target.host, reason, len(self.addresses))
        wait = self.target.min_interval_s * _GROWTH ** min(self._in_a_row, 32)
        self._in_a_row += 1
        self._wait(min(wait, self.target.interval_s) * (1.0 + DNS_JITTER * self._draw()))

    def _wait(self, seconds: float) -> None:
        self._lookup = None
        self._arm(self._timers.now + seconds)

    def _arm(self, at: float) -> None:
        self._due_at = at
        self._timers.arm(self, at)


class _Question(Lookup):
    """A finder's question."""

    def __init__(self, finder: Finder, host: str, port: int, timeout_s: float) -> None:
        super().__init__(host, port, timeout_s)
        self._finder: Finder = finder

    def answered(self, addresses: list[str]) -> None:
        if not self.done:
            self.done = True
            self._finder.lookup_answered(addresses)

    def failed(self, reason: str) -> None:
        if not self.done:
            self.done = True
            self._finder.lookup_failed(reason)
