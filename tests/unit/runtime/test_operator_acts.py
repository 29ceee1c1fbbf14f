"""Faults and drains by command: where they take effect, how they end, and what a new policy changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from google.protobuf.duration_pb2 import Duration

from seawall.v1 import fleet_pb2, policy_pb2
from seawall_proxy.call.ports import TraceSink
from seawall_proxy.call.routing import RouteState, build_table
from seawall_proxy.runtime.operator_acts import OperatorActs
from seawall_proxy.runtime.worker import Worker
from seawall_proxy.runtime.workers.acts import ActBook
from seawall_proxy.telemetry.counters import ProxyCounters, RouteCounters
from seawall_proxy.testing import make_policy, make_route, make_snapshot
from seawall_proxy.upstream.clusters import ClusterSet
from tests.unit.runtime.test_breaker_operations import Sink

MEMBERS = ("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3")


class Features:
    """Hears whether the proxy is out of service."""

    def __init__(self) -> None:
        self.parked = False

    def park(self, parked: bool) -> None:
        """Note it."""
        self.parked = parked


class Ground:
    """A worker with two routes to a cluster of three."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.worker = Worker(loop, lambda: 0.5, Sink(), TraceSink(), ProxyCounters(), RouteCounters(""))
        self.clusters = ClusterSet(self.worker.dialer, self.worker.context.timers, lambda: 0.5)
        self.features = Features()
        self.acts = OperatorActs(self.worker, self.clusters, self.features)  # type: ignore[arg-type]
        self.counters: dict[str, RouteCounters] = {}
        self.install()

    def install(self, members: tuple[str, ...] = MEMBERS) -> None:
        """Put a policy in force, as the holder does."""
        snapshot = make_snapshot(
            make_route(make_policy(), name="pay"),
            make_route(make_policy(), name="look", service="s"),
            clusters={"main": members},
        )
        faces = self.clusters.prepare(snapshot.clusters)
        context = self.worker.context
        context.table = build_table(
            snapshot, dict(faces), context.table, self.counters, lambda: 0.5, context.now
        )
        self.clusters.adopt(faces)
        self.acts.carry_over()

    def state(self, route: str) -> RouteState:
        """Return a route."""
        table = self.worker.context.table
        assert table is not None
        return table.states[route]

    def broken(self) -> list[str]:
        """Return the routes with a fault."""
        return [name for name in ("look", "pay") if self.state(name).faults is not None]

    def taken(self) -> set[str]:
        """Return the endpoints that a hundred picks lead to."""
        cluster = self.clusters.clusters["main"]
        return {endpoint.address for _ in range(100) if (endpoint := cluster.pick(0)) is not None}

    def fault(self, route: str = "", seconds: float = 60, **more: object) -> tuple[bool, str]:
        """Start a fault."""
        fault = policy_pb2.Fault(**(more or {"abort": policy_pb2.FaultAbort(code="UNAVAILABLE", percent=10)}))  # type: ignore[arg-type]
        return self.acts.run(
            fleet_pb2.Command(
                start_fault=fleet_pb2.StartFaultCommand(route=route, fault=fault, duration=length(seconds))
            )
        )

    def drain(self, cluster: str = "", address: str = "", seconds: float = 60) -> tuple[bool, str]:
        """Take something out of service."""
        return self.acts.run(
            fleet_pb2.Command(
                drain=fleet_pb2.DrainCommand(cluster=cluster, address=address, duration=length(seconds))
            )
        )


def length(seconds: float) -> Duration:
    """Return a length of time."""
    message = Duration()
    message.FromMilliseconds(int(seconds * 1000))
    return message


@pytest.fixture
def ground() -> Iterator[Ground]:
    """A worker without sockets."""
    loop = asyncio.new_event_loop()
    yield Ground(loop)
    loop.close()


def test_a_fault_breaks_its_route_until_it_is_stopped(ground: Ground) -> None:
    """What the policy would break comes back afterwards; a second stop has nothing to stop."""
    assert ground.fault("pay") == (True, "")
    assert ground.broken() == ["pay"]
    stop = fleet_pb2.Command(stop_fault=fleet_pb2.StopFaultCommand(route="pay"))
    assert ground.acts.run(stop) == (True, "")
    assert ground.broken() == []
    assert ground.acts.run(stop) == (False, "no fault was started for route 'pay' here")


def test_a_fault_of_every_route_and_one_of_its_own(ground: Ground) -> None:
    """The route's own wins."""
    ground.fault("")
    ground.fault("pay", delay=policy_pb2.FaultDelay(duration=length(0.2), percent=5))
    assert ground.broken() == ["look", "pay"]
    faults = ground.state("pay").faults
    assert faults is not None and faults.options.delay_s == 0.2


