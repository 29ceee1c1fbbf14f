"""Outliers as callers and servers see them: who is left out, for how long, and how it comes back."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from seawall_policy.members import EndpointTraits
from seawall_policy.model import (
    BALANCE_LEAST_REQUEST,
    BALANCE_RANDOM,
    BALANCE_ROUND_ROBIN,
    ClusterSpec,
    MethodInfo,
    Snapshot,
)
from seawall_policy.outlier.options import ENFORCE, SHADOW, LatencyOptions, OutlierOptions
from seawall_policy.outlier.tally import IN, OUT, TRIAL
from seawall_policy.retry import RetryOptions
from seawall_proxy.http2.limits import Limits
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.peers import ClientCall, ServerCall
from seawall_proxy.testing.world import World
from seawall_proxy.upstream.cluster import CheckedHealth, Cluster
from seawall_proxy.upstream.ports import UpstreamObserver

PLAIN = OutlierOptions(jitter=0.0)
Answer = Callable[[str, float, Random], tuple[float, int]]


class Notes(UpstreamObserver):
    """What is told about endpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def endpoint_ejected(
        self, cluster: str, address: str, reason: str, at: float, until: float, times_out: int
    ) -> None:
        self.told.append(f"{address} out {until - at:g} s: {reason} ({times_out})")

    def endpoint_returned(self, cluster: str, address: str, reason: str, why: str) -> None:
        self.told.append(f"{address} back: {why}")


def policy(
    endpoints: str,
    options: OutlierOptions | None = PLAIN,
    *,
    balance: int = BALANCE_ROUND_ROBIN,
    retry: RetryOptions | None = None,
    traits: dict[str, EndpointTraits] | None = None,
    most: int = 0,
    per_try_timeout_s: float = 1.0,
    methods: dict[bytes, MethodInfo] | None = None,
    revision: int = 1,
) -> Snapshot:
    """One cluster of endpoints with one letter each."""
    spec = ClusterSpec(
        "main",
        tuple(endpoints),
        balance,
        1024,
        1.0,
        b"",
        traits=traits,
        outlier=options,
        max_in_flight_per_endpoint=most,
    )
    rules = make_policy(retry=retry, per_try_timeout_s=per_try_timeout_s)
    return make_snapshot(make_route(rules), clusters={"main": spec}, methods=methods, revision=revision)


class Scene:
    """A playbook with traffic: calls come at random, servers answer as they are told to."""

    def __init__(self, snapshot: Snapshot, seed: int = 3) -> None:
        many = Limits(max_concurrent_streams=10_000, premature_age_s=0.0)
        self.dice: Random = Random(seed)
        world = World(draw=Random(seed).random, server_limits=many)
        self.notes: Notes = Notes()
        world.clusters.observer = self.notes
        self.play: Playbook = Playbook(snapshot, world=world, host_limits=many)
        self.latencies: list[tuple[float, float, int | None]] = []
        """When calls began, how long they took, how they ended."""
        self.sent: dict[str, int] = {}

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self.play.world.clusters.clusters["main"]

    def state(self, address: str) -> int:
        """The state of an endpoint."""
        tally = self.play.world.endpoint(address).tally
        assert tally is not None
        return tally.state

    def ask(self, address: str, code: int = 0) -> None:
        """Make calls until one goes to this endpoint; that one is answered with `code`, the others well."""
        for _ in range(50):
            at = self.call()
            self.play.server(at).last.reply(b"x", code=code if at == address else 0)
            self.play.forget()
            self.play.advance(0.001)
            if at == address:
                return
        raise AssertionError(f"nobody asks {address}")

    def call(self, path: str = "/s/M") -> str:
        """Make a call; return where it went."""
        before = {address: server.count for address, server in self.play._servers.items()}
        self.play.call(path, b"x")
        for address, count in before.items():
            if self.play.server(address).count > count:
                return address
        return ""

    def run(self, seconds: float, answer: Answer, rate: float = 200.0) -> None:
        """Let time pass with calls; `answer` gives time and status for an endpoint at a moment."""
        play = self.play
        world = play.world
        until = play.now + seconds
        coming = play.now + self.dice.expovariate(rate)
        due: list[tuple[float, int, ServerCall, int]] = []
        open_calls: list[tuple[float, ClientCall]] = []
        counted = {address: server.count for address, server in play._servers.items()}
        number = 0
        while True:
            at = min(coming, until, due[0][0] if due else until, world.next_event())
            world.advance(max(0.0, at - world.now))
            play.settle()
            while due and due[0][0] <= world.now:
                _, _, request, code = due.pop(0)
                if request.reset_code is None and not request.answered:
                    request.put_headers()
                    request.put_data(b"x")
                    request.put_trailers(((b"grpc-status", b"%d" % code),))
            play.settle()
            if coming <= world.now < until:
                open_calls.append((world.now, play.call("/s/M", b"x").seen))
                coming += self.dice.expovariate(rate)
            for address, server in play._servers.items():
                while counted[address] < server.count:
                    request = server.server.calls[counted[address]]
                    counted[address] += 1
                    self.sent[address] = self.sent.get(address, 0) + 1
                    wait, code = answer(address, world.now, self.dice)
                    number += 1
                    due.append((world.now + wait, number, request, code))
                    due.sort(key=lambda entry: entry[:2])
            left = []
            for began, seen in open_calls:
                if seen.ended:
                    took = world.now - began
                    self.latencies.append((began, took, seen.status))
                else:
                    left.append((began, seen))
            open_calls = left
            play.forget()
            play.log.clear()
            if world.now >= until:
                return

    def end(self) -> None:
        """Leave."""
        self.play.disconnect()
        self.play.forget()


