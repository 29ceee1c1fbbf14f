"""Match precedence against a naive reference."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_policy.breaker import BreakerOptions
from seawall_policy.classify import Classifier
from seawall_policy.match import RouteTable
from seawall_policy.model import MetadataCondition, Policy, Route
from seawall_policy.retry import RetryOptions

POLICY = Policy("p", 1.0, 1.0, RetryOptions(), BreakerOptions(), (), Classifier())

Conditions = frozenset[tuple[bytes, bytes]]
CONDITIONS = st.frozensets(
    st.tuples(st.sampled_from([b"x", b"y"]), st.sampled_from([b"1", b"2"])), max_size=3
)
WHICH = st.sampled_from([("", ""), ("a.S", ""), ("a.S", "M"), ("a.S", "N"), ("b.S", ""), ("b.S", "M")])


def make(index: int, which: tuple[str, str], conditions: Conditions) -> Route:
    """Return a route."""
    metadata = tuple(MetadataCondition(name, value) for name, value in sorted(conditions))
    return Route(f"r{index}", which[0], which[1], metadata, (("c", 1),), POLICY, False)


def holds(route: Route, service: str, method: str, metadata: Conditions) -> bool:
    """Tell whether a call fulfils all conditions of a route."""
    return (
        route.service in ("", service)
        and route.method in ("", method)
        and all((c.name, c.value) in metadata for c in route.metadata)
    )


def reference(routes: list[Route], service: str, method: str, metadata: Conditions) -> list[str]:
    """Return the matching routes in order, by comparing all of them."""
    ranked = [
        (-(route.service != ""), -(route.method != ""), -len(route.metadata), index, route.name)
        for index, route in enumerate(routes)
        if holds(route, service, method, metadata)
    ]
    return [name for *_, name in sorted(ranked)]


@settings(max_examples=200)
@given(
    routes=st.lists(st.tuples(WHICH, CONDITIONS), max_size=7),
    service=st.sampled_from(["a.S", "b.S", "c.S"]),
    method=st.sampled_from(["M", "N"]),
    metadata=CONDITIONS,
    data=st.data(),
)
def test_precedence(
    routes: list[tuple[tuple[str, str], Conditions]],
    service: str,
    method: str,
    metadata: Conditions,
    data: st.DataObject,
) -> None:
    """Candidates whose conditions hold come in the order of the reference; moving routes about changes
    only ties.
    """
    made = [make(index, which, conditions) for index, (which, conditions) in enumerate(routes)]
    path = f"/{service}/{method}".encode()
    found = [r for r in RouteTable(tuple(made)).candidates(path) if holds(r, service, method, metadata)]
    assert [r.name for r in found] == reference(made, service, method, metadata)

    moved = data.draw(st.permutations(made))
    again = [r for r in RouteTable(tuple(moved)).candidates(path) if holds(r, service, method, metadata)]
    assert [r.name for r in again] == reference(moved, service, method, metadata)
    assert [rank(r) for r in again] == [rank(r) for r in found]


def rank(route: Route) -> tuple[str, str, int]:
    """Return what precedence looks at beside the order of the document."""
    return (route.service, route.method, len(route.metadata))
