"""Members that are found by name."""

from __future__ import annotations

from itertools import pairwise

import pytest

from seawall_policy.members import MAX_MEMBERS, DnsTarget
from seawall_policy.model import ClusterSpec, Snapshot
from seawall_proxy.testing import Playbook, make_policy, make_route, make_snapshot
from seawall_proxy.testing.names import Notes, ScriptedResolver
from seawall_proxy.testing.world import Dice, World

INTERVAL_S = 30.0


class Named:
    """A playbook with one cluster that follows the name `shop`."""

    def __init__(self, *addresses: str, limit: float = 1.0) -> None:
        self.resolver = ScriptedResolver({"shop": list(addresses)} if addresses else {})
        self.notes = Notes()
        self.world = World(draw=Dice(0.0))
        self.world.clusters.resolver = self.resolver
        self.world.clusters.observer = self.notes
        self.limit = limit

    def snapshot(self, host: str = "shop", revision: int = 1, authority: bytes = b"") -> Snapshot:
        """Return the policy."""
        dns = DnsTarget(host, 1, INTERVAL_S, self.limit, 5.0)
        spec = ClusterSpec("main", (), 1, 1024, 1.0, authority, dns=dns)
        return make_snapshot(make_route(make_policy()), clusters={"main": spec}, revision=revision)

    def play(self, *hosts: str) -> Playbook:
        """Return the playbook, with these hosts on the network."""
        book = Playbook(_EMPTY, world=self.world, warm=False)
        for host in hosts:
            book.add_server(host)
        book.apply(self.snapshot())
        return book

    @property
    def members(self) -> list[str]:
        """The addresses of now."""
        return [endpoint.address for endpoint in self.world.clusters.clusters["main"].endpoints]


_EMPTY = make_snapshot(make_route(make_policy()), clusters={"main": ()})


def test_members_are_there_with_the_first_answer() -> None:
    """They are dialled at once, and take turns in one fixed order whatever the order of the answer."""
    named = Named("c", "a", "b", "a")
    with named.play("a", "b", "c") as play:
        assert named.members == ["a", "b", "c"]
        assert [play.server(name).dials for name in "abc"] == [1, 1, 1]
        for _ in range(3):
            play.call(body=b"x")
        assert [play.server(name).count for name in "abc"] == [1, 1, 1]
        play.disconnect()
        play.forget()


def test_an_endpoint_that_vanishes_finishes_its_calls() -> None:
    """New calls go elsewhere; its connection ends when its last call has."""
    named = Named("a")
    with named.play("a", "b") as play:
        call = play.call(body=b"x")
        named.resolver.names["shop"] = ["b"]
        play.advance(INTERVAL_S + 0.1)
        assert named.members == ["b"]
        play.call(body=b"y")
        assert play.server("b").count == 1
        play.server("a").last.reply(b"pong")
        assert call.seen.status == 0
        play.server("b").last.trailers_only(0)
        play.advance(2.1)
        assert not play.server("a").server.connections[0].open
        play.forget()


@pytest.mark.parametrize("answer", [None, []])
def test_the_last_good_answer_stays(answer: list[str] | None) -> None:
    """A failed and an empty lookup change nothing, are counted, and told once until the next good one."""
    named = Named("a")
    with named.play("a", "b"):
        pass
    finder = named.world.clusters.clusters["main"].finder
    assert finder is not None
    if answer is None:
        del named.resolver.names["shop"]
    else:
        named.resolver.names["shop"] = answer
    named.world.advance(3 * INTERVAL_S)
    assert named.members == ["a"]
    assert finder.failures >= 3
    assert finder.last_error != ""
    assert [line for line in named.notes.lines if "failed" in line] == named.notes.lines
    assert len(named.notes.lines) == 1
    named.resolver.names["shop"] = ["b"]
    named.world.advance(1.2 * INTERVAL_S)
    assert named.members == ["b"]
    assert named.notes.lines[-1] == "shop found: 1"


def test_failed_lookups_wait_longer_each_time() -> None:
    """From the least interval up to the ordinary one, never more often."""
    named = Named()
    times: list[float] = []
    with named.play():
        before = named.resolver.asked
        assert before == 1
        for _ in range(1200):
            named.world.advance(0.1)
            if named.resolver.asked > before:
                before = named.resolver.asked
                times.append(named.world.now)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits[0] == pytest.approx(1.6, abs=0.2)
    assert waits == sorted(waits)
    assert waits[-1] <= 1.15 * INTERVAL_S


def test_lost_connections_hurry() -> None:
    """A connection that is lost has the name looked up, but not more often than the least interval."""
    named = Named("a")
    with named.play("a", "b") as play:
        play.advance(5.0)
        assert named.resolver.asked == 1
        named.resolver.names["shop"] = ["b"]
        play.server("a").set_mode("refuse")
        play.server("a").cut()
        play.advance(0.05)
        assert named.resolver.asked == 2
        assert named.members == ["b"]


def test_hurry_has_a_limit() -> None:
    """An endpoint that keeps failing costs one lookup for each least interval at most."""
    named = Named("a", limit=2.0)
    with named.play("a") as play:
        play.server("a").set_mode("refuse")
        play.server("a").cut()
        play.advance(10.0)
        assert 3 <= named.resolver.asked <= 6


def test_answers_are_bounded() -> None:
    """The first thousand addresses are taken, and how many were not is shown."""
    hosts = [f"h{number:04}" for number in range(MAX_MEMBERS + 7)]
    named = Named(*hosts)
    with named.play(*hosts):
        finder = named.world.clusters.clusters["main"].finder
        assert finder is not None
        assert named.members == hosts[:MAX_MEMBERS]
        assert finder.cut_off == 7


def test_a_lookup_without_an_answer_is_given_up() -> None:
    """What comes later is not listened to."""
    named = Named()
    named.resolver.silent = True
    with named.play("a") as play:
        play.advance(9.5)
        assert len(named.resolver.pending) >= 2
        named.resolver.pending[0].answered(["a"])
        assert named.members == []
        named.resolver.pending[-1].answered(["a"])
        assert named.members == ["a"]
        play.settle()


def test_a_change_elsewhere_leaves_the_name_alone() -> None:
    """A reload that changes the cluster neither asks again nor drops a connection; another name keeps the
    members until it is known.
    """
    named = Named("a")
    with named.play("a", "b") as play:
        play.apply(named.snapshot(revision=2, authority=b"other"))
        assert named.resolver.asked == 1
        assert play.server("a").dials == 1
        named.resolver.silent = True
        play.apply(named.snapshot("elsewhere", revision=3))
        assert named.members == ["a"]
        named.resolver.pending[-1].answered(["b"])
        assert named.members == ["b"]
        play.settle()


def test_a_cluster_that_is_gone_asks_no_more() -> None:
    """No timer is left, and an answer that was under way changes nothing."""
    named = Named("a")
    with named.play("a") as play:
        named.resolver.silent = True
        play.advance(INTERVAL_S + 0.1)
        asked = named.resolver.asked
        play.apply(make_snapshot(make_route(make_policy()), clusters={"main": ("a",)}, revision=2))
        named.resolver.pending[-1].answered(["zzz"])
        play.advance(3 * INTERVAL_S)
        assert named.resolver.asked == asked
        assert named.members == ["a"]
