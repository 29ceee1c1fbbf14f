"""What control planes on one store tell each other of their proxies."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain import fleet_share
from seawall_control.domain.fleet_ledger import End
from seawall_control.domain.fleet_share import EndpointSight, Judged, NodeNumbers, Share
from seawall_control.domain.fleet_share_codec import decoded, encoded
from seawall_control.domain.records import MAX_BODY_BYTES
from seawall_control.domain.statistics import ClusterCounters, Counters
from seawall_control.services.fleet_beyond import GONE_S, Beyond

NUMBERS = st.integers(0, 2**53)
COUNTS = st.dictionaries(st.text("ab/", min_size=1, max_size=3), st.integers(1, 99), max_size=2)
# Trailing zeros say nothing and are not kept.
TUPLES = st.lists(NUMBERS, max_size=4).map(lambda v: (*v, 1) if v else ())


def _field(kind: object) -> st.SearchStrategy[object]:
    return {"int": NUMBERS, "float": st.floats(0, 1e9), "Counts": COUNTS}.get(str(kind), TUPLES)


COUNTERS = st.builds(Counters, **{one.name: _field(one.type) for one in fields(Counters)})
CLUSTERS = st.builds(ClusterCounters, **{one.name: _field(one.type) for one in fields(ClusterCounters)})
ROUTES = st.dictionaries(st.text(max_size=4), COUNTERS, max_size=2)
SHARES = st.builds(
    Share,
    run=st.text(max_size=4),
    number=NUMBERS,
    has_ended=st.booleans(),
    is_partial=st.booleans(),
    nodes=st.dictionaries(
        st.text(max_size=4),
        st.builds(
            NodeNumbers,
            NUMBERS,
            NUMBERS,
            NUMBERS,
            boot_id=st.text(max_size=4),
            spooled=NUMBERS,
            spool_age_s=st.floats(0, 1e9),
        ),
        max_size=2,
    ),
    grown=ROUTES,
    ends=st.dictionaries(
        st.text(max_size=4),
        st.builds(
            End, st.text(max_size=4), st.dictionaries(st.text(max_size=4), st.lists(NUMBERS).map(tuple))
        ),
        max_size=2,
    ),
    endpoints=st.dictionaries(
        st.tuples(st.text(max_size=4), st.text(max_size=4)),
        st.builds(
            EndpointSight, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.lists(st.text(max_size=4)).map(tuple)
        ),
        max_size=2,
    ),
    open_breakers=NUMBERS,
    totals=ROUTES,
    clusters=st.dictionaries(st.text(max_size=4), st.tuples(CLUSTERS, NUMBERS), max_size=2),
    breakers=st.lists(st.text(max_size=4), max_size=2).map(tuple),
    judged=st.lists(
        st.builds(
            Judged,
            policy_set=st.text(max_size=4),
            revision=NUMBERS,
            stage=st.integers(-1, 3),
            canary=ROUTES,
            rest=ROUTES,
        ),
        max_size=2,
    ).map(tuple),
)


@given(SHARES)
def test_a_share_is_read_as_it_was_written(share: Share) -> None:
    """Every number of it."""
    assert decoded(encoded(share)) == share


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "[]",
        '{"format": 1}',
        '{"format": 2}',
        encoded(Share(run="r", number=1)).replace('"nodes":{}', '"nodes":{"n":[1]}'),
        encoded(Share(run="r", number=1)).replace('"grown":{}', '"grown":{"r":{"by_code":3}}'),
        encoded(Share(run="r", number=1)).replace('"clusters":{}', '"clusters":{"c":3}'),
        encoded(Share(run="r", number=1)).replace('"ends":{}', '"ends":{"n":3}'),
        encoded(Share(run="r", number=1)).replace('"endpoints":[]', '"endpoints":[["c","a"]]'),
    ],
)
def test_what_is_no_share_is_refused(body: str) -> None:
    """As a document that another version, or somebody else, has written."""
    with pytest.raises(ValueError, match=r"\w"):
        decoded(body)


def test_numbers_of_a_newer_version_are_left_out() -> None:
    """What it adds is no reason not to see its proxies."""
    body = encoded(Share(run="r", number=1, grown={"r": Counters(retries=3)}))
    assert decoded(body.replace('"retries":3', '"retries":3,"later":[1]')).grown["r"] == Counters(retries=3)


def test_a_share_that_would_be_too_long_keeps_what_matters_most() -> None:
    """Who is connected, and what guards judge by, come before lists for people."""
    nodes = {f"proxy-{n:0100}": NodeNumbers(1, 1, 1) for n in range(5000)}
    grown = {"r": Counters(by_code=(1,))}
    breakers = tuple("b" * 1000 for _ in range(500))
    share = Share(run="r", number=1, nodes=nodes, grown=grown, breakers=breakers)
    body = encoded(share)
    assert len(body.encode()) <= MAX_BODY_BYTES
    found = decoded(body)
    assert (found.nodes, found.grown, found.breakers) == (nodes, grown, ())


def test_a_share_of_very_many_says_who_they_are() -> None:
    """And that it says nothing of what they count, so that nobody takes that for nothing."""
    nodes = {f"proxy-{n:0110}": NodeNumbers(10**9, 10**9, 1, "b" * 128) for n in range(5000)}
    found = decoded(encoded(Share(run="r", number=1, nodes=nodes, grown={"r": Counters(by_code=(1,))})))
    assert (found.is_partial, found.grown, found.nodes.keys()) == (True, {}, nodes.keys())


class _Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def now_us(self) -> int:
        return int(self.now_s * 1e6)

    def monotonic_s(self) -> float:
        return self.now_s


def share(number: int, *nodes: str, calls: int = 0, run: str = "run") -> Share:
    """Return a share."""
    return Share(
        run=run,
        number=number,
        nodes=dict.fromkeys(nodes, NodeNumbers(7)),
        grown={"r": Counters(by_code=(calls,))},
    )


def test_a_share_counts_until_nothing_new_is_said() -> None:
    """The same one read again is nothing new, whatever its time on the other's clock."""
    clock = _Clock()
    beyond = Beyond(clock)
    beyond.told({"b": share(1, "one")})
    assert (beyond.nodes(), beyond.plane_of("one"), beyond.numbers_of("one")) == (
        ["one"],
        "b",
        NodeNumbers(7),
    )
    clock.now_s += 3
    assert beyond.numbers_of("one") == NodeNumbers(7, silent_s=3.0)
    assert beyond.plane_of("two") == ""
    clock.now_s += GONE_S + 1
    beyond.told({"b": share(1, "one")})
    assert (beyond.nodes(), beyond.plane_of("one"), beyond.seen_s_ago("one")) == ([], "", GONE_S + 4)
    beyond.told({"b": share(2, "one")})
    assert beyond.plane_of("one") == "b"
    beyond.told({})
    assert beyond.plane_of("one") == ""