def usual(dice: Random) -> float:
    """A time with a median of 6 ms."""
    return 0.004 + dice.expovariate(1 / 0.003)


def well(address: str, at: float, dice: Random) -> tuple[float, int]:
    """Everybody is well."""
    return usual(dice), 0


# ------------------------------------------------------------------------------------ failures in a row


def test_five_failures_in_a_row() -> None:
    """The fifth one ejects, by its status in the trailers, and no call goes there until the time is over
    (envoy #8228: headers came first, and the endpoint is ejected all the same).
    """
    scene = Scene(policy("ab", OutlierOptions(jitter=0.0, failure_share=None)))
    with scene.play as play:
        for _ in range(4):
            scene.ask("a", 13)
        assert scene.state("a") == IN
        scene.ask("a", 13)
        assert scene.state("a") == OUT
        assert {scene.call() for _ in range(6)} == {"b"}
        assert play.world.endpoint("a").links
        play.advance(4.9)
        assert scene.state("a") == OUT
        play.advance(0.2)
        assert scene.state("a") == TRIAL
        assert scene.notes.told == ["a out 5 s: consecutive (1)", "a back: time"]
        scene.end()


def test_a_second_ejection_needs_as_many_failures() -> None:
    """Counters begin anew after an ejection (envoy #40697), and cycles repeat (envoy #18950); each is longer
    by the first (envoy #26758, #37602).
    """
    scene = Scene(policy("ab", OutlierOptions(jitter=0.0)))
    with scene.play as play:
        for cycle in range(1, 5):
            for _ in range(8):
                if scene.state("a") != TRIAL:
                    break
                scene.ask("a")
            assert scene.state("a") == IN
            for _ in range(4):
                scene.ask("a", 14)
                assert scene.state("a") == IN, cycle
            scene.ask("a", 14)
            assert scene.state("a") == OUT
            play.advance(5.0 * cycle + 0.1)
        assert [line for line in scene.notes.told if " out " in line] == [
            f"a out {5 * n} s: consecutive ({n})" for n in range(1, 5)
        ]
        scene.end()


def test_the_last_one_stays() -> None:
    """Of two one is ejected at most, however the other one does; one alone is not even watched."""
    scene = Scene(policy("ab"))
    with scene.play as play:
        for _ in range(5):
            scene.ask("a", 14)
        for _ in range(30):
            play.server(scene.call()).last.reply(b"x", code=14)
            play.forget()
        assert (scene.state("a"), scene.state("b")) == (OUT, IN)
        assert sum(scene.cluster.outliers.spared.values()) > 0
        play.apply(policy("b", revision=2))
        assert play.world.endpoint("b").tally is None
        scene.end()


