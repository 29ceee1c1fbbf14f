"""Commands, siblings and what is shown, on a worker without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from google.protobuf.duration_pb2 import Duration

from seawall.v1 import fleet_pb2, stats_pb2
from seawall_policy.breaker import (
    CLOSED,
    DISABLED,
    FORCED_OPEN,
    METRICS_ONLY,
    OPEN,
    PER_METHOD,
    RAMP,
    Breaker,
    BreakerOptions,
)
from seawall_proxy.call.ports import BreakerRecord, CallRecord, EventSink, TraceSink
from seawall_proxy.call.routing import RouteState, build_table
from seawall_proxy.runtime.breaker_images import image_of, restore_images
from seawall_proxy.runtime.breaker_status import (
    MAX_CLOSED,
    BreakerSums,
    breaker_message,
    route_lines,
    shown_breakers,
)
from seawall_proxy.runtime.commands import run_command
from seawall_proxy.runtime.frames import Frame, Kind
from seawall_proxy.runtime.worker import Worker
from seawall_proxy.runtime.workers.merge import merge_stats
from seawall_proxy.runtime.workers.merge_breakers import add_history
from seawall_proxy.runtime.workers.siblings import Siblings
from seawall_proxy.telemetry.clock import ClockAnchor
from seawall_proxy.telemetry.counters import ProxyCounters, RouteCounters
from seawall_proxy.testing import make_policy, make_route, make_snapshot
from seawall_proxy.upstream.clusters import ClusterSet


class Sink(EventSink):
    """Keeps the records."""

    def __init__(self) -> None:
        self.changes: list[BreakerRecord] = []

    def call_ended(self, record: CallRecord) -> None:
        """Nothing of interest."""

    def breaker_changed(self, record: BreakerRecord) -> None:
        """Keep it."""
        self.changes.append(record)


class Ground:
    """A worker with a route of its own breaker (`all`) and one whose methods have theirs (`many`)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ramp_s: float = 0.0) -> None:
        self.sink = Sink()
        self.worker = Worker(loop, lambda: 0.5, self.sink, TraceSink(), ProxyCounters(), RouteCounters(""))
        own = BreakerOptions(consecutive=1, open_for_s=5.0, half_open_calls=1, ramp_for_s=ramp_s)
        each = BreakerOptions(consecutive=1, open_for_s=5.0, scope=PER_METHOD)
        snapshot = make_snapshot(
            make_route(make_policy(breaker=own), name="all"),
            make_route(make_policy(breaker=each), name="many", service="s"),
            clusters={"main": ("127.0.0.1:1",)},
        )
        clusters = ClusterSet(self.worker.dialer, self.worker.context.timers, lambda: 0.5)
        faces = clusters.prepare(snapshot.clusters)
        self.worker.context.table = build_table(snapshot, dict(faces), None, {}, lambda: 0.5, 0.0)
        self.kept: list[str] = []
        self.worker.on_keep = lambda breaker: self.kept.append(breaker.key)

    def state(self, route: str) -> RouteState:
        table = self.worker.context.table
        assert table is not None
        return table.states[route]

    def breaker(self, key: str, make: bool = False) -> Breaker:
        table = self.worker.context.table
        assert table is not None
        found = table.find_breaker(key, make)
        assert found is not None
        return found[1]

    def hold(self, key: str, state: stats_pb2.BreakerState, seconds: int = 60) -> tuple[bool, str]:
        hold = fleet_pb2.HoldBreakerCommand(
            breaker=key, state=state, duration=Duration(seconds=seconds), reason="drill", actor="ada"
        )
        return run_command(self.worker, fleet_pb2.Command(hold_breaker=hold))


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Give a loop that never runs."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture
def ground(loop: asyncio.AbstractEventLoop) -> Ground:
    """Give a worker."""
    return Ground(loop)


@pytest.mark.parametrize(
    ("wanted", "state"),
    [
        (stats_pb2.BREAKER_STATE_DISABLED, DISABLED),
        (stats_pb2.BREAKER_STATE_METRICS_ONLY, METRICS_ONLY),
        (stats_pb2.BREAKER_STATE_FORCED_OPEN, FORCED_OPEN),
    ],
)
def test_a_command_holds_and_is_kept_and_told(
    ground: Ground, wanted: stats_pb2.BreakerState, state: int
) -> None:
    """With actor and reason, as one event; a reset says who, too."""
    assert ground.hold("all", wanted) == (True, "")
    breaker = ground.breaker("all")
    assert (breaker.state, breaker.held_by, breaker.held_why) == (state, "ada", "drill")
    assert 59.0 < breaker.hold_until - ground.worker.context.now <= 60.0
    assert [(r.key, r.to_state, r.trigger) for r in ground.sink.changes] == [
        ("all", state, "manual: ada: drill")
    ]
    assert ground.kept == ["all"]
    reset = fleet_pb2.ResetBreakerCommand(breaker="all", reason="done", actor="bob")
    assert run_command(ground.worker, fleet_pb2.Command(reset_breaker=reset)) == (True, "")
    assert ground.sink.changes[-1].trigger == "reset: bob: done"


