"""What another policy would have done with calls that were recorded.

The evaluators of the data path (breaker, retry rules and budget, timeouts) are pure, so the same code runs
here on the times and outcomes of a record. Calls begin when they began; each attempt ends after as long as it
took and as it did, unless the candidate would have cut it short. What the record cannot know is estimated in
one place only: an attempt that was never made fares like the next one that was begun on the same route.

Mechanisms that may refuse an attempt are `Gate`s; another one is a class with a few methods and one line in
`gates_of`.

What it cannot tell: how servers and callers would have behaved under the other load. A breaker that rejects
takes load off a server that then recovers sooner; retries put load on it. The numbers are what these policies
would have decided about this record, not a forecast.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf
from typing import Final

from seawall_policy import status
from seawall_policy.breaker import ENFORCE, STATE_NAMES, Breaker, BreakerOptions, Transition
from seawall_policy.budget import RetryBudget
from seawall_policy.match import RouteTable
from seawall_policy.model import ENFORCE as FALLBACK_ENFORCED
from seawall_policy.model import Policy, Route, Snapshot
from seawall_policy.retry import NO_PUSHBACK, NO_RETRY, REASON_BUDGET, SEEN, UNSENT, RetryDecision

BREAKER_OPEN: Final = "BREAKER_OPEN"
_MIDDLE: Final = 0.5
"""Every draw: jitter at its middle, so that two runs say the same."""
# What happens at a moment, in the order in which it counts.
_END: Final = 0
_RETRY: Final = 1
_BEGIN: Final = 2

_LIFE_S: Final = 3600.0
"""Attempts that took longer are taken to have taken this long; nothing may last for ever."""


@dataclass(frozen=True, slots=True)
class RecordedAttempt:
    """One attempt that was made."""

    code: int
    duration_s: float
    sent: bool = True
    """It may have reached a server."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call that was made. Times are seconds of any one clock."""

    at: float
    route: str
    method: str
    """`package.Service/Method`."""
    code: int
    """The status that the caller saw."""
    attempts: tuple[RecordedAttempt, ...]
    deadline_s: float = inf
    """Time that the caller gave."""


class Gate:
    """A mechanism that may refuse attempts; each permit that it gives is returned once."""

    reason: str = ""
    """Why it refuses."""

    def admit(self, now: float) -> int:
        """Return a permit, or a negative number for a refusal."""
        raise NotImplementedError

    def ended(self, permit: int, now: float, code: int, duration_s: float) -> None:
        """Take a permit back with how its attempt ended."""
        raise NotImplementedError

    def released(self, permit: int, now: float) -> None:
        """Take a permit back whose attempt was never made."""
        raise NotImplementedError

    def transitions(self) -> list[Transition]:
        """Return what changed since the last time."""
        return []


class BreakerGate(Gate):
    """The breaker of a route."""

    reason = BREAKER_OPEN

    def __init__(self, options: BreakerOptions, at: float) -> None:
        self._breaker: Breaker = Breaker(options, lambda: _MIDDLE)
        self._breaker.since = at

    def admit(self, now: float) -> int:
        """Ask the breaker."""
        if self._breaker.next_deadline() <= now:
            self._breaker.handle_timer(now)
        return self._breaker.admit(now)

    def ended(self, permit: int, now: float, code: int, duration_s: float) -> None:
        """Teach the breaker."""
        self._breaker.record(permit, code, duration_s, now)

    def released(self, permit: int, now: float) -> None:
        """Give the permit back untaught."""
        self._breaker.release(permit, now)

    def transitions(self) -> list[Transition]:
        """Return the breaker's transitions."""
        return self._breaker.take_transitions() if self._breaker.has_transitions() else []


def gates_of(policy: Policy, at: float) -> list[Gate]:
    """Return the gates of a policy, outermost first."""
    gates: list[Gate] = []
    if policy.breaker is not None and policy.breaker.mode == ENFORCE:
        gates.append(BreakerGate(policy.breaker, at))
    return gates


