"""What control planes on one store tell each other of their proxies."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain import fleet_share
from seawall_control.domain.fleet_share import Judged, NodeNumbers, Share, decoded, encoded
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
    nodes=st.dictionaries(st.text(max_size=4), st.builds(NodeNumbers, NUMBERS, NUMBERS, NUMBERS), max_size=2),
    grown=ROUTES,
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
        '{"format": 2}',
        encoded(Share(run="r", number=1)).replace('"nodes":{}', '"nodes":{"n":[1]}'),
        encoded(Share(run="r", number=1)).replace('"grown":{}', '"grown":{"r":{"by_code":3}}'),
        encoded(Share(run="r", number=1)).replace('"clusters":{}', '"clusters":{"c":3}'),
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
    assert beyond.plane_of("two") == ""
    clock.now_s += GONE_S + 1
    beyond.told({"b": share(1, "one")})
    assert (beyond.nodes(), beyond.plane_of("one"), beyond.windows(60)) == ([], "", [])
    beyond.told({"b": share(2, "one")})
    assert beyond.plane_of("one") == "b"
    beyond.told({})
    assert beyond.plane_of("one") == ""


def test_calls_are_the_difference_of_shares_also_over_a_restart() -> None:
    """A share that was missed costs nothing; a new process counts from its own zero."""
    clock = _Clock()
    beyond = Beyond(clock)
    for number, calls, run in (
        (1, 10, "run"),
        (2, 25, "run"),
        (4, 60, "run"),
        (1, 5, "next"),
        (2, 9, "next"),
    ):
        clock.now_s += 5
        beyond.told({"b": share(number, "one", calls=calls, run=run)})
    ((routes, length_s),) = beyond.windows(600)
    assert routes["r"].calls == 15 + 35 + 5 + 4
    assert length_s == 20


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
