"""What calls hold, counted from the calls themselves, against what everything that lends it believes."""

from __future__ import annotations

from collections import Counter

from seawall_policy.breaker import Breaker
from seawall_policy.budget import ConcurrencyBudget, RetryBudget
from seawall_policy.journal import Journal
from seawall_policy.limit.place import AT_WORK, LONG, WAITING
from seawall_policy.shadow import Shadow
from seawall_proxy.call.admission import Admission
from seawall_proxy.call.attempt import Attempt
from seawall_proxy.call.call import Call
from seawall_proxy.call.call_keyed import Ticket
from seawall_proxy.testing.world import World
from seawall_proxy.upstream.endpoint import Endpoint


def running(call: Call) -> list[Attempt]:
    """Return the attempts of a call that run."""
    return [] if call.attempt is None else [*(call.others or ()), call.attempt]


class Accounts:
    """Everything of every policy that there was: what one has lent must come back under the next."""

    def __init__(self, world: World) -> None:
        self.world: World = world
        self.admissions: dict[int, Admission] = {}
        self.journals: dict[int, Journal] = {}
        self.shadows: dict[int, Shadow] = {}
        self.budgets: dict[int, RetryBudget] = {}
        self.breakers: dict[int, Breaker] = {}
        self.endpoints: dict[int, Endpoint] = {}

    def look(self) -> None:
        """Learn of a new policy."""
        table = self.world.context.table
        assert table is not None
        for state in table.states.values():
            if state.guards is not None and state.guards.admission is not None:
                self.admissions[id(state.guards.admission)] = state.guards.admission
            if state.journal is not None:
                self.journals[id(state.journal)] = state.journal
            if state.shadow is not None:
                self.shadows[id(state.shadow)] = state.shadow
                if state.shadow.budget is not None:
                    self.budgets[id(state.shadow.budget)] = state.shadow.budget
            if state.budget is not None:
                self.budgets[id(state.budget)] = state.budget
        for cluster in self.world.clusters.clusters.values():
            for endpoint in cluster.endpoints:
                self.endpoints[id(endpoint)] = endpoint

    def check(self) -> None:
        """Compare, at any moment between two events."""
        calls = [call for call in self.world.calls if not call.finished]
        attempts = [attempt for call in calls for attempt in running(call)]
        self._check_places(calls)
        self._check_keys(calls)
        self._check_breakers(attempts)
        self._check_budgets(calls)
        by_endpoint = Counter(id(attempt.endpoint) for attempt in attempts)
        for endpoint in self.endpoints.values():
            assert endpoint.in_flight == by_endpoint[id(endpoint)], f"{endpoint.address}: in flight"
        faults = sum(attempt.fault is not None for attempt in attempts)
        active = sum(counters.faults.active for counters in self.world.counters.values())
        assert active == faults, f"{active} attempts under a fault, {faults} there"

    def _check_places(self, calls: list[Call]) -> None:
        held: Counter[tuple[int, int]] = Counter()
        for call in calls:
            if call.seat is not None:
                held[id(call.admission), call.seat.state] += 1
                if call.seat.state == WAITING:
                    assert call.attempts == 0 and not call.in_fallback, "a call that waits is at work"
        for ident, admission in self.admissions.items():
            gate = admission.gate
            assert gate.in_flight == held[ident, AT_WORK], "places at work"
            assert gate.long_calls == held[ident, LONG], "long calls"
            assert gate.queue.length == held[ident, WAITING], "places in the queue"
            assert gate.next_refused() is None, "a refusal that was not told"
            if gate.queue.length > 0:
                assert admission.tick >= 0, "a queue without a timer"

    def _check_keys(self, calls: list[Call]) -> None:
        held: Counter[tuple[int, bool]] = Counter()
        for call in calls:
            ticket = call.ticket
            if isinstance(ticket, Ticket) and not ticket.left:
                held[id(ticket.journal), ticket.owner] += 1
                if not ticket.owner:
                    assert call.attempt is None, "a call that waits for another is at work"
        for ident, journal in self.journals.items():
            assert journal.at_work() == held[ident, True], "keys at work"
            assert journal.waiting() == held[ident, False], "calls that wait for a key"

    def _check_breakers(self, attempts: list[Attempt]) -> None:
        held: Counter[int] = Counter()
        for attempt in attempts:
            if attempt.breaker is not None and attempt.permit >= 0:
                held[id(attempt.breaker.current())] += 1
                self.breakers[id(attempt.breaker.current())] = attempt.breaker.current()
        table = self.world.context.table
        assert table is not None
        for state in table.states.values():
            for breaker in state.breakers():
                self.breakers[id(breaker)] = breaker
        for ident, breaker in self.breakers.items():
            if breaker.current() is breaker:
                assert breaker.in_flight == held[ident], f"{breaker.key}: permits {breaker.in_flight} {held[ident]}"
                assert breaker.surplus_returns == 0

    def _check_budgets(self, calls: list[Call]) -> None:
        now = self.world.now
        begun = Counter(id(call.state.budget) for call in calls)
        seen = Counter(id(call.state.shadow.budget) for call in calls if call.state.shadow is not None)
        for ident, budget in self.budgets.items():
            assert budget.balance(now) >= 0.0
            if isinstance(budget, ConcurrencyBudget):
                at_work = begun[ident] + seen[ident]
                assert budget.calls == at_work, f"a budget counts {budget.calls} calls of {at_work}"
                assert 0 <= budget.retries <= at_work, f"a budget counts {budget.retries} retries"

    def leftovers(self) -> list[str]:
        """Return what has not come back when every call has ended."""
        self.check()
        left: list[str] = []
        for shadow in self.shadows.values():
            breaker = shadow.breaker
            if breaker is not None and (breaker.current().in_flight or breaker.current().surplus_returns):
                left.append(f"permits of the shadow {shadow.policy} out")
        return left
