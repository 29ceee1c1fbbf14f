"""A whole document: all mistakes at once, or a snapshot."""

from __future__ import annotations

from math import inf

import pytest

from seawall.v1 import policy_pb2
from seawall_policy import status
from seawall_policy.compile import compile_document, digest
from seawall_policy.model import BALANCE_LEAST_REQUEST, BALANCE_ROUND_ROBIN
from tests.unit.compile.samples import compiled, document, errors, message, warnings

ROUTE = "routes: [{name: r, cluster: shop}]"


def test_good_document_becomes_a_snapshot() -> None:
    """Without mistakes there is a snapshot that carries revision and digest."""
    good = document(ROUTE)
    result = compile_document(good, revision=7)
    assert errors(result) == []
    assert result.snapshot is not None
    assert result.snapshot.revision == 7
    assert result.snapshot.digest == digest(good)
    assert [route.name for route in result.snapshot.routes] == ["r"]
    assert set(result.snapshot.clusters) == {"shop", "backup"}


def test_one_mistake_is_enough_for_no_snapshot() -> None:
    """A snapshot is there exactly when no violation is a mistake."""
    result = compiled("routes: [{name: r, cluster: nowhere}]")
    assert result.snapshot is None
    assert errors(result) == [("routes[0].cluster", "SW0202")]


def test_all_mistakes_are_reported_at_once() -> None:
    """Mistakes in different corners do not hide each other."""
    result = compiled("""
listeners: [{name: a, address: nonsense}]
policies:
  p: {timeout: 0s, retry: {max_attempts: 9, codes: [UNAVAILABL, OK]}, breaker: {failure_rate: 0%}}
routes:
  - {name: r, cluster: shop, policy: p}
  - {name: r, match: {method: M}, policy: nope}
""")
    assert set(errors(result)) == {
        ("listeners[0].address", "SW0105"),
        ("policies.p.timeout", "SW0102"),
        ("policies.p.retry.max_attempts", "SW0102"),
        ("policies.p.retry.codes[0]", "SW0103"),
        ("policies.p.retry.codes[1]", "SW0103"),
        ("policies.p.breaker.failure_rate", "SW0102"),
        ("routes[1].name", "SW0201"),
        ("routes[1].match.method", "SW0107"),
        ("routes[1].cluster", "SW0107"),
        ("routes[1].policy", "SW0203"),
    }


def test_version_is_required() -> None:
    """Only version v1 exists, and it must be said."""
    for text in ("", "version: v2\n"):
        assert ("version", "SW0101") in errors(compiled(ROUTE, base=text + "clusters: []\n"))


def test_empty_document_has_no_routes() -> None:
    """A document without routes is allowed, with a warning, so that a control plane may start empty."""
    result = compile_document(policy_pb2.PolicyDocument(version="v1"))
    assert result.snapshot is not None
    assert warnings(result) == [("routes", "SW0513")]


def test_digest_ignores_the_bootstrap_parts() -> None:
    """Listeners, control link, admin address and descriptor file names are no part of a revision's
    identity.
    """
    plain = document(ROUTE)
    bootstrapped = document(
        ROUTE
        + "\nlisteners: [{name: a, address: '127.0.0.1:0'}]\ncontrol: 127.0.0.1:9090\nadmin: 127.0.0.1:0\n"
    )
    bootstrapped.descriptor_files.append("x.binpb")
    other = document("routes: [{name: other, cluster: shop}]")
    assert digest(plain) == digest(bootstrapped)
    assert digest(plain) != digest(other)
    assert len(digest(plain)) == 64


def test_digest_leaves_the_document_alone() -> None:
    """Computing the digest does not strip the caller's document."""
    bootstrapped = document(ROUTE + "\nlisteners: [{name: a, address: '127.0.0.1:0'}]\n")
    digest(bootstrapped)
    assert len(bootstrapped.listeners) == 1


def test_unknown_fields_are_refused() -> None:
    """A field from a newer version is a mistake at its message, because it could not be carried out."""
    newer = document(
        "policies: {p: {retry: {max_attempts: 2}}}\nroutes: [{name: r, cluster: shop, policy: p}]"
    )
    newer.policies["p"].retry.MergeFromString(b"\xfa\x06\x01x")  # field 111, one byte
    result = compile_document(newer)
    assert ("policies.p.retry", "SW0110") in errors(result)
    assert "111" in message(result, "SW0110")


def test_unknown_choices_are_refused() -> None:
    """A number that no known choice of an enumeration has is a mistake, not the default."""
    newer = document(ROUTE)
    newer.clusters[0].balance = 99  # type: ignore[assignment]
    assert errors(compile_document(newer)) == [("clusters[0].balance", "SW0110")]


