"""Active health checks on the endpoints' own connections."""

from __future__ import annotations

import pytest

from seawall_policy import status
from seawall_policy.balance.slow_start import SlowStart
from seawall_policy.health import HEALTHY, KIND_TCP, UNHEALTHY, UNKNOWN, HealthOptions
from seawall_policy.model import BALANCE_ROUND_ROBIN, ClusterSpec, Snapshot
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.names import Notes, ScriptedProber
from seawall_proxy.testing.peers import ServerCall
from seawall_proxy.testing.world import World
from seawall_proxy.upstream.health_wire import (
    CHECK,
    MALFORMED,
    NOT_SERVING,
    SERVING,
    WATCH,
    request_message,
    response_status,
    take_status,
)

INTERVAL_S = 1.0


def options(
    *, watch: bool = False, kind: int = 1, unhealthy_after: int = 2, service: str = ""
) -> HealthOptions:
    """Check every second, without jitter."""
    return HealthOptions(kind, INTERVAL_S, 0.25, unhealthy_after, 1, service, 0.0, 0.0, watch)


def snapshot(
    *endpoints: str,
    health: HealthOptions | None,
    slow: SlowStart | None = None,
    panic: float = 0.0,
    revision: int = 1,
) -> Snapshot:
    """One cluster that is checked."""
    spec = ClusterSpec(
        "main",
        endpoints,
        BALANCE_ROUND_ROBIN,
        1024,
        1.0,
        b"",
        health_check=health,
        slow_start=slow,
        panic_threshold=panic,
    )
    return make_snapshot(make_route(make_policy()), clusters={"main": spec}, revision=revision)


class Checks:
    """A playbook whose servers answer health checks as `says` has it."""

    def __init__(self, *endpoints: str, **given: object) -> None:
        self.world: World = World()
        self.notes = Notes()
        self.world.clusters.observer = self.notes
        self.prober = ScriptedProber()
        self.world.clusters.prober = self.prober
        self.snapshot: Snapshot = snapshot(*endpoints, **given)  # type: ignore[arg-type]
        self.says: dict[str, int | None] = dict.fromkeys(endpoints, SERVING)
        """None: no answer. Negative: this gRPC status."""
        self.watches: dict[str, ServerCall] = {}
        self.answered: set[int] = set()
        self.play: Playbook = Playbook(self.snapshot, world=self.world)

    def answer(self) -> None:
        """Answer what was asked."""
        for address, says in self.says.items():
            for call in self.play.server(address).server.calls:
                if id(call) in self.answered or call.path not in (CHECK, WATCH) or says is None:
                    continue
                self.answered.add(id(call))
                if call.reset_code is not None:
                    continue
                if says < 0:
                    call.put_trailers_only(
                        (
                            (b":status", b"200"),
                            (b"content-type", b"application/grpc"),
                            (b"grpc-status", b"%d" % -says),
                        )
                    )
                    continue
                call.put_headers()
                call.put_data(frame(says))
                if call.path == CHECK:
                    call.put_trailers(((b"grpc-status", b"0"),))
                else:
                    self.watches[address] = call
        self.play.settle()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, answering all the while."""
        self.answer()
        for _ in range(round(seconds * 20)):
            self.play.advance(0.05)
            self.answer()

    def counts(self, calls: int, addresses: str = "ab") -> list[int]:
        """Make calls; return how many each server has got of them."""
        before = [self.calls(address) for address in addresses]
        for _ in range(calls):
            self.play.call(body=b"x")
        return [self.calls(address) - n for address, n in zip(addresses, before, strict=True)]

    def calls(self, address: str) -> int:
        """How many calls of clients a server has seen."""
        return sum(call.path not in (CHECK, WATCH) for call in self.play.server(address).server.calls)

    def asked(self, address: str = "a", path: bytes = CHECK) -> int:
        """How often a server was asked."""
        return sum(call.path == path for call in self.play.server(address).server.calls)

    def health(self, address: str = "a") -> int:
        """What is held of an endpoint."""
        return self.world.endpoint(address).health

    def end(self) -> None:
        """Leave."""
        if "client" in self.play._clients:
            self.play.disconnect()
        self.play.forget()


def frame(serving: int) -> bytes:
    """Return a framed HealthCheckResponse."""
    payload = b"\x08" + bytes([serving])
    return b"\x00" + len(payload).to_bytes(4, "big") + payload


def test_the_first_check_comes_at_once_and_decides() -> None:
    """Nothing is known at first, and calls flow; one answer settles it."""
    checks = Checks("a", "b", health=options())
    with checks.play:
        checks.says["b"] = NOT_SERVING
        assert (checks.health("a"), checks.asked("a")) == (UNKNOWN, 1)
        assert checks.counts(2) == [1, 1]
        checks.answer()
        assert (checks.health("a"), checks.health("b")) == (HEALTHY, UNHEALTHY)
        assert checks.counts(4) == [4, 0]
        assert checks.notes.lines == ["b 0->2 NOT_SERVING"]
        checks.end()


def test_checks_count_nowhere() -> None:
    """Neither as attempts nor in the cluster's limit nor as calls."""
    checks = Checks("a", health=options())
    with checks.play:
        checks.pass_time(3.0)
        endpoint = checks.world.endpoint("a")
        assert (endpoint.attempts, endpoint.in_flight, endpoint.failures, endpoint.own_streams) == (
            0,
            0,
            0,
            0,
        )
        assert checks.world.context.unmatched.started == 0
        assert 3 <= checks.asked() <= 5
        checks.end()


