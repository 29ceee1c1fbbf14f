"""The whole engine in virtual time: callers with deadlines, services with queues and faults, and what must
hold checked at each step.

Everything random comes from one seed. Bytes move at once and whole (what happens when they do not is the
business of chaos.py); time moves from event to event, so an hour of light traffic takes seconds.

To let a new mechanism take part: draw it in `draw_policy`, and say in `most_attempts` how many attempts it
adds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf
from random import Random
from typing import Final

from seawall_policy.breaker import CLOSED, Breaker, BreakerOptions
from seawall_policy.budget import BudgetOptions, RetryBudget
from seawall_policy.deadline import parse_grpc_timeout
from seawall_policy.model import BALANCE_LEAST_REQUEST, BALANCE_ROUND_ROBIN, Policy, Snapshot
from seawall_policy.retry import RetryOptions
from seawall_proxy.http2.limits import Limits
from seawall_proxy.testing.peers import Client, block_of
from seawall_proxy.testing.playbook import request_fields
from seawall_proxy.testing.policies import make_cluster, make_policy, make_route, make_snapshot
from seawall_proxy.testing.world import World
from tests.simulation.engine_peers import Caller, Service, Work

SLACK_S: Final = 0.0175
"""A far timer is rounded up to 16 ms and fires within the next millisecond."""
SERVICES: Final = ("a", "b", "c")
CLIENTS: Final = 16
_PATHS: Final = {"safe": "/s.Safe/Get", "once": "/s.Once/Put"}
_MOST_ROUNDS: Final = 10_000


def draw_policy(random: Random) -> Policy:
    """Draw a policy. One block for each mechanism; what is not drawn is off."""
    pick = random.choice
    budget = pick(
        (None, BudgetOptions(percent=pick((0.0, 10.0, 20.0)), min_per_second=pick((0.0, 1.0, 10.0))))
    )
    breaker = pick(
        (
            None,
            BreakerOptions(
                kind=pick(("count", "time")),
                size=pick((5, 30)),
                min_calls=pick((3, 20)),
                failure_rate=pick((50.0, 90.0)),
                consecutive=pick((0, 0, 5)),
                open_for_s=pick((0.2, 1.0, 5.0)),
                open_multiplier=pick((1.0, 2.0)),
                half_open_calls=pick((1, 5)),
                success_threshold=pick((1, 3)),
                half_open_timeout_s=pick((0.0, 1.0)),
            ),
        )
    )
    return make_policy(
        timeout_s=pick((inf, 0.5, 2.0)),
        per_try_timeout_s=pick((inf, inf, 0.1, 0.3)),
        retry=RetryOptions(
            max_attempts=pick((1, 2, 3, 5)),
            codes=pick((1 << 14, 1 << 14 | 1 << 13 | 1 << 8)),
            initial_s=pick((0.0, 0.005, 0.025)),
            max_s=pick((0.1, 1.0)),
            only_idempotent=pick((True, True, False)),
            budget=budget,
        ),
        breaker=breaker,
    )


def most_attempts(policy: Policy) -> int:
    """Return how often services may see a call at most: its attempts, and one that was refused unread."""
    return policy.retry.max_attempts + 1


def draw_snapshot(random: Random) -> Snapshot:
    """Draw a policy for a route that is idempotent and for one that is not."""
    policy = draw_policy(random)
    cluster = make_cluster(
        "main",
        SERVICES,
        balance=random.choice((BALANCE_LEAST_REQUEST, BALANCE_ROUND_ROBIN)),
        max_in_flight=random.choice((20, 1024, 1024)),
    )
    return make_snapshot(
        make_route(policy, name="safe", service="s.Safe", idempotent=True),
        make_route(policy, name="once", service="s.Once"),
        clusters={"main": cluster},
    )


@dataclass(frozen=True)
class Plan:
    """What a run is like."""

    seconds: float
    rate: float
    """Calls a second."""
    troubles: tuple[tuple[float, str, str], ...]
    """At a time, on a service, one of the words of `Simulation.trouble`."""
    surges: tuple[tuple[float, float, float], ...] = ()
    """From, until, calls a second."""
    workers: int = 64


class _Ledger:
    """What a budget may have given in the last interval, counted anew from its totals."""

    def __init__(self, budget: RetryBudget) -> None:
        self.budget: RetryBudget = budget
        self.steps: deque[tuple[float, int, int]] = deque()
        """When, and how many deposits and withdrawals there were in all."""
        self.last: tuple[int, int] = (0, 0)

    def check(self, now: float) -> None:
        """Judge the withdrawals of this step."""
        budget = self.budget
        totals = (budget.deposits, budget.withdrawals)
        if totals == self.last:
            return
        withdrew = totals[1] > self.last[1]
        self.steps.append((now, totals[0] - self.last[0], totals[1] - self.last[1]))
        self.last = totals
        options = budget.options
        # The ring forgets in steps of a tenth: it holds between nine tenths of the interval and all of it.
        while self.steps[0][0] < now - options.interval_s:
            self.steps.popleft()
        if not withdrew:
            return
        earned = options.percent / 100 * sum(deposits for _, deposits, _ in self.steps)
        from_s = now - 0.9 * options.interval_s
        given = sum(withdrawals for at, _, withdrawals in self.steps if at > from_s)
        reserve = options.min_per_second * options.interval_s
        assert given <= earned + reserve + 1e-6, f"{given} retries, {earned} earned beside {reserve}"
        assert budget.balance(now) >= 0.0


class _Epoch:
    """The state that a breaker is in, and what can have been learned in it."""

    def __init__(self, arrived: int) -> None:
        self.arrived: int = arrived
        """Attempts of the route that services had seen before it began."""
        self.clean: bool = True
        """No service was away since: every attempt has been seen by one."""


class Simulation:
    """One run."""

    def __init__(self, seed: int, plan: Plan, snapshot: Snapshot | None = None) -> None:
        self.random: Random = Random(seed)
        self.plan: Plan = plan
        self.snapshot: Snapshot = snapshot or draw_snapshot(self.random)
        self.world: World = World(draw=self.random.random, server_limits=Limits(max_concurrent_streams=1000))
        self.start: float = self.world.now
        self.trace: list[str] = []
        self.known: dict[bytes, Caller] = {}
        """Every call by its id, for the services."""
        self.callers: dict[bytes, Caller] = {}
        """Calls that have no end yet."""
        self.done: list[Caller] = []
        self.not_started: int = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._number: int = 0
        self.arrivals: dict[str, int] = {}
        """Attempts that services have seen, by route."""
        self._arrived_before: dict[str, int] = {}
        self._ledgers: dict[str, _Ledger] = {}
        self._epochs: dict[str, _Epoch] = {}
        self.services: dict[str, Service] = {}
        for address in SERVICES:
            service = Service(address, self.world, self.after, self.random, self._arrived)
            service.callers = self.known
            service.workers = plan.workers
            self.services[address] = service
        self.world.apply(self.snapshot)
        self.world.clusters.warm()
        self.clients: list[Client] = [
            Client(f"client{number}", self.world, _unseen) for number in range(CLIENTS)
        ]
        self._settle()
        for at, address, what in plan.troubles:
            self.after(at, lambda address=address, what=what: self.trouble(address, what))  # type: ignore[misc]
        self.after(0.0, self._next_call)

    # events

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later."""
        self._number += 1
        heappush(self._heap, (self.world.now + seconds, self._number, action))

    def note(self, text: str) -> None:
        """Write down a step, for the report of a failure."""
        self.trace.append(f"{self.world.now - self.start:.4f} {text}")

    def trouble(self, address: str, what: str) -> None:
        """Make a service ill: crash, drain, freeze, heal, `slow FACTOR`, `hang SHARE`, or
        `fail SHARE CODE [early]`.
        """
        self.note(f"{address}: {what}")
        service = self.services[address]
        word, *rest = what.split()
        if word == "slow":
            service.slow = float(rest[0])
        elif word == "hang":
            service.hang_share = float(rest[0])
        elif word == "fail":
            service.fail_share = float(rest[0])
            service.fail_code = int(rest[1])
            service.fail_early = rest[2:] == ["early"]
        else:
            {
                "crash": service.crash,
                "drain": service.drain,
                "freeze": service.freeze,
                "heal": service.heal,
            }[word]()

    def _rate(self) -> float:
        at = self.world.now - self.start
        for begin, end, rate in self.plan.surges:
            if begin <= at < end:
                return rate
        return self.plan.rate

    def _next_call(self) -> None:
        if self.world.now - self.start >= self.plan.seconds:
            return
        self.after(self.random.expovariate(self._rate()), self._next_call)
        client = self.random.choice(self.clients)
        if not client.connection.can_open:
            self.not_started += 1
            return
        route = self.random.choice(("safe", "safe", "once"))
        timeout_ms = self.random.choice((50, 250, 1000, 1000))
        ident = len(self.done) + len(self.callers) + self.not_started
        caller = Caller(ident, route, self.world.now, timeout_ms / 1000)
        self.known[b"%d" % ident] = self.callers[b"%d" % ident] = caller
        fields = request_fields(_PATHS[route], [(b"x-id", b"%d" % ident)], b"%dm" % timeout_ms)
        block, extra = block_of(fields, (b"x-id", b"grpc-timeout"))
        caller.stream = client.connection.open_stream(caller, block, extra, False)
        caller.stream.send_data(b"\0\0\0\0\4ping", True)
        if self.random.random() < 0.01:
            self.after(self.random.choice((0.0, 0.003, 0.02)), lambda: self._hang_up(caller))

    def _hang_up(self, caller: Caller) -> None:
        if caller.ends == 0:
            caller.hang_up()

    # running

    def _settle(self) -> None:
        for _ in range(_MOST_ROUNDS):
            self.world.pump()
            answered = False
            for service in self.services.values():
                answered = service.answer_dials() or answered
            if not answered:
                return
            self.world.batch()
        raise AssertionError("the proxy dials without end")

    def run(self) -> None:
        """Play to the end, then let everything come to rest."""
        self._play(self.start + self.plan.seconds)
        for service in self.services.values():
            service.heal()
        self._play(self.world.now + 70.0)
        assert not self.callers, f"calls without an end: {sorted(self.callers)}"
        left = self.world.leftovers()
        assert not left, "; ".join(left)

    def _play(self, until: float) -> None:
        heap = self._heap
        while True:
            at = self.world.next_event()
            if heap and heap[0][0] < at:
                at = heap[0][0]
            if at > until:
                break
            self.world.fire(at)
            while heap and heap[0][0] <= self.world.now:
                heappop(heap)[2]()
            self._settle()
            self._check()
        self.world.fire(until)
        self._settle()

    # what must hold

    def _arrived(self, work: Work, timeout: bytes) -> None:
        """Judge an attempt as it reaches a service."""
        now = self.world.now
        caller = work.caller
        self.arrivals[caller.route] = self.arrivals.get(caller.route, 0) + 1
        # What was sent to a service that was frozen has waited in its socket.
        if work.service.thawed_at != now:
            assert now <= caller.deadline, f"call {caller.ident}: an attempt after its deadline"
            left = parse_grpc_timeout(timeout)
            assert 0.0 < left <= caller.deadline - caller.begun, f"call {caller.ident}: told {timeout!r}"
        allowed = most_attempts(self.snapshot.routes[0].policy)
        assert caller.seen <= allowed, f"call {caller.ident}: {caller.seen} attempts"

    def _check(self) -> None:
        now = self.world.now
        for ident, caller in list(self.callers.items()):
            assert caller.ends <= 1, f"call {caller.ident} ended {caller.ends} times"
            if caller.ends == 1:
                caller.ended = now
                self._judge(caller)
                self.done.append(caller)
                del self.callers[ident]
            else:
                late = now - caller.deadline
                assert late <= SLACK_S, f"call {caller.ident} is alive {late} s after its deadline"
        self._check_gauges()
        self._check_epochs()
        table = self.world.context.table
        assert table is not None
        for name, state in table.states.items():
            if state.budget is not None:
                self._ledgers.setdefault(name, _Ledger(state.budget)).check(now)
            if state.breaker is not None:
                self._check_breaker(name, state.breaker)

    def _check_gauges(self) -> None:
        world = self.world
        world.calls[:] = [call for call in world.calls if not call.finished]
        assert world.context.calls == len(world.calls)
        assert world.context.replay_bytes == sum(call.replay_size for call in world.calls)
        for cluster in world.clusters.clusters.values():
            in_flight = 0
            for endpoint in cluster.endpoints:
                in_flight += endpoint.in_flight
                service = self.services[endpoint.address]
                if not service.frozen:
                    sent = endpoint.in_flight - len(endpoint.waiting)
                    assert sent == service.open, (
                        f"{endpoint.address}: the proxy counts {sent} in flight, the service {service.open}"
                    )
            assert cluster.in_flight == in_flight
            assert in_flight <= cluster.max_in_flight

    def _check_breaker(self, name: str, breaker: Breaker) -> None:
        options = breaker.options
        assert breaker.surplus_returns == 0
        assert 0 <= breaker.probes_in_flight <= options.half_open_calls
        assert breaker.probes_in_flight <= breaker.in_flight

    def _check_epochs(self) -> None:
        """Stragglers teach nothing: what a state has learned comes from attempts that were begun in it."""
        away = any(service.mode != "accept" for service in self.services.values())
        if away:
            for epoch in self._epochs.values():
                epoch.clean = False
        records = self.world.sink.breakers
        for record in records:
            epoch = self._epochs.get(record.route, _Epoch(0))
            begun = self.arrivals.get(record.route, 0) - epoch.arrived
            if epoch.clean and record.trigger == "probes_passed":
                needed = self._breaker_of(record.route).options.success_threshold
                assert begun >= needed, f"{record.route}: closed after {begun} probes of {needed}"
            if epoch.clean and record.from_state == CLOSED:
                assert record.calls <= begun, f"{record.route}: opened by {record.calls} calls of {begun}"
            self._epochs[record.route] = _Epoch(self._arrived_before.get(record.route, 0))
            self._epochs[record.route].clean = not away
        records.clear()
        self._arrived_before.update(self.arrivals)

    def _breaker_of(self, route: str) -> Breaker:
        breaker = self.world.state(route).breaker
        assert breaker is not None
        return breaker

    def _judge(self, caller: Caller) -> None:
        policy = self.snapshot.routes[0].policy
        if not caller.gone:
            assert 0 <= caller.status <= 16, f"call {caller.ident} has no status"
            if caller.status == 0:
                assert caller.carried_out >= 1
        if caller.route == "once" and policy.retry.only_idempotent:
            assert caller.carried_out <= 1, f"call {caller.ident} was carried out {caller.carried_out} times"

    # what came of it

    @property
    def success(self) -> float:
        """Share of the calls that ended with OK."""
        ended = [caller for caller in self.done if not caller.gone]
        return sum(caller.status == 0 for caller in ended) / max(1, len(ended))

    @property
    def attempts(self) -> float:
        """Requests that services saw, for each call."""
        return sum(caller.seen for caller in self.done) / max(1, len(self.done))