@dataclass(slots=True)
class RouteResult:
    """What a policy would have done on one route, beside what was recorded."""

    route: str
    policy: str
    calls: int = 0
    recorded_ok: int = 0
    """Calls whose caller saw OK."""
    ok: int = 0
    """Calls whose caller would have seen OK from a server."""
    rejected_good: int = 0
    """Refused by a gate although the record says OK."""
    rejected_bad: int = 0
    """Refused by a gate, and failed in the record."""
    saved: int = 0
    """Failed in the record, OK here."""
    lost: int = 0
    """OK in the record; here tried, and failed."""
    fallbacks: int = 0
    """Failures here that a fallback of the policy answers."""
    recorded_attempts: int = 0
    attempts: int = 0
    estimated: int = 0
    """Attempts among them that the record does not have."""
    budget_refused: int = 0
    """Retries that the budget refused."""
    cut_short: int = 0
    """Attempts that a timeout of the policy ended before they ended in the record."""
    transitions: list[tuple[float, str, str, str]] = field(default_factory=list)
    """Of breakers: when, from, to, why."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """The outcome: routes by name, and calls that no route of the policy takes."""

    routes: Mapping[str, RouteResult]
    unmatched: int


class _Site:
    """A route of the candidate with its live state."""

    def __init__(self, route: Route, at: float, budget: RetryBudget | None) -> None:
        self.route: Route = route
        self.gates: list[Gate] = gates_of(route.policy, at)
        self.budget: RetryBudget | None = budget
        self.result: RouteResult = RouteResult(route.name, route.policy.name)


class _Run:
    """One call on its way through the candidate."""

    def __init__(self, call: RecordedCall, site: _Site, idempotent: bool) -> None:
        policy = site.route.policy
        self.call: RecordedCall = call
        self.site: _Site = site
        self.idempotent: bool = idempotent
        self.deadline: float = call.at + min(policy.timeout_s, call.deadline_s)
        self.decision: RetryDecision = RetryDecision(policy.retry, site.budget)
        self.made: int = 0
        self.started: float = call.at
        self.code: int = status.OK
        self.sent: bool = True
        self.by_try_timeout: bool = False
        self.permits: list[int] = []


class _Replay:
    """Runs the record through the routes of one snapshot, in the order of time."""

    def __init__(self, snapshot: Snapshot, calls: Sequence[RecordedCall]) -> None:
        self._snapshot: Snapshot = snapshot
        self._table: RouteTable = RouteTable(snapshot.routes)
        self._by_name: dict[str, Route] = {route.name: route for route in snapshot.routes}
        self._sites: dict[str, _Site] = {}
        self._budgets: dict[tuple[str, float, float, float], RetryBudget] = {}
        self._known: dict[str, tuple[list[float], list[RecordedAttempt]]] = _attempts_by_route(calls)
        self._queue: list[tuple[float, int, int, _Run]] = []
        self._pushed: int = 0
        self.unmatched: int = 0

    def run(self, calls: Sequence[RecordedCall]) -> Simulation:
        for call in sorted(calls, key=lambda call: call.at):
            route = self._route_of(call)
            if route is None:
                self.unmatched += 1
                continue
            self._push(call.at, _BEGIN, _Run(call, self._site(route, call.at), self._idempotent(route, call)))
        while self._queue:
            now, kind, _, run = heappop(self._queue)
            if kind == _END:
                self._end(run, now)
            else:
                if kind == _BEGIN:
                    self._count_in(run, now)
                self._start(run, now)
        return Simulation({name: self._sites[name].result for name in sorted(self._sites)}, self.unmatched)

    def _push(self, at: float, kind: int, run: _Run) -> None:
        # What ends at a moment is known before what begins at it.
        self._pushed += 1
        heappush(self._queue, (at, kind, self._pushed, run))

    def _route_of(self, call: RecordedCall) -> Route | None:
        candidates = self._table.candidates(b"/" + call.method.encode())
        named = self._by_name.get(call.route)
        if named is not None and named in candidates:
            return named
        # Metadata is not recorded: a route with conditions is only taken by its name.
        return next((route for route in candidates if not route.metadata), None)

    def _site(self, route: Route, at: float) -> _Site:
        site = self._sites.get(route.name)
        if site is None:
            site = _Site(route, at, self._budget(route))
            self._sites[route.name] = site
        return site

    def _budget(self, route: Route) -> RetryBudget | None:
        options = route.policy.retry.budget
        if options is None:
            return None
        key = (route.backends[0][0], options.percent, options.min_per_second, options.interval_s)
        return self._budgets.setdefault(key, RetryBudget(options))

    def _idempotent(self, route: Route, call: RecordedCall) -> bool:
        info = self._snapshot.methods.get(b"/" + call.method.encode())
        return route.idempotent or (info is not None and info.idempotent)

    def _count_in(self, run: _Run, now: float) -> None:
        result = run.site.result
        result.calls += 1
        result.recorded_ok += run.call.code == status.OK
        result.recorded_attempts += len(run.call.attempts)
        if run.site.budget is not None:
            run.site.budget.deposit(now)

    def _start(self, run: _Run, now: float) -> None:
        site = run.site
        refused = self._admit(run, now)
        if refused:
            if run.made == 0:
                if run.call.code == status.OK:
                    site.result.rejected_good += 1
                else:
                    site.result.rejected_bad += 1
                self._fail(run, status.UNAVAILABLE, refused, rejected=True)
            else:
                self._fail(run, run.code, "", rejected=False)
            return
        attempt = self._attempt(run, now)
        run.made += 1
        site.result.attempts += 1
        policy = site.route.policy
        end = now + min(attempt.duration_s, _LIFE_S)
        limit = min(now + policy.per_try_timeout_s, run.deadline)
        run.started = now
        run.code = attempt.code
        run.sent = attempt.sent
        run.by_try_timeout = False
        if end > limit:
            site.result.cut_short += 1
            end = limit
            run.code = status.DEADLINE_EXCEEDED
            run.sent = True
            run.by_try_timeout = limit < run.deadline
        self._push(max(now, end), _END, run)

    def _admit(self, run: _Run, now: float) -> str:
        """Return why some gate refuses; empty with a permit of each."""
        permits: list[int] = []
        refused = ""
        for gate in run.site.gates:
            permit = gate.admit(now)
            if permit < 0:
                refused = gate.reason
                break
            permits.append(permit)
        self._note(run.site)
        if refused:
            for gate, permit in zip(run.site.gates, permits, strict=False):
                gate.released(permit, now)
            return refused
        run.permits = permits
        return ""

    def _attempt(self, run: _Run, now: float) -> RecordedAttempt:
        """Return how the next attempt fares: as recorded, or else as the next one that was recorded."""
        recorded = run.call.attempts
        if run.made < len(recorded):
            return recorded[run.made]
        run.site.result.estimated += 1
        starts, attempts = self._known[run.call.route]
        return attempts[min(bisect_left(starts, now), len(attempts) - 1)]

    def _end(self, run: _Run, now: float) -> None:
        site = run.site
        for gate, permit in zip(site.gates, run.permits, strict=True):
            gate.ended(permit, now, run.code, now - run.started)
        self._note(site)
        if run.code == status.OK:
            site.result.ok += 1
            site.result.saved += run.call.code != status.OK
            return
        policy = site.route.policy
        if now >= run.deadline:
            self._fail(run, run.code, "DEADLINE_EXCEEDED", rejected=False)
            return
        asked = run.code
        if run.by_try_timeout and not policy.retry.codes >> run.code & 1:
            asked = status.UNAVAILABLE
        wait = run.decision.decide(
            asked,
            NO_PUSHBACK,
            SEEN if run.sent else UNSENT,
            False,
            True,
            run.idempotent,
            run.deadline - now,
            now,
            _MIDDLE,
        )
        if wait != NO_RETRY:
            self._push(now + wait, _RETRY, run)
            return
        site.result.budget_refused += run.decision.reason == REASON_BUDGET
        self._fail(run, run.code, "PER_TRY_TIMEOUT" if run.by_try_timeout else "", rejected=False)

    def _fail(self, run: _Run, code: int, reason: str, *, rejected: bool) -> None:
        result = run.site.result
        if run.call.code == status.OK and not rejected:
            result.lost += 1
        steps = [step for step in run.site.route.policy.fallback if step.mode == FALLBACK_ENFORCED]
        result.fallbacks += any(step.applies(code, reason) for step in steps)

    def _note(self, site: _Site) -> None:
        for gate in site.gates:
            for change in gate.transitions():
                site.result.transitions.append(
                    (change.at, STATE_NAMES[change.from_state], STATE_NAMES[change.to_state], change.trigger)
                )


def _attempts_by_route(
    calls: Iterable[RecordedCall],
) -> dict[str, tuple[list[float], list[RecordedAttempt]]]:
    """Return when which attempts were begun, in order; the waits between attempts are not recorded."""
    found: dict[str, list[tuple[float, RecordedAttempt]]] = {}
    for call in calls:
        at = call.at
        for attempt in call.attempts:
            found.setdefault(call.route, []).append((at, attempt))
            at += attempt.duration_s
    ordered = {name: sorted(entries, key=lambda entry: entry[0]) for name, entries in found.items()}
    return {
        name: ([at for at, _ in entries], [attempt for _, attempt in entries])
        for name, entries in ordered.items()
    }


def simulate(snapshot: Snapshot, calls: Sequence[RecordedCall]) -> Simulation:
    """Return what the policies of `snapshot` would have done with `calls`.

    Calls that were refused without an attempt count where their route made any: their attempts are estimated.
    """
    known = {call.route for call in calls if call.attempts}
    usable = [call for call in calls if call.route in known]
    return _Replay(snapshot, usable).run(usable)
