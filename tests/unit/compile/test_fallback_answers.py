"""What fallbacks answer with beside messages and clusters, and what is said about it."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2

from seawall_policy.compile import CompileResult
from seawall_policy.descriptors import DescriptorSource
from seawall_policy.last_good import MAX_ENTRIES, MEMORY_BYTES
from seawall_policy.model import FallbackStep
from tests.unit.compile.samples import compiled, errors, message, policy_of, shop_descriptors, warnings

GET = b"/shop.v1.Checkout/GetOrder"
CHECKOUT = "match: {service: shop.v1.Checkout}, cluster: shop, policy: p"


def step(entry: str) -> FallbackStep:
    """Return one compiled fallback."""
    result = policy_of(f"{{fallback: [{{when: any, {entry}}}]}}")
    assert result.snapshot is not None, result.violations
    return result.snapshot.routes[0].policy.fallback[0]


def described(policy: str, route: str = CHECKOUT, more: bytes = b"") -> CompileResult:
    """Compile one route with descriptors."""
    source = DescriptorSource([shop_descriptors(), more])
    return compiled(f"policies: {{p: {policy}}}\nroutes: [{{name: r, {route}}}]", descriptors=source)


def test_last_good() -> None:
    """Defaults, and everything said."""
    good = step("last_good: 10m").last_good
    assert good is not None
    assert (good.max_age_s, good.by_request, good.metadata, good.shared) == (600.0, True, (), False)
    assert (good.max_entries, good.memory_bytes) == (MAX_ENTRIES, MEMORY_BYTES)
    good = step(
        "last_good: {max_age: 1h, key: ['metadata:x-tenant', 'metadata:a'], max_entries: 5, memory: 1MiB,"
        " shared: true}"
    ).last_good
    assert good is not None
    assert (good.max_age_s, good.by_request, good.metadata, good.shared) == (
        3600.0,
        False,
        (b"a", b"x-tenant"),
        True,
    )
    assert (good.max_entries, good.memory_bytes) == (5, 1 << 20)


def test_other_kinds() -> None:
    """A method with and without a cluster, and nothing."""
    assert step("empty: true").kind() == "empty"
    assert step("method: /a.B/C").kind() == "method"
    both = step("method: /a.B/C, cluster: backup")
    assert (both.method, both.cluster, both.kind()) == (b"/a.B/C", "backup", "method")


@pytest.mark.parametrize(
    ("entry", "place", "code"),
    [
        ("last_good: {}", ".last_good.max_age", "SW0107"),
        ("last_good: 500ms", ".last_good.max_age", "SW0102"),
        ("last_good: 169h", ".last_good.max_age", "SW0102"),
        ("last_good: {max_age: 1m, max_entries: 0}", ".last_good.max_entries", "SW0102"),
        ("last_good: {max_age: 1m, memory: 1KiB}", ".last_good.memory", "SW0102"),
        ("last_good: {max_age: 1m, key: body}", ".last_good.key[0]", "SW0153"),
        ("last_good: {max_age: 1m, key: 'metadata:X'}", ".last_good.key[0]", "SW0153"),
        ("last_good: {max_age: 1m, key: 'metadata:x-bin'}", ".last_good.key[0]", "SW0153"),
        ("last_good: {max_age: 1m, key: 'metadata:grpc-timeout'}", ".last_good.key[0]", "SW0153"),
        ("last_good: {max_age: 1m, key: [" + "request, " * 9 + "]}", ".last_good.key", "SW0113"),
        ("method: a.B/C", ".method", "SW0112"),
        ("method: /a.B/C/D", ".method", "SW0112"),
        ("empty: true, cluster: backup", "", "SW0108"),
        ("empty: true, method: /a.B/C", "", "SW0108"),
        ("last_good: 1m, empty: true", "", "SW0108"),
        ("last_good: 1m, static: {json: {}}", "", "SW0108"),
    ],
)
def test_mistakes(entry: str, place: str, code: str) -> None:
    """Each at its place."""
    assert errors(policy_of(f"{{fallback: [{{when: any, {entry}}}]}}")) == [
        (f"policies.p.fallback[0]{place}", code)
    ]


def test_one_key_for_all() -> None:
    """A route keeps each answer once; the ages may differ."""
    entry = "{{when: any, last_good: {{max_age: {}, key: {}}}}}"
    good = ", ".join((entry.format("10s", "request"), entry.format("5m", "request")))
    assert errors(policy_of(f"{{fallback: [{good}]}}")) == []
    bad = ", ".join((entry.format("10s", "request"), entry.format("5m", "'metadata:a'")))
    assert errors(policy_of(f"{{fallback: [{bad}]}}")) == [("policies.p.fallback[1].last_good", "SW0108")]


def test_a_method_has_to_fit() -> None:
    """Streaming and types: an error for a route of one method, a warning and a way past it for others."""
    policy = "{fallback: [{when: any, method: /shop.v1.Checkout/GetOrder}]}"
    exact = described(policy, CHECKOUT.replace("Checkout}", "Checkout, method: Watch}"))
    assert errors(exact) == [("policies.p.fallback[0].method", "SW0152")]
    assert "streams where the other does not" in message(exact, "SW0152")
    partial = described(policy)
    assert ("policies.p.fallback[0].method", "SW0540") in warnings(partial)
    assert partial.snapshot is not None
    unfit = partial.snapshot.routes[0].policy.fallback[0].unfit
    assert unfit == {b"/shop.v1.Checkout/PlaceOrder", b"/shop.v1.Checkout/Watch"}
    assert "have the number 1 and different types" in message(partial, "SW0540")


def test_a_method_that_no_descriptor_has() -> None:
    """It may be misspelt; of a service that nobody knows nothing can be said."""
    near = described("{fallback: [{when: any, method: /shop.v1.Checkout/GetOder}]}")
    assert "Did you mean /shop.v1.Checkout/GetOrder?" in message(near, "SW0304")
    far = described("{fallback: [{when: any, method: /cache.v1.Cache/Get}]}")
    assert warnings(far) == []


def test_messages_with_the_same_bytes_are_compatible() -> None:
    """Names do not matter, types of the same number do, inside of messages too."""
    file = descriptor_pb2.FileDescriptorProto(name="c.proto", package="cache", syntax="proto3")
    for suffix, kind in (("", "TYPE_INT32"), ("Bad", "TYPE_STRING")):
        item = file.message_type.add(name="Thing" + suffix)
        item.field.add(name="name", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
        item.field.add(name="number", number=2, type=kind, label="LABEL_OPTIONAL")
        item.field.add(name="more", number=9, type="TYPE_BYTES", label="LABEL_OPTIONAL")
        order = file.message_type.add(name="Cart" + suffix)
        order.field.add(
            name="things",
            number=1,
            type="TYPE_MESSAGE",
            label="LABEL_REPEATED",
            type_name=".cache.Thing" + suffix,
        )
    key = file.message_type.add(name="Key")
    key.field.add(name="key", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    service = file.service.add(name="Cache")
    service.method.add(name="Get", input_type=".cache.Key", output_type=".cache.Cart")
    service.method.add(name="GetBad", input_type=".cache.Key", output_type=".cache.CartBad")
    more = descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()
    exact = CHECKOUT.replace("Checkout}", "Checkout, method: GetOrder}")
    assert errors(described("{fallback: [{when: any, method: /cache.Cache/Get}]}", exact, more)) == []
    bad = described("{fallback: [{when: any, method: /cache.Cache/GetBad}]}", exact, more)
    assert "shop.v1.Item.count and cache.ThingBad.number" in message(bad, "SW0152")


@pytest.mark.parametrize(
    ("entries", "unreached"),
    [
        ("{when: any, empty: true}, {when: UNAVAILABLE, cluster: backup}", [1]),
        ("{when: UNAVAILABLE, empty: true}, {when: any, cluster: backup}", []),
        ("{when: [UNAVAILABLE, INTERNAL], empty: true}, {when: INTERNAL, last_good: 1m}", [1]),
        ("{when: UNAVAILABLE, empty: true}, {when: BREAKER_OPEN, cluster: backup}", []),
        ("{when: BREAKER_OPEN, empty: true}, {when: BREAKER_OPEN, cluster: backup}", [1]),
        ("{when: any, empty: true}, {when: BREAKER_OPEN, cluster: backup}, {when: any, empty: true}", [1, 2]),
        ("{when: any, static: {json: {}}}, {when: any, static: {json: {a: 1}}}", []),
        ("{when: any, static: {json: {}}}, {when: any, last_good: 1m}", [1]),
        ("{when: any, last_good: 1m}, {when: any, cluster: backup}, {when: any, empty: true}", []),
    ],
)
def test_steps_that_are_never_reached(entries: str, unreached: list[int]) -> None:
    """Behind one that always has an answer to the same failures."""
    found = [place for place, code in warnings(policy_of(f"{{fallback: [{entries}]}}")) if code == "SW0543"]
    assert found == [f"policies.p.fallback[{index}]" for index in unreached]


def test_what_goes_past_the_breaker() -> None:
    """Another method of the same cluster is the same cluster."""
    entry = "{{when: {}, method: /a.B/C{}}}"

    def found(when: str, more: str = "", breaker: str = "breaker: {}, ") -> list[str]:
        result = policy_of(f"{{{breaker}fallback: [{entry.format(when, more)}]}}")
        return [code for _, code in warnings(result) if code == "SW0542"]

    assert found("any") == found("BREAKER_OPEN") == found("UNAVAILABLE") == ["SW0542"]
    assert found("UNAVAILABLE", ", cluster: shop") == ["SW0542"]
    assert found("UNAVAILABLE", ", cluster: backup") == []
    assert found("DEADLINE_EXCEEDED") == []
    assert found("any", breaker="") == found("any", breaker="breaker: {mode: shadow}, ") == []


def test_the_method_itself_is_no_other_method() -> None:
    """It has just failed."""
    policy = "{fallback: [{when: INTERNAL, method: /shop.v1.Checkout/GetOrder}]}"
    exact = CHECKOUT.replace("Checkout}", "Checkout, method: GetOrder}")
    assert ("routes[0].policy", "SW0505") in warnings(described(policy, exact))
    assert ("routes[0].policy", "SW0505") not in warnings(described(policy))


def test_another_method_of_the_same_cluster_is_no_loop() -> None:
    """Nor is the same cluster twice with different methods."""
    result = policy_of(
        "{fallback: [{when: INTERNAL, cluster: shop, method: /a.B/C},"
        " {when: INTERNAL, cluster: shop, method: /a.B/D},"
        " {when: INTERNAL, method: /a.B/C, cluster: shop}]}"
    )
    assert warnings(result) == [("policies.p.fallback[2].cluster", "SW0515")]


def test_streams_have_no_last_good_answer() -> None:
    """Where all methods of a route stream, the step never answers."""
    watch = CHECKOUT.replace("Checkout}", "Checkout, method: Watch}")
    policy = "{fallback: [{when: any, last_good: 1m}]}"
    assert ("routes[0].policy", "SW0512") in warnings(described(policy, watch))
    assert warnings(described(policy)) == []


def test_empty_needs_descriptors() -> None:
    """To know which methods stream."""
    policy = "{fallback: [{when: any, empty: true}]}"
    assert warnings(described(policy)) == []
    assert ("routes[0].policy", "SW0544") in warnings(policy_of(policy))
