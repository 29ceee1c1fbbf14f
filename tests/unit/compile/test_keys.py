"""Idempotency keys and the journal in a policy."""

from __future__ import annotations

import pytest

from seawall_policy.descriptors import DescriptorSource
from seawall_policy.journal import IdempotencyOptions
from tests.unit.compile.samples import compiled, errors, policy_of, shop_descriptors, warnings


def options(settings: str) -> IdempotencyOptions:
    """Return what is compiled from `idempotency`."""
    result = policy_of(f"{{idempotency: {settings}}}")
    assert result.snapshot is not None, result.violations
    found = result.snapshot.routes[0].policy.idempotency
    assert found is not None
    return found


def test_defaults() -> None:
    """A key under the usual name, and nothing done with it."""
    found = options("{}")
    assert (found.key, found.generate, found.server_honours, found.journal) == (
        b"idempotency-key",
        False,
        False,
        None,
    )
    journal = options("{journal: {}}").journal
    assert journal is not None
    assert (journal.ttl_s, journal.max_entries, journal.memory_bytes) == (86_400.0, 10_000, 64 << 20)
    assert journal.scope == (b"authorization",)


def test_everything_said() -> None:
    """Each setting arrives."""
    found = options(
        "{key: x-key, generate: true, server_honours: true,"
        " journal: {ttl: 1m, max_entries: 7, memory: 128KiB, scope: [x-tenant, x-user]}}"
    )
    assert (found.key, found.generate, found.server_honours) == (b"x-key", True, True)
    assert found.journal is not None
    assert (found.journal.ttl_s, found.journal.max_entries, found.journal.memory_bytes) == (60.0, 7, 131_072)
    assert found.journal.scope == (b"x-tenant", b"x-user")


def test_none_without_a_word() -> None:
    """A policy that says nothing about keys has none."""
    result = policy_of("{timeout: 1s}")
    assert result.snapshot is not None
    assert result.snapshot.routes[0].policy.idempotency is None


@pytest.mark.parametrize(
    ("settings", "place", "code"),
    [
        ("{key: X-Key}", "key", "SW0153"),
        ("{key: x-key-bin}", "key", "SW0153"),
        ("{key: grpc-timeout}", "key", "SW0153"),
        ("{key: seawall-x}", "key", "SW0153"),
        ("{key: content-type}", "key", "SW0153"),
        ("{journal: {ttl: 500ms}}", "journal.ttl", "SW0102"),
        ("{journal: {ttl: 169h}}", "journal.ttl", "SW0102"),
        ("{journal: {max_entries: 0}}", "journal.max_entries", "SW0102"),
        ("{journal: {max_entries: 1000001}}", "journal.max_entries", "SW0102"),
        ("{journal: {memory: 1KiB}}", "journal.memory", "SW0102"),
        ("{journal: {memory: 2GiB}}", "journal.memory", "SW0102"),
        ("{journal: {scope: [x-a-bin]}}", "journal.scope[0]", "SW0153"),
        ("{journal: {scope: [a, b, c, d, e, f, g, h, i]}}", "journal.scope[8]", "SW0113"),
    ],
)
def test_mistakes(settings: str, place: str, code: str) -> None:
    """Each at its place."""
    assert errors(policy_of(f"{{idempotency: {settings}}}")) == [(f"policies.p.idempotency.{place}", code)]


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ("{}", [("policies.p.idempotency", "SW0512")]),
        ("{key: x-key}", [("policies.p.idempotency", "SW0512")]),
        ("{generate: true}", [("policies.p.idempotency.generate", "SW0512")]),
        ("{generate: true, server_honours: true}", []),
        ("{server_honours: true}", []),
        ("{journal: {scope: [a, a]}}", [("policies.p.idempotency.journal.scope[1]", "SW0515")]),
    ],
)
def test_keys_that_change_nothing(settings: str, found: list[tuple[str, str]]) -> None:
    """Are said to."""
    told = [entry for entry in warnings(policy_of(f"{{idempotency: {settings}}}")) if entry[1] != "SW0544"]
    assert told == found


def test_a_journal_needs_unary_methods() -> None:
    """None for streams, a guess without descriptors."""

    def told(match: str, more: str = "") -> list[str]:
        result = compiled(
            f"{more}policies: {{p: {{idempotency: {{journal: {{}}}}}}}}\n"
            f"routes: [{{name: r, match: {match}, cluster: shop, policy: p}}]",
            descriptors=DescriptorSource([shop_descriptors()]) if "shop" in match else None,
        )
        return [code for place, code in warnings(result) if place == "routes[0].policy"]

    assert told("{service: shop.v1.Checkout}") == []
    assert told("{service: shop.v1.Checkout, method: Watch}") == ["SW0512"]
    assert told("{service: other.v1.Other}") == ["SW0544"]
    assert told("{service: other.v1.Other}", "descriptor_files: [unread.binpb]\n") == []


def test_a_key_is_a_reason_to_retry() -> None:
    """Where the server honours keys, retries of idempotent calls are not without effect."""
    route = "routes: [{name: r, match: {service: s.S}, cluster: shop, policy: p}]"
    for keys, found in (("", ["SW0503"]), (", idempotency: {server_honours: true}", [])):
        result = compiled(f"policies: {{p: {{retry: {{max_attempts: 2}}{keys}}}}}\n{route}")
        assert [code for _, code in warnings(result)] == found


@pytest.mark.parametrize(("number", "code"), [(0, "SW0102"), (1001, "SW0102")])
def test_recovered_after(number: int, code: str) -> None:
    """1 to 1000, 3 without a word; pointless without a fallback."""
    fallback = "fallback: [{when: any, static: {json: {}}}]"
    place = "policies.p.recovered_after"
    assert errors(policy_of(f"{{recovered_after: {number}, {fallback}}}")) == [(place, code)]
    assert (place, "SW0512") in warnings(policy_of("{recovered_after: 5}"))
    result = policy_of(f"{{recovered_after: 5, {fallback}}}")
    assert result.snapshot is not None
    assert result.snapshot.routes[0].policy.recovered_after == 5
    assert (place, "SW0512") not in warnings(result)