def test_unanswered_checks_need_a_second_one() -> None:
    """One timeout is nothing, two in a row make it unhealthy, one answer healthy again."""
    checks = Checks("a", health=options())
    with checks.play:
        checks.answer()
        assert checks.health() == HEALTHY
        checks.says["a"] = None
        checks.play.advance(1.3)
        assert (checks.health(), checks.play.server("a").server.calls[-1].reset_code) == (HEALTHY, 8)
        checks.play.advance(1.3)
        assert checks.health() == UNHEALTHY
        checks.answered.update(id(call) for call in checks.play.server("a").server.calls)
        checks.says["a"] = SERVING
        checks.pass_time(1.3)
        assert checks.health() == HEALTHY
        assert "no answer within 0.25 s" in checks.notes.lines[0]
        checks.end()


@pytest.mark.parametrize(
    ("code", "health", "after"),
    [
        (status.UNIMPLEMENTED, HEALTHY, 0.0),
        (status.NOT_FOUND, UNHEALTHY, 1.1),
        (status.UNAVAILABLE, UNHEALTHY, 2.2),
    ],
)
def test_statuses(code: int, health: int, after: float) -> None:
    """No such method counts as healthy (gRFC A17), no such service as unhealthy at once, others count."""
    checks = Checks("a", health=options())
    with checks.play:
        checks.answer()
        checks.says["a"] = -code
        checks.pass_time(1.1)
        if after > 2:
            assert checks.health() == HEALTHY
            checks.pass_time(1.1)
        assert checks.health() == health
        assert (checks.notes.lines == ["a has no health service"]) == (code == status.UNIMPLEMENTED)
        checks.end()


def test_a_watch_is_heard_at_once() -> None:
    """What the server announces needs no check, in both directions."""
    checks = Checks("a", "b", health=options(watch=True))
    with checks.play:
        checks.answer()
        checks.watches["a"].put_data(frame(NOT_SERVING))
        checks.play.settle()
        assert checks.health() == UNHEALTHY
        assert checks.counts(4) == [0, 4]
        checks.watches["a"].put_data(frame(SERVING))
        checks.play.settle()
        assert checks.health() == HEALTHY
        assert checks.asked(path=WATCH) == 1
        checks.end()


def test_a_watch_that_ends_is_opened_again_less_and_less_often() -> None:
    """With a wait that grows; its end says nothing about health. Without the method it is not tried soon."""
    checks = Checks("a", health=options(watch=True))
    with checks.play:
        checks.answer()
        for _ in range(200):
            call = checks.watches.pop("a", None)
            if call is not None:
                call.put_trailers(((b"grpc-status", b"13"),))
            checks.pass_time(0.2)
        assert checks.health() == HEALTHY
        # Each answer before the end starts the waits anew: at least a second apart.
        assert 5 < checks.asked(path=WATCH) <= 45
        checks.end()