def _unseen(who: str, what: str) -> None:
    pass


# -- plans


def _ill(what: str) -> tuple[tuple[float, str, str], ...]:
    return ((2.0, "a", what), (8.0, "a", "heal"))


SCENARIOS: Final[dict[str, Plan]] = {
    "crash": Plan(12.0, 40.0, ((2.0, "a", "crash"), (5.0, "a", "heal"))),
    "flapping": Plan(
        12.0, 40.0, tuple((2.0 + n * 0.5, "a", "heal" if n % 2 else "crash") for n in range(10))
    ),
    "rolling-restart": Plan(
        12.0,
        40.0,
        tuple(
            step
            for n, name in enumerate(SERVICES)
            for step in ((2.0 + 2 * n, name, "drain"), (2.6 + 2 * n, name, "heal"))
        ),
    ),
    "failing-unavailable": Plan(12.0, 40.0, _ill("fail 0.5 14")),
    "failing-internal": Plan(12.0, 40.0, _ill("fail 0.5 13")),
    "failing-early": Plan(12.0, 40.0, _ill("fail 0.5 14 early")),
    "slow": Plan(12.0, 40.0, _ill("slow 400")),
    "frozen": Plan(12.0, 40.0, _ill("freeze")),
    "hanging": Plan(12.0, 40.0, _ill("hang 0.2")),
    "all-failing": Plan(
        12.0,
        40.0,
        tuple((2.0, name, "fail 1 14") for name in SERVICES)
        + tuple((5.0, name, "heal") for name in SERVICES),
    ),
    "overload": Plan(10.0, 100.0, (), ((3.0, 6.0, 1200.0),), workers=1),
    "latency-ramp": Plan(
        12.0,
        40.0,
        (*((2.0 + 0.7 * n, "a", f"slow {2 ** (n + 1)}") for n in range(6)), (8.0, "a", "heal")),
    ),
    "slow-and-failing": Plan(
        12.0,
        40.0,
        ((2.0, "a", "slow 400"), (2.0, "b", "fail 0.5 14"), (8.0, "a", "heal"), (8.0, "b", "heal")),
    ),
    "crash-under-overload": Plan(
        10.0, 100.0, ((4.0, "a", "crash"), (5.0, "a", "heal")), ((3.0, 6.0, 1200.0),), workers=1
    ),
}