def test_calls_are_the_difference_of_shares_also_over_a_restart() -> None:
    """A share that was missed costs nothing; a new process counts from its own zero."""
    clock = _Clock()
    beyond = Beyond(clock)
    for number, calls, run in (
        (3, 10, "run"),
        (4, 25, "run"),
        (6, 60, "run"),
        (1, 5, "next"),
        (2, 9, "next"),
    ):
        clock.now_s += 5
        beyond.told({"b": share(number, "one", calls=calls, run=run)})
    ((routes, length_s),) = beyond.windows(600)
    assert routes["r"].calls == 15 + 35 + 5 + 4
    assert length_s == 20


def test_all_that_a_new_control_plane_has_counted_is_news() -> None:
    """Nobody has seen it before, and it is as young as its first share."""
    clock = _Clock()
    beyond = Beyond(clock)
    beyond.told({"b": share(1, "one", calls=10)})
    assert beyond.windows(60)[0][0]["r"].calls == 10


def test_the_rate_of_one_that_has_gone_fades() -> None:
    """Its proxies are with others now, and are counted there; what it counted is of the past."""
    clock = _Clock()
    beyond = Beyond(clock)
    for number, calls in ((3, 0), (4, 50), (5, 100)):
        clock.now_s += 5
        beyond.told({"b": share(number, "one", calls=calls)})
    for later_s, calls in ((0, 100), (14, 50), (20, 0)):
        clock.now_s += later_s
        ((routes, length_s),) = beyond.windows(20)
        assert (routes["r"].calls if calls else 0) == calls
        assert length_s == (10 if later_s == 0 else 20)