def test_acts_outlive_a_policy_and_a_change_of_members(ground: Ground) -> None:
    """Whatever comes into force is broken and left out in the same places."""
    ground.fault("pay")
    ground.drain("main", MEMBERS[0])
    ground.install((MEMBERS[0], MEMBERS[2], "127.0.0.1:9"))
    assert ground.broken() == ["pay"]
    assert ground.taken() == {MEMBERS[2], "127.0.0.1:9"}


def test_acts_end_by_themselves(ground: Ground) -> None:
    """Each at its own time, whoever can be reached."""
    ground.fault("pay", seconds=10)
    ground.drain("main", MEMBERS[0], seconds=20)
    ground.drain(seconds=30)
    now = ground.worker.context.now
    assert ground.features.parked
    ground.acts.tick(now + 9)
    assert (ground.broken(), len(ground.taken()), ground.features.parked) == (["pay"], 2, True)
    ground.acts.tick(now + 11)
    assert (ground.broken(), len(ground.taken()), ground.features.parked) == ([], 2, True)
    ground.acts.tick(now + 21)
    assert (len(ground.taken()), ground.features.parked) == (3, True)
    ground.acts.tick(now + 31)
    assert not ground.features.parked
    assert ground.acts.status() == {"faults": {}, "drained": {}}


def test_a_drained_endpoint_takes_nothing_even_when_it_is_the_last(ground: Ground) -> None:
    """Somebody works on it: a refusal is better than a call there."""
    for address in MEMBERS:
        assert ground.drain("main", address) == (True, "")
    assert ground.taken() == set()
    undrain = fleet_pb2.Command(undrain=fleet_pb2.UndrainCommand(cluster="main", address=MEMBERS[1]))
    assert ground.acts.run(undrain) == (True, "")
    assert ground.taken() == {MEMBERS[1]}
    assert ground.acts.run(undrain) == (False, "it is not drained here")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (lambda g: g.fault("nowhere"), "no route 'nowhere' here; there are: look, pay"),
        (lambda g: g.fault("pay", seconds=0.5), "a fault lasts 1 s to 86400 s"),
        (lambda g: g.fault("pay", seconds=90_000), "a fault lasts 1 s to 86400 s"),
        (lambda g: g.fault("pay", max_active=3), "says nothing to break"),
        (
            lambda g: g.fault("pay", abort=policy_pb2.FaultAbort(code="OK", percent=1)),
            "fault.abort.code",
        ),
        (lambda g: g.drain("nowhere", "x"), "no cluster 'nowhere' here"),
        (lambda g: g.drain("main", "x"), "no endpoint 'x' in cluster main; there are: 127.0.0.1:1"),
        (lambda g: g.drain("main", MEMBERS[0], seconds=0), "something lasts 1 s to 86400 s"),
    ],
)
def test_what_cannot_be_done_says_why(ground: Ground, what: object, words: str) -> None:
    """And changes nothing."""
    done, why = what(ground)  # type: ignore[operator]
    assert not done
    assert words in why
    assert ground.broken() == []
    assert len(ground.taken()) == 3


def test_the_successor_of_a_worker_is_told_what_lasts() -> None:
    """For what is left of its time; what was ended or is over is not repeated."""
    book = ActBook()

    def drain(address: str, seconds: float) -> fleet_pb2.Command:
        return fleet_pb2.Command(
            drain=fleet_pb2.DrainCommand(cluster="c", address=address, duration=length(seconds))
        )

    book.note(drain("a", 60), 100.0)
    book.note(drain("b", 5), 100.0)
    book.note(
        fleet_pb2.Command(start_fault=fleet_pb2.StartFaultCommand(route="r", duration=length(60))), 100.0
    )
    book.note(drain("c", 60), 100.0)
    book.note(fleet_pb2.Command(undrain=fleet_pb2.UndrainCommand(cluster="c", address="c")), 101.0)
    book.note(fleet_pb2.Command(reset_breaker=fleet_pb2.ResetBreakerCommand(breaker="x")), 101.0)
    left = book.current(110.0)
    assert [command.WhichOneof("action") for command in left] == ["drain", "start_fault"]
    assert left[0].drain.duration.seconds == 50
    book.note(fleet_pb2.Command(stop_fault=fleet_pb2.StopFaultCommand(route="r")), 111.0)
    assert len(book.current(111.0)) == 1