@pytest.mark.parametrize(
    ("key", "state", "seconds", "why"),
    [
        ("nothing", stats_pb2.BREAKER_STATE_DISABLED, 60, "there are: all"),
        ("all", stats_pb2.BREAKER_STATE_OPEN, 60, "can be held in"),
        ("all", stats_pb2.BREAKER_STATE_DISABLED, 0, "held for 1 s to 86400 s"),
        ("all", stats_pb2.BREAKER_STATE_DISABLED, 90_000, "held for 1 s to 86400 s"),
    ],
)
def test_a_command_that_makes_no_sense_changes_nothing(
    ground: Ground, key: str, state: stats_pb2.BreakerState, seconds: int, why: str
) -> None:
    """And says why."""
    done, said = ground.hold(key, state, seconds)
    assert not done
    assert why in said
    assert ground.sink.changes == []


def test_a_route_s_name_means_all_its_breakers_and_a_key_means_one(ground: Ground) -> None:
    """Methods that nobody has called yet are held with those that have no breaker of their own."""
    ground.breaker("many/s/A", make=True)
    ground.breaker("many/s/B", make=True)
    assert ground.hold("many/s/A", stats_pb2.BREAKER_STATE_DISABLED) == (True, "")
    assert ground.breaker("many/s/B").state == CLOSED
    assert ground.hold("many", stats_pb2.BREAKER_STATE_FORCED_OPEN) == (True, "")
    assert {b.key: b.state for b in ground.state("many").breakers()} == dict.fromkeys(
        ("many/s/A", "many/s/B", "many/_OTHER"), FORCED_OPEN
    )
    done, why = ground.hold("many/s/C", stats_pb2.BREAKER_STATE_DISABLED)
    assert not done, "a name that nobody has called makes no breaker"
    assert "many/s/A" in why


def test_siblings_follow_a_method_s_breaker_and_a_ramp(loop: asyncio.AbstractEventLoop) -> None:
    """By key, made if need be; RAMP begins in all, and a ramp is nobody's reason to close another's."""
    one, two = Ground(loop, ramp_s=4.0), Ground(loop, ramp_s=4.0)
    told: list[Frame] = []
    Siblings(one.worker, 0, told.append)
    follower = Siblings(two.worker, 1, told.append)

    def pass_on() -> None:
        for frame in told[:]:
            assert frame.kind == Kind.BREAKER
            follower.follow(frame)
        told.clear()

    now = one.worker.tell_time()
    mine = one.breaker("many/s/A", make=True)
    mine.record(mine.admit(now), 14, 0.01, now)
    one.worker.report_breaker("many", mine)
    pass_on()
    other = two.breaker("many/s/A")
    assert (other.state, other.trigger) == (OPEN, "sibling: consecutive")
    assert other.open_until > mine.open_until
    mine, other = one.breaker("all"), two.breaker("all")
    mine.record(mine.admit(now), 14, 0.01, now)
    one.worker.report_breaker("all", mine)
    pass_on()
    assert other.state == OPEN
    mine.handle_timer(mine.open_until)
    for _ in range(3):
        mine.record(mine.admit(now + 6.0), 0, 0.01, now + 6.0)
    assert mine.state == RAMP
    one.worker.report_breaker("all", mine)
    pass_on()
    assert (other.state, other.trigger) == (RAMP, "sibling: probes_passed")
    mine.handle_timer(now + 60.0)
    assert mine.state == CLOSED
    one.worker.report_breaker("all", mine)
    pass_on()
    assert other.state == RAMP, "each goes by what it sees itself"
    assert two.sink.changes == [], "what a sibling found out is its event"


