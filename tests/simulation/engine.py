"""The whole engine in virtual time: callers with deadlines, services with queues and faults, and what must
hold checked at each step.

Everything random comes from one seed. Bytes move at once and whole (what happens when they do not is the
business of chaos.py); time moves from event to event, so an hour of light traffic takes seconds.

To let a new mechanism take part: draw it in `engine_policies`, and say in `most_attempts` how many attempts
it adds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import Final

from seawall_policy.breaker import CLOSED, PER_ROUTE, Breaker
from seawall_policy.budget import RetryBudget
from seawall_policy.deadline import parse_grpc_timeout
from seawall_policy.model import Snapshot
from seawall_proxy.http2.limits import Limits
from seawall_proxy.testing.peers import Client, block_of
from seawall_proxy.testing.playbook import request_fields
from seawall_proxy.testing.world import World
from tests.simulation.accounts import Accounts, running
from tests.simulation.engine_peers import Caller, Service, Work
from tests.simulation.engine_policies import KEY, PATHS, SERVICES, SPARE, draw_snapshot, most_attempts

SLACK_S: Final = 0.0175
"""A far timer is rounded up to 16 ms and fires within the next millisecond."""
CLIENTS: Final = 16
_MOST_ROUNDS: Final = 10_000


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
        for address in (*SERVICES, SPARE):
            service = Service(address, self.world, self.after, self.random, self._arrived)
            service.callers = self.known
            service.workers = plan.workers
            self.services[address] = service
        self.world.apply(self.snapshot)
        self.accounts: Accounts = Accounts(self.world)
        self.accounts.look()
        self.answered: set[tuple[str, bytes]] = set()
        """Routes and keys of calls that a server has answered with OK."""
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
        given = [(b"x-id", b"%d" % ident)]
        if self.random.random() < 0.4:
            caller.key = b"%d" % (ident // 16)
            given.append((KEY, caller.key))
        fields = request_fields(PATHS[route], given, b"%dm" % timeout_ms)
        block, extra = block_of(fields, (b"x-id", KEY, b"grpc-timeout"))
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
        left += self.accounts.leftovers()
        assert not left, "; ".join(left)
        if not self.plan.troubles and not self.plan.surges:
            self._judge_experiment()

    def _judge_experiment(self) -> None:
        """What we break ourselves is no fault of an endpoint (envoy #25487)."""
        for cluster in self.world.clusters.clusters.values():
            ejected = cluster.outliers.ejections
            assert not ejected, f"{cluster.name}: healthy endpoints were ejected: {ejected}"
            for endpoint in cluster.endpoints:
                assert endpoint.failures == 0, f"{endpoint.address}: {endpoint.failures} failures"

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
        if caller.key != b"" and work.service.address != SPARE:
            self._judge_key(work, caller)

    def _judge_key(self, work: Work, caller: Caller) -> None:
        """Nobody is at work under a key that has been answered."""
        policy = self.snapshot.routes[0].policy
        if policy.idempotency is None or policy.idempotency.journal is None or caller.ends > 0:
            return
        if any(step.method for step in policy.fallback):
            # What a fallback asks for has been through the journal.
            return
        answered = (caller.route, caller.key) in self.answered
        assert not answered, f"call {caller.ident}: its key {caller.key!r} was answered"

    def _check(self) -> None:
        now = self.world.now
        for ident, caller in list(self.callers.items()):
            assert caller.ends <= 1, f"call {caller.ident} ended {caller.ends} times"
            if caller.ends == 1:
                caller.ended = now
                self._judge(caller)
                if (
                    caller.status == 0
                    and caller.key != b""
                    and caller.outcome not in {b"fallback", b"failed"}
                ):
                    self.answered.add((caller.route, caller.key))
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
            for breaker in state.breakers():
                self._check_breaker(breaker)

    def _check_gauges(self) -> None:
        world = self.world
        world.calls[:] = [call for call in world.calls if not call.finished]
        self.accounts.check()
        open_streams: dict[str, int] = {}
        faulty: set[str] = set()
        for call in world.calls:
            for attempt in running(call):
                address = attempt.endpoint.address
                if attempt.fault is not None:
                    # The proxy keeps back what the service has said long ago.
                    faulty.add(address)
                elif attempt.stream is not None:
                    open_streams[address] = open_streams.get(address, 0) + 1
        assert world.context.calls == len(world.calls)
        assert world.context.replay_bytes == sum(call.replay_size for call in world.calls)
        for cluster in world.clusters.clusters.values():
            in_flight = 0
            for endpoint in cluster.endpoints:
                in_flight += endpoint.in_flight
                service = self.services[endpoint.address]
                if not service.frozen and endpoint.address not in faulty:
                    sent = open_streams.get(endpoint.address, 0)
                    assert sent == service.open, (
                        f"{endpoint.address}: the proxy counts {sent} in flight, the service {service.open}"
                    )
            assert cluster.in_flight == in_flight
            assert in_flight <= cluster.max_in_flight

    def _check_breaker(self, breaker: Breaker) -> None:
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
        policy = self.snapshot.routes[0].policy
        if policy.fault is not None or (policy.breaker is not None and policy.breaker.scope != PER_ROUTE):
            # Not every attempt is seen by a service, or a record does not say whose it is.
            records.clear()
            return
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
            if caller.status == 0 and caller.outcome != b"fallback" and not caller.replayed:
                assert caller.carried_out >= 1
        keys = policy.idempotency
        may_run_twice = (
            not policy.retry.only_idempotent
            or (policy.hedge is not None and not policy.hedge.only_idempotent)
            or (keys is not None and keys.server_honours)
        )
        if caller.route == "once" and not may_run_twice:
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
    "experiment": Plan(12.0, 40.0, ()),
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
