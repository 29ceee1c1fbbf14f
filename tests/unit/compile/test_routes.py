"""Routes: conditions, destinations, names."""

from __future__ import annotations

import pytest

from seawall_policy.model import Route
from tests.unit.compile.samples import compiled, errors, message, warnings


def route(text: str) -> Route:
    """Return the only route of a document."""
    result = compiled(f"routes: [{{name: r, {text}}}]")
    assert result.snapshot is not None, result.violations
    return result.snapshot.routes[0]


def test_conditions_reach_the_route() -> None:
    """Service, method, metadata and the declaration of idempotence arrive as they were written."""
    found = route(
        "match: {service: shop.v1.Checkout, method: PlaceOrder, metadata: [{name: x-tier, value: gold}]},"
        " cluster: shop, idempotent: true"
    )
    assert (found.service, found.method, found.idempotent) == ("shop.v1.Checkout", "PlaceOrder", True)
    assert [(c.name, c.value) for c in found.metadata] == [(b"x-tier", b"gold")]


def test_one_cluster_is_a_backend_of_weight_one() -> None:
    """`cluster` is short for one backend."""
    assert route("cluster: shop").backends == (("shop", 1),)


def test_weights_are_cumulative_and_zero_is_left_out() -> None:
    """The draw compares with running totals; a weight of 0 is never drawn, an absent one is 1."""
    found = route("backends: [{cluster: shop, weight: 90}, {cluster: backup, weight: 0}, {cluster: backup}]")
    assert found.backends == (("shop", 90), ("backup", 91))


@pytest.mark.parametrize(
    ("text", "field", "code"),
    [
        ("cluster: ''", "cluster", "SW0107"),
        ("cluster: shop, backends: [{cluster: shop}]", "", "SW0108"),
        ("cluster: nope", "cluster", "SW0202"),
        ("backends: [{cluster: nope}]", "backends[0].cluster", "SW0202"),
        ("backends: [{weight: 1}]", "backends[0].cluster", "SW0107"),
        ("backends: [{cluster: shop, weight: 1000001}]", "backends[0].weight", "SW0102"),
        ("backends: [{cluster: shop, weight: 0}]", "backends", "SW0102"),
        ("cluster: shop, policy: nope", "policy", "SW0203"),
        ("cluster: shop, match: {method: M}", "match.method", "SW0107"),
        ("cluster: shop, match: {service: /shop.v1.Checkout}", "match.service", "SW0112"),
        ("cluster: shop, match: {service: shop..Checkout}", "match.service", "SW0112"),
        ("cluster: shop, match: {service: s, method: a/b}", "match.method", "SW0112"),
        ("cluster: shop, match: {service: 'ü'}", "match.service", "SW0112"),
        ("cluster: shop, match: {metadata: [{value: v}]}", "match.metadata[0].name", "SW0107"),
        ("cluster: shop, match: {metadata: [{name: X-Tier, value: v}]}", "match.metadata[0].name", "SW0111"),
        ("cluster: shop, match: {metadata: [{name: x-bin, value: v}]}", "match.metadata[0].name", "SW0111"),
        ("cluster: shop, match: {metadata: [{name: ':path', value: v}]}", "match.metadata[0].name", "SW0111"),
        (
            "cluster: shop, match: {metadata: [{name: grpc-timeout, value: v}]}",
            "match.metadata[0].name",
            "SW0111",
        ),
        ("cluster: shop, match: {metadata: [{name: 'a b', value: v}]}", "match.metadata[0].name", "SW0111"),
        ("cluster: shop, match: {metadata: [{name: a, value: 'ü'}]}", "match.metadata[0].value", "SW0111"),
        ("cluster: shop, match: {metadata: [{name: a, value: ' v'}]}", "match.metadata[0].value", "SW0111"),
    ],
)
def test_mistakes(text: str, field: str, code: str) -> None:
    """Each mistake is reported at its own field."""
    path = f"routes[0].{field}" if field else "routes[0]"
    assert errors(compiled(f"routes: [{{name: r, {text}}}]")) == [(path, code)]


def test_a_path_is_taken_apart_for_the_author() -> None:
    """Who writes a path is told how to write it."""
    result = compiled("routes: [{name: r, cluster: shop, match: {service: /shop.v1.Checkout/PlaceOrder}}]")
    assert "write `service: shop.v1.Checkout, method: PlaceOrder`" in message(result, "SW0112")


@pytest.mark.parametrize("name", ["", "a b", "-a", "ü", "x" * 129, "a\\nb"])
def test_names(name: str) -> None:
    """Names are keys of metrics and events, so their letters are limited."""
    result = compiled(f'routes: [{{name: "{name}", cluster: shop}}]')
    assert [field for field, _ in errors(result)] == ["routes[0].name"]


def test_duplicate_names() -> None:
    """The second bearer of a name is told, for listeners, clusters and routes."""
    result = compiled(
        """
listeners: [{name: a, address: '127.0.0.1:1'}, {name: a, address: '127.0.0.1:2'}]
clusters: [{name: c, endpoints: ['a:1']}, {name: c, endpoints: ['a:1']}]
routes: [{name: r, cluster: c, match: {service: a}}, {name: r, cluster: c}]
""",
        base="version: v1",
    )
    assert errors(result) == [
        ("listeners[1].name", "SW0201"),
        ("clusters[1].name", "SW0201"),
        ("routes[1].name", "SW0201"),
    ]


def test_duplicate_listener_addresses() -> None:
    """Two listeners cannot bind one address, except port 0, which is a new one each time."""
    same = "listeners: [{name: a, address: '127.0.0.1:%d'}, {name: b, address: '127.0.0.1:%d'}]"
    tail = "\nroutes: [{name: r, cluster: shop}]"
    assert errors(compiled(same % (1, 1) + tail)) == [("listeners[1].address", "SW0201")]
    assert errors(compiled(same % (0, 0) + tail)) == []


def test_limits() -> None:
    """Lists that are compared for every call have an end."""
    conditions = ", ".join(f"{{name: a{i}, value: v}}" for i in range(17))
    result = compiled(f"routes: [{{name: r, cluster: shop, match: {{metadata: [{conditions}]}}}}]")
    assert errors(result) == [("routes[0].match.metadata", "SW0113")]
    backends = ", ".join("{cluster: shop}" for _ in range(65))
    assert errors(compiled(f"routes: [{{name: r, backends: [{backends}]}}]")) == [
        ("routes[0].backends", "SW0113")
    ]


def test_repetition_is_warned_about() -> None:
    """What is said twice changes nothing, and is probably a slip."""
    result = compiled(
        """
clusters: [{name: c, endpoints: ['a:1', 'a:1']}, {name: d, endpoints: ['d:1']}]
policies: {p: {retry: {max_attempts: 2, only_idempotent: false, codes: [ABORTED, ABORTED]},
               fallback: [{when: any, cluster: d}, {when: any, cluster: d}]}}
routes: [{name: r, backends: [{cluster: c}, {cluster: c}], policy: p,
          match: {metadata: [{name: a, value: v}, {name: a, value: v}]}}]
""",
        base="version: v1",
    )
    assert warnings(result) == [
        ("clusters[0].endpoints[1]", "SW0515"),
        ("policies.p.retry.codes[1]", "SW0515"),
        ("policies.p.fallback[1].cluster", "SW0515"),
        ("routes[0].match.metadata[1]", "SW0515"),
        ("routes[0].backends[1].cluster", "SW0515"),
    ]
