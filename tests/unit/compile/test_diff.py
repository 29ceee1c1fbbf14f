"""Changes between two documents."""

from __future__ import annotations

from seawall.v1 import policy_pb2
from seawall_policy.diff import Change, changes
from tests.unit.compile.samples import document

ROUTES = "routes: [{name: a, cluster: shop, match: {service: s}}, {name: b, cluster: shop}]\n"


def diff(left: str, right: str) -> list[Change]:
    """Compare two documents given as YAML."""
    return changes(document(left), document(right))


def test_equal_documents_have_no_changes() -> None:
    """A document does not differ from itself."""
    assert diff(ROUTES, ROUTES) == []


def test_routes_are_addressed_by_name() -> None:
    """A change of a route does not depend on where it stands."""
    right = """
routes:
  - {name: new, cluster: backup}
  - {name: a, cluster: backup, match: {service: s}}
  - {name: b, cluster: shop}
"""
    assert diff(ROUTES, right) == [
        Change("routes[a].cluster", '"shop"', '"backup"'),
        Change("routes[new]", "", '{"name": "new", "cluster": "backup"}'),
    ]


def test_removed_elements_show_what_they_were() -> None:
    """What is gone appears whole on the left."""
    right = "routes: [{name: b, cluster: shop}]"
    assert diff(ROUTES, right) == [
        Change("routes[a]", '{"name": "a", "match": {"service": "s"}, "cluster": "shop"}', "")
    ]


def test_a_new_order_is_said_once() -> None:
    """Order decides between equal matches, so it is a change of the list."""
    right = "routes: [{name: b, cluster: shop}, {name: a, cluster: shop, match: {service: s}}]"
    assert diff(ROUTES, right) == [Change("routes", '["a", "b"]', '["b", "a"]')]


def test_values_are_in_the_words_of_the_file() -> None:
    """Durations, percentages and choices read as a person wrote them."""
    policy = "policies: {p: {timeout: %s, breaker: {failure_rate: %s, mode: %s}, retry: {codes: %s}}}"
    left = ROUTES + policy % ("90s", "50%", "shadow", "[ABORTED]")
    right = ROUTES + policy % ("2s", "12.5", "off", "[INTERNAL, ABORTED]")
    assert diff(left, right) == [
        Change("policies.p.timeout", '"1m30s"', '"2s"'),
        Change("policies.p.retry.codes", '["ABORTED"]', '["INTERNAL", "ABORTED"]'),
        Change("policies.p.breaker.failure_rate", '"50%"', '"12.5%"'),
        Change("policies.p.breaker.mode", '"shadow"', '"off"'),
    ]


def test_unnamed_elements_are_addressed_by_index() -> None:
    """Fallbacks have no name; classifications have their code."""
    left = (
        ROUTES
        + "policies: {p: {fallback: [{when: any, cluster: backup}], "
        + "classify: [{code: ABORTED, category: unknown}]}}"
    )
    right = ROUTES + (
        "policies: {p: {fallback: [{when: INTERNAL, cluster: backup}, {when: any, static: {json: {a: [1, "
        "null]}}}],"
        " classify: [{code: INTERNAL, category: unknown}, {code: ABORTED, category: resource}]}}"
    )
    assert diff(left, right) == [
        Change("policies.p.fallback[0].when", '["any"]', '["INTERNAL"]'),
        Change("policies.p.fallback[1]", "", '{"when": ["any"], "static": {"json": {"a": [1, null]}}}'),
        Change("policies.p.classify[ABORTED].category", '"unknown"', '"resource"'),
        Change("policies.p.classify[INTERNAL]", "", '{"code": "INTERNAL", "category": "unknown"}'),
    ]


def test_an_empty_message_is_a_change() -> None:
    """A breaker with all defaults is not the same as none."""
    assert diff(ROUTES + "policies: {p: {}}", ROUTES + "policies: {p: {breaker: {}}}") == [
        Change("policies.p.breaker", "", "{}")
    ]


def test_bootstrap_parts_count_only_when_asked() -> None:
    """Listeners are no part of a revision."""
    left, right = document(ROUTES), document(ROUTES + "listeners: [{name: l, address: '127.0.0.1:1'}]")
    assert changes(left, right) == []
    assert [c.field for c in changes(left, right, bootstrap=True)] == ["listeners"]


def test_descriptors_are_compared_and_not_shown() -> None:
    """Bytes that nobody can read appear as their hash."""
    left, right = document(ROUTES), document(ROUTES)
    right.descriptor_set = b"\x0a\x00"
    [change] = changes(left, right)
    assert change.field == "descriptor_set"
    assert change.after.startswith('"sha256:')


def test_from_nothing() -> None:
    """Against an empty document everything is new."""
    fields = [c.field for c in changes(policy_pb2.PolicyDocument(), document(ROUTES))]
    assert fields == ["version", "clusters", "routes"]