def test_what_says_nothing_about_the_endpoint() -> None:
    """A caller's mistake, a caller that goes away, and a stream that a leaving server refuses do not count
    (envoy #25487 for what the proxy refuses itself).
    """
    scene = Scene(policy("ab", OutlierOptions(jitter=0.0), most=1))
    with scene.play as play:
        for _ in range(8):
            scene.ask("a", 5)
            scene.ask("a", 3)
        for _ in range(20):
            call = play.call("/s/M", b"x")
            call.cancel()
        play.forget()
        first, second = play.call("/s/M", b"x"), play.call("/s/M", b"x")
        play.forget()
        for _ in range(10):
            play.call("/s/M", b"x")
        assert all("CONCURRENCY_LIMITED" in line for line in play.forget())
        first.cancel()
        second.cancel()
        for _ in range(8):
            play.call("/s/M", b"x")
            for address in "ab":
                seen = play.server(address).last.seen
                if not seen.answered and seen.reset_code is None:
                    play.server(address).last.reset(0x7)
            play.advance(0.01)
        play.forget()
        assert (scene.state("a"), scene.state("b")) == (IN, IN)
        assert not scene.notes.told
        scene.end()


def test_what_one_connection_takes_with_it_counts_once() -> None:
    """A server that crashes with many calls is no outlier: it is dialled again, and that is all."""
    scene = Scene(policy("ab"))
    with scene.play as play:
        for _ in range(40):
            play.call("/s/M", b"x")
        play.server("a").cut()
        play.forget()
        assert scene.state("a") == IN
        assert not scene.notes.told
        scene.end()


def test_connections_that_do_not_last() -> None:
    """Five of them in a row are an outlier of local origin."""
    scene = Scene(policy("ab", OutlierOptions(jitter=0.0, consecutive=0)))
    with scene.play as play:
        for _ in range(5):
            while scene.call() != "a":
                play.server("b").last.reply(b"x")
            play.server("a").cut()
            play.advance(1.3)
            play.forget()
        assert scene.notes.told == ["a out 5 s: consecutive_local (1)"]
        scene.end()


# ------------------------------------------------------------------------------------ with traffic


def frozen(address: str, at: float, dice: Random) -> tuple[float, int]:
    """A says nothing from 1003 s on."""
    return (1e6, 0) if address == "a" and at > 1003.0 else (usual(dice), 0)


def slow_400(address: str, at: float, dice: Random) -> tuple[float, int]:
    """A takes 400 times as long."""
    return (usual(dice) * (400 if address == "a" and at > 1003.0 else 1), 0)


def hanging(address: str, at: float, dice: Random) -> tuple[float, int]:
    """A does not answer a fifth."""
    stuck = address == "a" and at > 1003.0 and dice.random() < 0.2
    return (1e6 if stuck else usual(dice), 0)


def half_internal(address: str, at: float, dice: Random) -> tuple[float, int]:
    """A fails half, in trailers behind a message."""
    return usual(dice), 13 if address == "a" and at > 1003.0 and dice.random() < 0.5 else 0


def half_unavailable(address: str, at: float, dice: Random) -> tuple[float, int]:
    """A fails half, with another status."""
    return usual(dice), 14 if address == "a" and at > 1003.0 and dice.random() < 0.5 else 0


@pytest.mark.parametrize(
    ("answer", "within_s", "balance"),
    [
        (frozen, 0.35, BALANCE_ROUND_ROBIN),
        (frozen, 2.0, BALANCE_LEAST_REQUEST),
        (slow_400, 0.35, BALANCE_ROUND_ROBIN),
        (hanging, 1.0, BALANCE_ROUND_ROBIN),
        (half_internal, 0.5, BALANCE_ROUND_ROBIN),
        (half_unavailable, 0.5, BALANCE_RANDOM),
    ],
)
def test_an_endpoint_that_does_worse_is_out_soon(answer: Answer, within_s: float, balance: int) -> None:
    """At 200 calls a second over three endpoints it is out in no time, and costs few calls when it is tried
    again: fewer than 1 % of calls are slow or fail over the whole run.
    """
    scene = Scene(policy("abc", balance=balance))
    with scene.play as play:
        scene.run(3.0, answer)
        assert not scene.notes.told
        scene.run(within_s, answer)
        assert scene.state("a") == OUT, scene.notes.told
        scene.run(7.0, answer)
        assert all(line.startswith("a ") for line in scene.notes.told)
        bad = [entry for entry in scene.latencies if entry[1] > 0.06 or entry[2] != 0]
        assert len(bad) < 0.012 * len(scene.latencies), (len(bad), len(scene.latencies))
        play.forget()
        scene.end()


def slowing_down(address: str, at: float, dice: Random) -> tuple[float, int]:
    """Everybody gets slower and slower."""
    return usual(dice) * (1.0 + 8.0 * max(0.0, at - 1003.0)), 0


