"""Candidates for a path, most specific first."""

from __future__ import annotations

import pytest

from seawall_policy.match import RouteTable
from tests.unit.compile.samples import compiled

ROUTES = """routes:
  - {name: any, cluster: shop}
  - {name: any-gold, cluster: shop, match: {metadata: [{name: x-tier, value: gold}]}}
  - {name: service, cluster: shop, match: {service: a.S}}
  - name: service-two
    cluster: shop
    match: {service: a.S, metadata: [{name: x, value: "1"}, {name: y, value: "2"}]}
  - {name: service-one, cluster: shop, match: {service: a.S, metadata: [{name: x, value: "1"}]}}
  - {name: service-other, cluster: shop, match: {service: a.S, metadata: [{name: z, value: "1"}]}}
  - {name: exact, cluster: shop, match: {service: a.S, method: M}}
  - name: exact-gold
    cluster: shop
    match: {service: a.S, method: M, metadata: [{name: x-tier, value: gold}]}
  - {name: elsewhere, cluster: shop, match: {service: a.T, method: M}}
"""


@pytest.fixture(name="table")
def make_table() -> RouteTable:
    """Return the table of ROUTES."""
    snapshot = compiled(ROUTES).snapshot
    assert snapshot is not None
    return RouteTable(snapshot.routes)


SERVICE = ["service-two", "service-one", "service-other", "service"]
ANY = ["any-gold", "any"]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (b"/a.S/M", ["exact-gold", "exact", *SERVICE, *ANY]),
        (b"/a.S/N", [*SERVICE, *ANY]),
        (b"/a.S/m", [*SERVICE, *ANY]),
        (b"/a.T/M", ["elsewhere", *ANY]),
        (b"/a.T/N", ANY),
        (b"/b.S/M", ANY),
        (b"/a.S", ANY),
        (b"/a.S/", [*SERVICE, *ANY]),
        (b"a.S/M", ANY),
        (b"//a.S/M", ANY),
        (b"/", ANY),
        (b"//", ANY),
        (b"", ANY),
        (b"/x/a.S/M", ANY),
        (b"/\xff/M", ANY),
    ],
)
def test_precedence(table: RouteTable, path: bytes, names: list[str]) -> None:
    """Method before service before any; more conditions before fewer; then the order of the document."""
    assert [route.name for route in table.candidates(path)] == names


def test_metadata_names(table: RouteTable) -> None:
    """The table says which metadata any route looks at."""
    assert table.metadata_names == {b"x-tier", b"x", b"y", b"z"}


def test_empty_table() -> None:
    """Without routes nothing matches."""
    assert RouteTable(()).candidates(b"/a.S/M") == ()
    assert RouteTable(()).metadata_names == frozenset()