def test_images_are_restored_by_key(ground: Ground) -> None:
    """What is unknown or damaged is passed over, and what goes on is kept once more."""
    ground.hold("all", stats_pb2.BREAKER_STATE_FORCED_OPEN)
    ground.breaker("many/s/A", make=True).trip(ground.worker.context.now, 30.0)
    now = ground.worker.context.now
    images = [image_of(ground.breaker(key), now) for key in ("all", "many/s/A")]
    known = [image for image in images if image is not None]
    fresh = Ground(ground.worker.loop)
    damaged = {**known[0], "left": "soon"}
    gone = {**known[0], "key": "gone"}
    assert restore_images(fresh.worker, [damaged, gone, *known]) == 2
    assert fresh.breaker("all").state == FORCED_OPEN
    assert fresh.breaker("many/s/A").state == OPEN
    assert fresh.kept == ["all", "many/s/A"]


def test_everything_about_a_breaker_is_reported(ground: Ground) -> None:
    """State, window, rates, probes, hold, policy and its last transitions."""
    clock = ClockAnchor(ground.worker.tell_time(), 1e9)
    ground.hold("all", stats_pb2.BREAKER_STATE_FORCED_OPEN)
    now = ground.worker.context.now
    state = ground.state("all")
    message = breaker_message(state, ground.breaker("all"), 7, now, clock)
    assert (message.name, message.route, message.state) == ("all", "all", stats_pb2.BREAKER_STATE_FORCED_OPEN)
    assert (message.policy, message.policy_revision, message.mode) == ("tested", 7, "enforce")
    assert (message.hold.actor, message.hold.reason) == ("ada", "drill")
    assert message.hold.until.seconds == message.next_probe.seconds
    assert not message.HasField("failure_rate"), "too few calls to speak of a rate"
    (change,) = message.history
    assert (getattr(change, "from"), change.to) == (
        stats_pb2.BREAKER_STATE_CLOSED,
        stats_pb2.BREAKER_STATE_FORCED_OPEN,
    )
    line = route_lines(state, now)["breaker"]
    assert isinstance(line, dict)
    assert (line["held_by"], line["held_why"]) == ("ada", "drill")


def test_gauges_are_taken_from_the_states_anew(ground: Ground) -> None:
    """Through trips and resets the states of a route add up to its breakers, always (linkerd2 #12961)."""
    for key in ("many/s/A", "many/s/B"):
        ground.breaker(key, make=True)
    for state in (stats_pb2.BREAKER_STATE_FORCED_OPEN, stats_pb2.BREAKER_STATE_DISABLED) * 3:
        for key in ("many/s/A", "many/s/B"):
            ground.hold(key, state)
            sums = BreakerSums(ground.state("many"))
            assert sum(sums.states) == 2
            assert sums.states == [
                sum(b.state == number for b in ground.state("many").breakers())
                for number in range(len(sums.states))
            ]
    assert BreakerSums(ground.state("many")).opened == 6


def test_the_closed_ones_that_are_shown_are_bounded(ground: Ground) -> None:
    """All that act are shown."""
    for index in range(MAX_CLOSED + 20):
        ground.breaker(f"many/s/M{index:03}", make=True)
    acting = ground.breaker(f"many/s/M{MAX_CLOSED + 10:03}")
    acting.disable(0.0)
    shown = shown_breakers(ground.state("many"))
    assert len(shown) == MAX_CLOSED + 1
    assert acting in shown


def test_several_workers_breakers_are_one() -> None:
    """Windows are added, shares taken anew, the transitions that one found out are in order and once."""

    def report(failures: int, *history: tuple[int, int, str]) -> fleet_pb2.StatsReport:
        breaker = stats_pb2.BreakerStatus(
            name="r", route="r", state="BREAKER_STATE_RAMP", window_calls=10, window_failures=failures
        )
        breaker.failure_rate = failures * 10.0
        breaker.ramp_share = 20.0
        for seconds, state, trigger in history:
            breaker.history.add(to=state, trigger=trigger).at.FromSeconds(seconds)
        return fleet_pb2.StatsReport(breakers=[breaker])

    merged = merge_stats(
        [
            report(2, (10, 2, "failure_rate"), (30, 1, "reset")),
            report(4, (10, 2, "sibling: x"), (30, 1, "reset")),
        ]
    )
    (breaker,) = merged.breakers
    assert (breaker.window_calls, breaker.window_failures, breaker.failure_rate) == (20, 6, 30.0)
    assert breaker.ramp_share == 20.0
    assert [(c.at.seconds, c.trigger) for c in breaker.history] == [(10, "failure_rate"), (30, "reset")]
    add_history(breaker, [stats_pb2.BreakerTransition(trigger=f"t{index}") for index in range(30)])
    assert len(breaker.history) == 20