def test_one_that_stops_takes_its_proxies_along_and_leaves_its_calls() -> None:
    """Its last share says so; nobody has to wait until it is missed."""
    clock = _Clock()
    beyond = Beyond(clock)
    beyond.told({"b": share(1, "one", calls=10)})
    beyond.told({"b": replace(share(2, calls=15), has_ended=True)})
    assert (beyond.nodes(), beyond.plane_of("one")) == ([], "")
    assert beyond.windows(60)[0][0]["r"].calls == 15


def test_an_old_document_is_not_believed_until_there_is_a_newer_one() -> None:
    """As of a control plane that died before this one started; or its clock is wrong, which the next share
    shows.
    """
    beyond = Beyond(_Clock())
    beyond.told({"b": share(40, "one")}, unproven={"b"})
    assert beyond.plane_of("one") == ""
    beyond.told({"b": share(40, "one")}, unproven={"b"})
    assert beyond.plane_of("one") == ""
    beyond.told({"b": share(41, "one")}, unproven={"b"})
    assert beyond.plane_of("one") == "b"


def test_what_was_counted_of_a_proxy_is_waited_for() -> None:
    """Two shares after it came, or one that says that it has left; whoever has gone says nothing more."""
    clock = _Clock()
    beyond = Beyond(clock)
    there = share(3, "one")
    beyond.told({"b": there})
    came_s = clock.now_s = clock.now_s + 1
    clock.now_s += 1
    assert not beyond.have_told_of("one", came_s)
    beyond.told({"b": replace(there, number=4)})
    assert not beyond.have_told_of("one", came_s)
    clock.now_s += 1
    end = End("run", {"r": (5,)})
    beyond.told({"b": replace(there, number=5, nodes={}, ends={"one": end})})
    assert beyond.have_told_of("one", came_s)
    assert beyond.end_of("one", "run") == end
    assert beyond.end_of("one", "other") is None
    late_s = clock.now_s
    assert not beyond.have_told_of("one", late_s)
    clock.now_s += GONE_S + 1
    assert beyond.have_told_of("one", late_s)
    assert beyond.end_of("one", "run") == end


def test_the_furthest_end_of_a_run_counts() -> None:
    """Two control planes have counted the same proxy; a process that took a name over has counted less."""
    beyond = Beyond(_Clock())
    for number, calls in ((3, 5), (4, 9), (5, 2)):
        beyond.told({"b": replace(share(number), ends={"one": End("run", {"r": (calls,)})})})
    assert beyond.end_of("one", "run") == End("run", {"r": (9,)})


def test_judgements_are_for_one_stage_of_one_rollout() -> None:
    """What was counted in the stage before is not held against this one."""
    beyond = Beyond(_Clock())
    judged = Judged(policy_set="default", revision=2, stage=1, canary={"r": Counters(by_code=(1,))}, rest={})
    beyond.told({"b": Share(run="r", number=1, judged=(judged,))})
    assert beyond.judged("default", 2, 1) == [judged]
    for other in (("default", 2, 0), ("other", 2, 1), ("default", 3, 1)):
        assert beyond.judged(*other) == []


def test_the_kind_is_a_documents() -> None:
    """Its name is what the record store knows it by."""
    assert fleet_share.KIND == "fleet-share"