def test_a_watch_leaves_a_connection_that_goes_away() -> None:
    """It does not keep a connection open that says GOAWAY, and is opened on the next one."""
    checks = Checks("a", health=options(watch=True))
    with checks.play:
        checks.pass_time(2.0)
        checks.play.server("a").goaway()
        checks.pass_time(3.0)
        first, second = checks.play.server("a").server.connections
        assert not first.open
        assert second.open
        assert checks.asked(path=WATCH) == 2
        checks.end()


def test_a_lost_connection_says_nothing_about_health() -> None:
    """Its state does; the first answer on the next connection decides, and checks find it again soon."""
    checks = Checks("a", health=options(watch=True))
    with checks.play:
        checks.pass_time(10.0)
        checks.play.server("a").set_mode("refuse")
        checks.play.server("a").cut()
        checks.play.advance(30.0)
        assert checks.health() == HEALTHY
        dials = checks.play.server("a").dials
        checks.play.advance(10.0)
        # Each check has it dialled.
        assert checks.play.server("a").dials - dials >= 9
        checks.says["a"] = NOT_SERVING
        checks.play.server("a").set_mode("accept")
        checks.play.advance(1.1)
        checks.answer()
        assert checks.health() == UNHEALTHY
        checks.end()


def test_a_quiet_cluster_is_checked_less_often() -> None:
    """After a minute without calls at the interval for that; a call brings the checks back."""
    health = HealthOptions(1, 1.0, 0.25, 2, 1, "", 0.0, 30.0, watch=False)
    checks = Checks("a", health=health)
    with checks.play:
        checks.pass_time(64.0)
        before = checks.asked()
        checks.pass_time(65.0)
        assert checks.asked() - before <= 3
        checks.play.call(body=b"x")
        checks.play.server("a").last.trailers_only(0)
        before = checks.asked()
        checks.pass_time(5.0)
        assert checks.asked() - before >= 4
        checks.end()


def test_kind_tcp() -> None:
    """A port that accepts is healthy; nothing is sent on the endpoint's connection."""
    checks = Checks("a", "b", health=options(kind=KIND_TCP))
    with checks.play:
        assert (checks.health("a"), checks.health("b")) == (HEALTHY, HEALTHY)
        checks.prober.closed.add("a")
        checks.play.advance(1.1)
        assert checks.health("a") == HEALTHY
        checks.play.advance(1.1)
        assert checks.health("a") == UNHEALTHY
        assert checks.counts(4) == [0, 4]
        checks.prober.silent = True
        checks.play.advance(4.0)
        late = checks.prober.pending[0]
        late.passed()
        assert checks.health("a") == UNHEALTHY
        checks.end()


def test_panic_ignores_health() -> None:
    """With too few healthy ones everybody gets calls; it is shown, counted and told."""
    checks = Checks("a", "b", "c", health=options(), panic=0.5)
    with checks.play:
        checks.says.update(a=NOT_SERVING, b=NOT_SERVING)
        checks.answer()
        cluster = checks.world.clusters.clusters["main"]
        assert checks.counts(6, "abc") == [2, 2, 2]
        assert (cluster.panicking, cluster.panics) == (True, 1)
        assert "main panics" in checks.notes.lines
        checks.says["a"] = SERVING
        checks.pass_time(1.3)
        assert checks.counts(6, "abc") == [3, 0, 3]
        assert (cluster.panicking, cluster.panics) == (False, 1)
        checks.end()


def test_panic_does_not_make_an_unreachable_endpoint_reachable() -> None:
    """What cannot be connected to gets no calls, panic or not."""
    checks = Checks("a", "b", "c", health=options(), panic=0.9)
    with checks.play:
        checks.says["b"] = NOT_SERVING
        checks.answer()
        checks.play.server("a").set_mode("refuse")
        checks.play.server("a").cut()
        assert checks.counts(4, "abc") == [0, 2, 2]
        checks.end()