def all_slow(address: str, at: float, dice: Random) -> tuple[float, int]:
    """Everybody is 30 times slower at once."""
    return usual(dice) * (30 if at > 1003.0 else 1), 0


def stall(address: str, at: float, dice: Random) -> tuple[float, int]:
    """Nobody answers for 600 ms."""
    return usual(dice) + (1003.6 - at if 1003.0 < at < 1003.6 else 0.0), 0


def all_fail(address: str, at: float, dice: Random) -> tuple[float, int]:
    """Everybody fails for two seconds."""
    return usual(dice), 14 if 1003.0 < at < 1005.0 else 0


def mixed(address: str, at: float, dice: Random) -> tuple[float, int]:
    """Every tenth call is a report that takes its time."""
    return usual(dice) if dice.random() < 0.9 else 0.4, 0


@pytest.mark.parametrize("answer", [slowing_down, all_slow, stall, all_fail, mixed])
def test_what_all_go_through_ejects_nobody(answer: Answer) -> None:
    """An outlier is worse than the others."""
    scene = Scene(policy("abc"))
    with scene.play:
        scene.run(6.0, answer)
        assert not scene.notes.told
        scene.end()


def test_a_short_pause_ejects_nobody() -> None:
    """A garbage collection of 100 ms every two seconds is bearable."""

    def pausing(address: str, at: float, dice: Random) -> tuple[float, int]:
        late = 0.1 - at % 2.0 if address == "a" and at % 2.0 < 0.1 else 0.0
        return usual(dice) + late, 0

    scene = Scene(policy("abc"))
    with scene.play:
        scene.run(7.0, pausing)
        assert not scene.notes.told
        scene.end()


def test_streams_that_wait_for_something_eject_nobody() -> None:
    """A method that is known to stream may say nothing for hours."""
    watch = {b"/s/Watch": MethodInfo(client_streaming=False, server_streaming=True, idempotent=False)}
    scene = Scene(policy("ab", methods=watch, per_try_timeout_s=1e9))
    with scene.play as play:
        scene.run(1.0, well)
        for _ in range(20):
            if scene.call("/s/Watch") == "b":
                play.server("b").last.reply(b"x")
        scene.run(1.5, well)
        assert not scene.notes.told
        scene.end()


def test_flapping_grows_the_ejections_and_peace_shrinks_them() -> None:
    """Who falls over again after each return stays out longer; a second of peace for each takes that back."""

    def flapping(address: str, at: float, dice: Random) -> tuple[float, int]:
        return usual(dice), 14 if address == "a" and at < 1020.0 else 0

    scene = Scene(policy("abc"))
    with scene.play as play:
        scene.run(19.0, flapping)
        outs = [line for line in scene.notes.told if " out " in line]
        assert [line.split()[2] for line in outs][:2] == ["5", "10"]
        play.advance(30.0)
        scene.run(7.0, flapping)
        tally = play.world.endpoint("a").tally
        assert tally is not None
        assert (tally.state, tally.times_out) == (IN, 0)
        assert scene.sent["a"] > 100
        scene.end()


# ------------------------------------------------------------------------------------ the cluster


def test_on_trial_one_attempt_at_a_time() -> None:
    """Who is back gets one attempt at a time, and more as they go well."""
    scene = Scene(policy("abc"))
    with scene.play as play:
        for _ in range(5):
            scene.ask("a", 14)
        play.advance(5.1)
        taken = [scene.call() for _ in range(12)]
        assert taken.count("a") == 1
        scene.end()


def test_an_ejected_endpoint_is_better_than_none() -> None:
    """When all others are gone it is asked, one attempt at a time as long as another may take one."""
    scene = Scene(policy("ab"))
    with scene.play as play:
        for _ in range(5):
            scene.ask("a", 14)
        play.server("b").set_mode("refuse")
        play.server("b").cut()
        assert {scene.call() for _ in range(3)} == {"a"}
        play.forget()
        scene.end()


def test_a_lower_priority_helps_out() -> None:
    """An ejected endpoint is missing in its priority like one that is not well."""
    far = EndpointTraits(priority=1)
    scene = Scene(policy("abxy", traits={"x": far, "y": far}, balance=BALANCE_RANDOM))
    with scene.play as play:
        for _ in range(5):
            scene.ask("a", 14)
        taken = [scene.call() for _ in range(60)]
        assert "a" not in taken
        assert {"x", "y"} <= set(taken)
        assert taken.count("b") > 30
        play.forget()
        scene.end()


