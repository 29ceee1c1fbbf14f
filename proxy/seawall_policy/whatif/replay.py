"""Runs a record through the routes of a policy, in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from math import inf
from typing import Final

from seawall_policy import status
from seawall_policy.breaker import STATE_NAMES
from seawall_policy.budget import RetryBudget
from seawall_policy.hedge import FATAL, NEXT, Hedger, HedgeRun
from seawall_policy.latency import LatencyEstimate
from seawall_policy.limit.gate import ENTERED, NO_PLACE, WAITED_IN_VAIN
from seawall_policy.limit.place import IGNORED, LOST, SUCCESS
from seawall_policy.match import RouteTable
from seawall_policy.model import ENFORCE, Route, Snapshot
from seawall_policy.retry import NO_PUSHBACK, NO_RETRY, REASON_BUDGET, SEEN, UNSENT, RetryDecision
from seawall_policy.whatif.door import Door, Limit, Limits, Seat
from seawall_policy.whatif.gates import MIDDLE, Gate, gates_of
from seawall_policy.whatif.judged import mechanisms_of
from seawall_policy.whatif.record import Attempts, RecordedAttempt, RecordedCall
from seawall_policy.whatif.result import RouteResult, Simulation

# What happens at a moment, in the order in which it counts.
_END: Final = 0
_WAIT: Final = 1
_RETRY: Final = 2
_HEDGE: Final = 3
_BEGIN: Final = 4

_LIFE_S: Final = 3600.0
"""Attempts that took longer are taken to have taken this long; nothing may last for ever."""
_OVERLOADS: Final = 1 << status.DEADLINE_EXCEEDED | 1 << status.RESOURCE_EXHAUSTED | 1 << status.UNAVAILABLE


class _Site:
    """A route of the candidate with its live state."""

    def __init__(self, route: Route, at: float, budget: RetryBudget | None, result: RouteResult) -> None:
        policy = route.policy
        judged = frozenset(name for name, one in result.mechanisms.items() if one.judged)
        self.route: Route = route
        self.result: RouteResult = result
        self.judged: frozenset[str] = judged
        self.gates: list[Gate] = gates_of(policy, at)
        self.budget: RetryBudget | None = budget
        quantile = 0.95 if policy.hedge is None or policy.hedge.quantile == 0.0 else policy.hedge.quantile
        self.latency: LatencyEstimate = LatencyEstimate(quantile, at)
        self.door: Door = Door(policy, self.latency, judged)
        self.limit: Limit | None = None
        self.hedger: Hedger | None = None
        if policy.hedge is not None and "hedge" in judged:
            self.hedger = Hedger(policy.hedge)


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
        self.running: list[_Try] = []
        self.seat: Seat | None = None
        self.hedges: HedgeRun | None = None
        self.code: int = status.OK
        """Of the attempt that ended last."""
        self.over: bool = False


class _Try:
    """One attempt of such a call."""

    def __init__(self, run: _Run, attempt: RecordedAttempt, now: float, *, hedge: bool) -> None:
        policy = run.site.route.policy
        end = now + min(attempt.duration_s, _LIFE_S)
        limit = min(now + policy.per_try_timeout_s, run.deadline)
        self.run: _Run = run
        self.started: float = now
        self.hedge: bool = hedge
        self.permits: list[int] = []
        self.cut_short: bool = end > limit
        self.end: float = max(now, min(end, limit))
        self.code: int = status.DEADLINE_EXCEEDED if self.cut_short else attempt.code
        self.sent: bool = attempt.sent or self.cut_short
        self.by_try_timeout: bool = self.cut_short and limit < run.deadline


class _Replay:
    """Runs the record through the routes of one snapshot, in the order of time."""

    def __init__(self, snapshot: Snapshot, calls: Sequence[RecordedCall], *, complete: bool) -> None:
        self._snapshot: Snapshot = snapshot
        self._complete: bool = complete
        self._deadlines: bool = any(call.deadline_s < inf for call in calls)
        self._table: RouteTable = RouteTable(snapshot.routes)
        self._by_name: dict[str, Route] = {route.name: route for route in snapshot.routes}
        self._sites: dict[str, _Site] = {}
        self._budgets: dict[tuple[str, float, float, float], RetryBudget] = {}
        self._limits: Limits = Limits()
        self._attempts: Attempts = Attempts(calls)
        self._queue: list[tuple[float, int, int, _Run | _Try | Limit]] = []
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
            now, kind, _, what = heappop(self._queue)
            if isinstance(what, _Try):
                self._end(what, now)
            elif isinstance(what, Limit):
                what.check_at = inf
                what.gate.expire(now)
                self._settle(what, now)
            elif kind == _BEGIN:
                self._begin(what, now)
            elif kind == _HEDGE:
                self._hedge(what, now)
            else:
                self._start(what, now)
        return Simulation({name: self._sites[name].result for name in sorted(self._sites)}, self.unmatched)

    def _push(self, at: float, kind: int, what: _Run | _Try | Limit) -> None:
        # What ends at a moment is known before what begins at it.
        self._pushed += 1
        heappush(self._queue, (at, kind, self._pushed, what))

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
            result = RouteResult(route.name, route.policy.name)
            result.mechanisms = mechanisms_of(
                self._snapshot, route, complete=self._complete, deadlines=self._deadlines
            )
            site = _Site(route, at, self._budget(route), result)
            site.limit = self._limits.of(route.backends[0][0], route.policy.limit, site.judged)
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

    # at the door

    def _begin(self, run: _Run, now: float) -> None:
        site = run.site
        result = site.result
        result.calls += 1
        result.recorded_ok += run.call.code == status.OK
        result.recorded_attempts += len(run.call.attempts)
        if site.budget is not None:
            site.budget.deposit(now)
        if site.hedger is not None:
            site.hedger.deposit(1, now)
        name, code, reason = site.door.refuses(run.call, run.deadline - now, now)
        if name:
            self._turn_away(run, name, code, reason)
        elif site.limit is None:
            self._start(run, now)
        else:
            self._enter(run, site.limit, now)

    def _enter(self, run: _Run, limit: Limit, now: float) -> None:
        options = run.site.route.policy.limit
        assert options is not None
        if run.site.route.optional and limit.gate.sheds_optional(options.brownout, now):
            self._turn_away(run, "limit", status.RESOURCE_EXHAUSTED, "BROWNOUT")
            return
        run.seat = Seat(options.criticality, run.deadline, run)
        verdict = limit.gate.enter(run.seat, now)
        if verdict == ENTERED:
            self._start(run, now)
        elif verdict == NO_PLACE:
            run.seat = None
            self._turn_away(run, "limit", status.RESOURCE_EXHAUSTED, "LIMITED")
        else:
            run.site.result.waited += 1
        self._settle(limit, now)

    def _settle(self, limit: Limit, now: float) -> None:
        """Let those begin and leave that the limit has decided on."""
        gate = limit.gate
        while True:
            refused = gate.next_refused()
            if refused is not None:
                seat, why = refused
                assert isinstance(seat, Seat)
                assert isinstance(seat.owner, _Run)
                seat.owner.seat = None
                reason = "QUEUE_TIMEOUT" if why == WAITED_IN_VAIN else "LIMITED"
                self._turn_away(seat.owner, "limit", status.RESOURCE_EXHAUSTED, reason)
                continue
            started = gate.next_started(now)
            if started is None:
                break
            assert isinstance(started, Seat)
            assert isinstance(started.owner, _Run)
            self._start(started.owner, now)
        at = max(now, gate.next_deadline())
        if at < limit.check_at:
            limit.check_at = at
            self._push(at, _WAIT, limit)

    def _turn_away(self, run: _Run, name: str, code: int, reason: str) -> None:
        """Refuse a call before any attempt."""
        result = run.site.result
        good = run.call.code == status.OK
        result.rejected_good += good
        result.rejected_bad += not good
        part = result.of(name)
        part.rejected_good += good
        part.rejected_bad += not good
        run.over = True
        self._fall_back(run, code, reason)

    def _leave(self, run: _Run, now: float, code: int) -> None:
        """End a call: its place goes back, and teaches what it would have taught."""
        run.over = True
        limit = run.site.limit
        seat = run.seat
        if limit is None or seat is None:
            return
        run.seat = None
        taught = IGNORED
        if run.made == 1:
            taught = SUCCESS if code == status.OK else LOST if (_OVERLOADS >> code) & 1 else IGNORED
        limit.gate.leave(seat, now, taught)
        self._settle(limit, now)

    # attempts

    def _start(self, run: _Run, now: float) -> None:
        site = run.site
        permits, refused = self._admit(site, now)
        if refused is not None:
            if run.made == 0:
                self._turn_away(run, refused.name, status.UNAVAILABLE, refused.reason)
                self._leave(run, now, status.CANCELLED)
            else:
                self._fail(run, now, run.code, "")
            return
        self._launch(run, permits, now, hedge=False)
        if site.hedger is not None and (run.idempotent or not site.hedger.options.only_idempotent):
            site.latency.look(now)
            site.hedger.look(site.latency)
            if run.hedges is None:
                run.hedges = HedgeRun(site.hedger.options, site.route.policy.retry.codes)
            else:
                run.hedges.new_round()
            self._push(now + site.hedger.delay_s, _HEDGE, run)

    def _launch(self, run: _Run, permits: list[int], now: float, *, hedge: bool) -> None:
        attempt = _Try(run, self._attempt(run, now), now, hedge=hedge)
        attempt.permits = permits
        run.made += 1
        run.running.append(attempt)
        run.site.result.attempts += 1
        run.site.result.cut_short += attempt.cut_short
        self._push(attempt.end, _END, attempt)

    def _admit(self, site: _Site, now: float) -> tuple[list[int], Gate | None]:
        """Return a permit of each gate, or the gate that refuses."""
        permits: list[int] = []
        refused: Gate | None = None
        for gate in site.gates:
            permit = gate.admit(now)
            if permit < 0:
                refused = gate
                break
            permits.append(permit)
        self._note(site)
        if refused is not None:
            for gate, permit in zip(site.gates, permits, strict=False):
                gate.released(permit, now)
        return permits, refused

    def _attempt(self, run: _Run, now: float) -> RecordedAttempt:
        """Return how the next attempt fares: as recorded, or else as the next one that was recorded."""
        recorded = run.call.attempts
        if run.made < len(recorded):
            return recorded[run.made]
        run.site.result.estimated += 1
        return self._attempts.next_after(run.call.route, now)

    def _hedge(self, run: _Run, now: float) -> None:
        """Send another attempt beside one that is late, if everything has room for it."""
        site = run.site
        hedger = site.hedger
        if run.over or not run.running or hedger is None or run.hedges is None or not run.hedges.has_room():
            return
        site.latency.look(now)
        full = site.limit is not None and site.limit.gate.is_full
        short = run.deadline - now <= site.latency.typical_s
        if full or short or not all(gate.is_calm() for gate in site.gates) or not hedger.pay(now):
            return
        permits, refused = self._admit(site, now)
        if refused is not None:
            return
        run.hedges.sent_one()
        run.decision.attempts += 1
        site.result.of("hedge").added += 1
        self._launch(run, permits, now, hedge=True)
        self._push(now + hedger.delay_s, _HEDGE, run)

    def _end(self, attempt: _Try, now: float) -> None:
        run = attempt.run
        site = run.site
        if attempt not in run.running:
            return  # Taken back when another one had won.
        run.running.remove(attempt)
        for gate, permit in zip(site.gates, attempt.permits, strict=True):
            gate.ended(permit, now, attempt.code, now - attempt.started)
        self._note(site)
        run.code = attempt.code
        if attempt.code == status.OK:
            self._succeed(run, attempt, now)
        elif not run.running:
            self._failed(run, attempt, now)
        elif run.hedges is not None:
            verdict = run.hedges.failed(attempt.code, NO_PUSHBACK)
            if verdict == FATAL:
                self._take_back(run, now)
                self._failed(run, attempt, now)
            elif verdict == NEXT:
                self._hedge(run, now)

    def _succeed(self, run: _Run, attempt: _Try, now: float) -> None:
        site = run.site
        site.latency.add(now - attempt.started)
        self._take_back(run, now)
        site.result.ok += 1
        if run.call.code != status.OK:
            site.result.saved += 1
            if attempt.hedge:
                site.result.of("hedge").saved += 1
            elif run.made > 1:
                site.result.of("retry").saved += 1
        self._leave(run, now, status.OK)

    def _take_back(self, run: _Run, now: float) -> None:
        """End the other attempts of a call that is decided; they teach nothing."""
        for other in run.running:
            for gate, permit in zip(run.site.gates, other.permits, strict=True):
                gate.released(permit, now)
        run.running.clear()

    def _failed(self, run: _Run, attempt: _Try, now: float) -> None:
        """Decide what follows the failure of the last attempt that ran."""
        site = run.site
        policy = site.route.policy
        if now >= run.deadline:
            self._fail(run, now, attempt.code, "DEADLINE_EXCEEDED")
            return
        asked = attempt.code
        if attempt.by_try_timeout and not policy.retry.codes >> attempt.code & 1:
            asked = status.UNAVAILABLE
        wait = run.decision.decide(
            asked,
            NO_PUSHBACK,
            SEEN if attempt.sent else UNSENT,
            False,
            True,
            run.idempotent,
            run.deadline - now,
            now,
            MIDDLE,
        )
        if wait != NO_RETRY:
            site.result.of("retry").added += 1
            self._push(now + wait, _RETRY, run)
            return
        site.result.budget_refused += run.decision.reason == REASON_BUDGET
        self._fail(run, now, attempt.code, "PER_TRY_TIMEOUT" if attempt.by_try_timeout else "")

    def _fail(self, run: _Run, now: float, code: int, reason: str) -> None:
        """End a call that was tried."""
        result = run.site.result
        if run.call.code == status.OK:
            result.lost += 1
            if reason == "DEADLINE_EXCEEDED" and "timeout" in result.mechanisms:
                result.of("timeout").lost += 1
            elif reason == "PER_TRY_TIMEOUT":
                result.of("per_try_timeout").lost += 1
        self._fall_back(run, code, reason)
        self._leave(run, now, code)

    def _fall_back(self, run: _Run, code: int, reason: str) -> None:
        steps = [step for step in run.site.route.policy.fallback if step.mode == ENFORCE]
        if any(step.applies(code, reason) for step in steps):
            run.site.result.fallbacks += 1
            run.site.result.of("fallback").saved += 1

    def _note(self, site: _Site) -> None:
        for gate in site.gates:
            for change in gate.transitions():
                site.result.transitions.append(
                    (change.at, STATE_NAMES[change.from_state], STATE_NAMES[change.to_state], change.trigger)
                )


def simulate(snapshot: Snapshot, calls: Sequence[RecordedCall], *, complete: bool = True) -> Simulation:
    """Return what the policies of `snapshot` would have done with `calls`; `complete` tells that these are
    all calls of their time.

    Calls that were refused without an attempt count where their route made any: their attempts are estimated.
    Those of other routes are `left_out`.
    """
    known = {call.route for call in calls if call.attempts}
    usable = [call for call in calls if call.route in known]
    found = _Replay(snapshot, usable, complete=complete).run(usable)
    return Simulation(found.routes, found.unmatched, len(calls) - len(usable))