def test_recovery_starts_slowly() -> None:
    """A small share at first, all of it at the end of the window; the rest is the others'."""
    checks = Checks("a", "b", health=options(), slow=SlowStart(20.0, 1.0, 0.1))
    with checks.play:
        checks.pass_time(25.0)
        checks.says["a"] = NOT_SERVING
        checks.pass_time(1.3)
        checks.says["a"] = SERVING
        checks.pass_time(1.1)
        early = checks.counts(30)
        assert 2 <= early[0] <= 5
        checks.pass_time(9.0)
        middle = checks.counts(15)
        assert 4 <= middle[0] <= 6
        checks.pass_time(12.0)
        assert checks.counts(20) == [10, 10]
        checks.end()


def test_options_change_and_checks_end() -> None:
    """Without `health_check` nobody is unhealthy and nothing is asked; unchanged ones go on."""
    checks = Checks("a", "b", health=options(watch=True))
    with checks.play:
        checks.says["a"] = NOT_SERVING
        checks.answer()
        cluster = checks.world.clusters.clusters["main"]
        group = cluster.checks
        checks.play.apply(snapshot("a", "b", health=options(watch=True), revision=2))
        assert cluster.checks is group
        assert checks.health() == UNHEALTHY
        checks.play.apply(snapshot("a", "b", health=None, revision=3))
        assert checks.health() == UNKNOWN
        assert checks.world.endpoint("a").own_streams == 0
        asked = checks.asked()
        checks.play.advance(5.0)
        assert checks.asked() == asked
        assert checks.counts(4) == [2, 2]
        checks.end()


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", 0),
        (b"\x08\x01", SERVING),
        (b"\x08\x02", NOT_SERVING),
        (b"\x12\x03abc\x08\x01", SERVING),
        (b"\x08", MALFORMED),
        (b"\x12\x7fabc", MALFORMED),
        (b"\x0b", MALFORMED),
        (b"\xff" * 12, MALFORMED),
        (b"\x0d1234\x08\x01", SERVING),
    ],
)
def test_responses(payload: bytes, expected: int) -> None:
    """Unknown fields are passed over; what is no message is told apart."""
    assert response_status(payload) == expected


def test_framing() -> None:
    """Messages come in pieces, several in one piece, and too large or compressed ones not at all."""
    buffer = bytearray(frame(SERVING) + frame(NOT_SERVING)[:4])
    assert take_status(buffer) == SERVING
    assert take_status(buffer) is None
    buffer += frame(NOT_SERVING)[4:]
    assert take_status(buffer) == NOT_SERVING
    assert take_status(bytearray(b"\x01\x00\x00\x00\x00")) == MALFORMED
    assert take_status(bytearray(b"\x00\xff\x00\x00\x00")) == MALFORMED
    assert request_message("") == b"\x00\x00\x00\x00\x00"
    assert request_message("a" * 200)[:8] == b"\x00\x00\x00\x00\xcb\x0a\xc8\x01"


def test_a_check_that_is_answered_unread_leaves_no_stream() -> None:
    """A server that answers before it has let the request through leaves no stream open on the connection."""
    checks = Checks("a", health=options())
    with checks.play:
        checks.answer()
        (link,) = checks.world.endpoint("a").links
        assert link.connection is not None
        link.connection.control.peer.initial_window_bytes = 0
        checks.says["a"] = -status.UNIMPLEMENTED
        checks.pass_time(3.0)
        assert link.connection.active_streams == 0
        checks.end()


def test_an_answer_cut_off_is_not_the_next_ones() -> None:
    """SERVING without an end is no answer, and does not stand for a message that the next one has not."""
    checks = Checks("a", health=options(unhealthy_after=1))
    with checks.play:
        checks.answer()
        assert checks.health() == HEALTHY
        checks.says["a"] = None
        checks.play.advance(INTERVAL_S + 0.1)
        half = checks.play.server("a").server.calls[-1]
        half.put_headers()
        half.put_data(frame(SERVING))
        checks.play.advance(0.3)
        assert checks.health() == UNHEALTHY
        checks.play.advance(INTERVAL_S + 0.05)
        empty = checks.play.server("a").server.calls[-1]
        assert empty is not half
        empty.put_trailers_only(
            ((b":status", b"200"), (b"content-type", b"application/grpc"), (b"grpc-status", b"0"))
        )
        checks.play.settle()
        assert checks.health() == UNHEALTHY
        checks.end()