def test_cluster_defaults() -> None:
    """A cluster that says nothing gets round robin, 1024 attempts in flight, 5 s to connect, the client's
    authority.
    """
    snapshot = compiled(ROUTE).snapshot
    assert snapshot is not None
    cluster = snapshot.clusters["shop"]
    assert cluster.endpoints == ("127.0.0.1:50051",)
    assert cluster.balance == BALANCE_ROUND_ROBIN
    assert cluster.max_in_flight == 1024
    assert cluster.connect_timeout_s == 5.0
    assert cluster.authority == b""


def test_cluster_settings() -> None:
    """Every setting of a cluster reaches the snapshot."""
    snapshot = compiled(
        """
clusters:
  - name: shop
    endpoints: ["a:1", "[::1]:2"]
    balance: least_request
    max_in_flight: 7
    connect_timeout: 250ms
    authority: shop.internal
routes: [{name: r, cluster: shop}]
""",
        base="version: v1",
    ).snapshot
    assert snapshot is not None
    cluster = snapshot.clusters["shop"]
    assert cluster.endpoints == ("a:1", "[::1]:2")
    assert cluster.balance == BALANCE_LEAST_REQUEST
    assert cluster.max_in_flight == 7
    assert cluster.connect_timeout_s == 0.25
    assert cluster.authority == b"shop.internal"


def test_route_without_policy_gets_the_standard_one() -> None:
    """`builtin/standard` applies where a route names no policy."""
    snapshot = compiled(ROUTE).snapshot
    assert snapshot is not None
    policy = snapshot.routes[0].policy
    assert policy.name == "builtin/standard"
    assert policy.timeout_s == inf
    assert policy.retry.only_idempotent
    assert policy.breaker is not None


def test_policy_without_settings_does_nothing() -> None:
    """What a policy does not mention is off: no timeout, one attempt, no breaker, no fallback."""
    snapshot = compiled("policies: {p: {}}\nroutes: [{name: r, cluster: shop, policy: p}]").snapshot
    assert snapshot is not None
    policy = snapshot.routes[0].policy
    assert (policy.timeout_s, policy.per_try_timeout_s) == (inf, inf)
    assert policy.retry.max_attempts == 1
    assert policy.breaker is None
    assert policy.fallback == ()


def test_routes_share_the_policy_of_one_name() -> None:
    """Two routes with one policy hold the same object, so that its size counts once."""
    snapshot = compiled(
        "policies: {p: {}}\nroutes: [{name: a, cluster: shop, policy: p}, {name: b, cluster: shop, policy: "
        "p}]"
    ).snapshot
    assert snapshot is not None
    assert snapshot.routes[0].policy is snapshot.routes[1].policy


def test_classification_reaches_the_classifier() -> None:
    """An override changes category and strategy of its code only."""
    snapshot = compiled("""
policies: {p: {classify: [{code: INTERNAL, category: transient}, {code: NOT_FOUND, strategy: dead_letter}]}}
routes: [{name: r, cluster: shop, policy: p}]
""").snapshot
    assert snapshot is not None
    classifier = snapshot.routes[0].policy.classifier
    assert classifier.category(status.INTERNAL) == policy_pb2.CATEGORY_TRANSIENT
    assert classifier.strategy(status.NOT_FOUND) == policy_pb2.STRATEGY_DEAD_LETTER
    assert classifier.category(status.DATA_LOSS) == policy_pb2.CATEGORY_PERMANENT


def test_classification_mistakes() -> None:
    """A classification names a code once and says what to change."""
    result = compiled("""
policies: {p: {classify: [{category: transient}, {code: INTERNAL}, {code: ABORTED, category: unknown},
                          {code: ABORTED, strategy: retry}]}}
routes: [{name: r, cluster: shop, policy: p}]
""")
    assert errors(result) == [
        ("policies.p.classify[0].code", "SW0107"),
        ("policies.p.classify[1]", "SW0107"),
        ("policies.p.classify[3].code", "SW0201"),
    ]


def test_control_link_and_admin_are_checked() -> None:
    """The bootstrap parts are checked like all others."""
    result = compiled(ROUTE + "\ncontrol: {target: 'nohost', node: 'a b'}\nadmin: ':1'")
    assert errors(result) == [
        ("admin.address", "SW0105"),
        ("control.target", "SW0105"),
        ("control.node", "SW0106"),
    ]
    assert errors(compiled(ROUTE + "\ncontrol: {node: n}")) == [("control.target", "SW0107")]


@pytest.mark.parametrize("node", ["a/../../x", "../..", "/etc", "a//b", "a/", ".", "a\\nb", "n" * 129])
def test_a_node_name_stays_in_its_folder(node: str) -> None:
    """The name is also that of the folder of the proxy's state: one that leads elsewhere is a mistake."""
    result = compiled(ROUTE + f'\ncontrol: {{target: "127.0.0.1:9090", node: "{node}"}}')
    assert errors(result) == [("control.node", "SW0106")]


def test_a_node_name_may_have_parts() -> None:
    """Slashes and dots are for order among many proxies."""
    assert not errors(compiled(ROUTE + '\ncontrol: {target: "127.0.0.1:9090", node: "eu/shop-1.b"}'))