def draw_plan(random: Random, seconds: float) -> Plan:
    """Draw troubles of every kind, some at once, over a long time."""
    troubles: list[tuple[float, str, str]] = []
    kinds = ("crash", "drain", "freeze", "slow 20", "slow 400", "hang 0.2", "hang 1", "fail 0.5 14")
    more = ("fail 0.5 13", "fail 1 14 early", "fail 0.3 8", "fail 1 4")
    at = random.uniform(5.0, 60.0)
    while at < seconds:
        lasts = random.choice((0.3, 2.0, 10.0, 60.0))
        for name in random.sample(SERVICES, random.choice((1, 1, 1, 2, 3))):
            troubles += [(at, name, random.choice(kinds + more)), (at + lasts, name, "heal")]
        at += lasts + random.expovariate(1 / 60.0)
    surge = random.uniform(0.0, max(1.0, seconds - 5.0))
    return Plan(
        seconds,
        random.choice((0.5, 1.0, 3.0)),
        tuple(troubles),
        ((surge, surge + 1.0, 500.0),),
        random.choice((1, 4, 64)),
    )


def play(name: str, seed: int) -> Simulation:
    """Play a scenario by name with the policy of a seed."""
    return _report(Simulation(seed, SCENARIOS[name]), name, seed)


def play_hours(seed: int, hours: float) -> Simulation:
    """Play random troubles for so many hours of virtual time."""
    return _report(Simulation(seed, draw_plan(Random(seed), hours * 3600)), "hours", seed)


def _report(simulation: Simulation, name: str, seed: int) -> Simulation:
    try:
        simulation.run()
    except BaseException as error:
        error.add_note("\n".join(simulation.trace[-40:]))
        error.add_note(f"{name}, seed {seed}: SEED={seed} pytest tests/simulation/test_engine.py -k {name}")
        raise
    return simulation