def test_shadow_only_counts() -> None:
    """In shadow mode the endpoint stays, and what would have been is counted."""
    scene = Scene(policy("ab", OutlierOptions(mode=SHADOW, jitter=0.0)))
    with scene.play as play:
        for _ in range(5):
            scene.ask("a", 14)
        assert {scene.call() for _ in range(6)} == {"a", "b"}
        assert scene.cluster.outliers.spared == {("consecutive", "shadow"): 1}
        assert scene.notes.told == []
        play.apply(policy("ab", OutlierOptions(mode=ENFORCE, jitter=0.0), revision=2))
        assert scene.state("a") == TRIAL
        play.forget()
        scene.end()


def test_other_options_keep_what_is_known_and_off_lets_everybody_back() -> None:
    """A new document keeps the ejection; one without detection ends it, and leaves no trace."""
    scene = Scene(policy("abc"))
    with scene.play as play:
        for _ in range(5):
            scene.ask("a", 14)
        play.apply(policy("abc", OutlierOptions(latency=LatencyOptions(min_ratio=5.0)), revision=2))
        assert "a" not in {scene.call() for _ in range(6)}
        play.apply(policy("abc", None, revision=3))
        assert "a" in {scene.call() for _ in range(6)}
        assert play.world.endpoint("a").tally is None
        assert not play.world.endpoint("a").ejected
        play.forget()
        scene.end()


def test_an_endpoint_that_leaves_and_comes_back_is_new() -> None:
    """Removed endpoints leave nothing behind."""
    scene = Scene(policy("abc"))
    with scene.play as play:
        for _ in range(5):
            scene.ask("a", 14)
        play.apply(policy("bc", revision=2))
        play.apply(policy("abc", revision=3))
        assert scene.state("a") == IN
        assert "a" in {scene.call() for _ in range(6)}
        play.forget()
        scene.end()


@pytest.mark.parametrize("returns", [True, False])
def test_a_health_check_may_end_an_ejection(returns: bool) -> None:
    """Where it is allowed to: it need not take the way of the calls."""
    options = OutlierOptions(jitter=0.0, health_check_returns=returns)
    scene = Scene(policy("ab", options))
    with scene.play as play:
        for _ in range(5):
            scene.ask("a", 14)
        sink = CheckedHealth(scene.cluster)
        sink.check_passed(play.world.endpoint("a"))
        assert scene.state("a") == (TRIAL if returns else OUT)
        assert ("a back: health_check" in scene.notes.told) == returns
        play.forget()
        scene.end()


def test_nothing_happens_without_calls() -> None:
    """Some seconds after the last call no timer is armed."""
    scene = Scene(policy("abc"))
    with scene.play as play:
        scene.run(1.0, well)
        play.advance(5.0)
        assert play.world.context.timers.armed() == 0
        scene.end()


# ------------------------------------------------------------------------------------ limits


@pytest.mark.parametrize("balance", [BALANCE_ROUND_ROBIN, BALANCE_LEAST_REQUEST, BALANCE_RANDOM])
def test_a_full_endpoint_is_passed_over(balance: int) -> None:
    """No endpoint has more in flight than it may, and all that there is room for is used."""
    scene = Scene(policy("abc", None, balance=balance, most=2))
    with scene.play as play:
        assert sorted(scene.call() for _ in range(6)) == list("aabbcc")
        play.forget()
        play.call("/s/M", b"x")
        play.expect("client#7 <- TRAILERS-ONLY RESOURCE_EXHAUSTED LOCAL CONCURRENCY_LIMITED rejected")
        play.server("b").last.reply(b"x")
        play.forget()
        assert scene.call() == "b"
        scene.end()


def test_a_retry_rather_goes_to_the_same_endpoint_than_to_a_full_one() -> None:
    """And is refused where all are full."""
    retry = RetryOptions(max_attempts=2, initial_s=0.01, jitter=0.0, only_idempotent=False)
    scene = Scene(policy("ab", None, retry=retry, most=1))
    with scene.play as play:
        first = scene.call()
        second = scene.call()
        assert {first, second} == {"a", "b"}
        play.server(first).last.trailers_only(14)
        play.advance(0.02)
        assert play.server(first).count == 2
        play.forget()
        scene.end()
