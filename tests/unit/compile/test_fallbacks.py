"""Fallbacks: what they answer, where they send, and static answers against descriptors."""

from __future__ import annotations

from google.protobuf.struct_pb2 import Value

from seawall_policy import reasons, status
from seawall_policy.compile import CompileResult, MissingDescriptor, compile_document
from seawall_policy.descriptors import DescriptorSource
from seawall_policy.model import ANY_FAILURE, ENFORCE, OFF, SHADOW, FallbackStep
from seawall_proxy.call.local_reply import REASONS
from tests.unit.compile.samples import (
    compiled,
    document,
    errors,
    message,
    policy_of,
    shop_descriptors,
    warnings,
)

PLACE = b"/shop.v1.Checkout/PlaceOrder"
GET = b"/shop.v1.Checkout/GetOrder"
WATCH = b"/shop.v1.Checkout/Watch"


def steps(fallback: str) -> tuple[FallbackStep, ...]:
    """Return the compiled fallbacks of a policy."""
    result = policy_of(f"{{fallback: {fallback}}}")
    assert result.snapshot is not None, result.violations
    return result.snapshot.routes[0].policy.fallback


def test_modes() -> None:
    """Each entry has its own, enforce unless it says otherwise, and keeps its place in the list."""
    found = steps(
        "[{when: any, empty: true, mode: shadow}, {when: any, cluster: backup, mode: off}, "
        "{when: any, cluster: backup}]"
    )
    assert [step.mode for step in found] == [SHADOW, OFF, ENFORCE]


def test_an_entry_in_shadow_stands_in_nobodys_way() -> None:
    """What comes behind it is reached, and the same cluster may be named again."""
    shadow = "{when: any, empty: true, mode: shadow}, {when: any, cluster: backup, mode: shadow}"
    result = policy_of(f"{{fallback: [{shadow}, {{when: any, cluster: backup}}]}}")
    assert [code for _, code in warnings(result) if code in ("SW0543", "SW0541")] == []
    assert not [place for place, _ in warnings(result) if place.startswith("policies.p.fallback[2]")]


def static(match: str, json: str, *, descriptors: bool = True) -> CompileResult:
    """Compile one route with a static fallback."""
    source = DescriptorSource([shop_descriptors()]) if descriptors else None
    return compiled(
        f"policies: {{p: {{fallback: [{{when: any, static: {{json: {json}}}}}]}}}}\n"
        f"routes: [{{name: r, match: {match}, cluster: shop, policy: p}}]",
        descriptors=source,
    )


def payloads(result: CompileResult) -> dict[bytes, bytes]:
    """Return the framed messages of the first fallback."""
    assert result.snapshot is not None, result.violations
    answer = result.snapshot.routes[0].policy.fallback[0].static
    assert answer is not None
    return answer.payloads


def test_when_takes_codes_reasons_and_any() -> None:
    """Codes go into the mask, reasons into the set, `any` is every failure."""
    by_code, by_reason, every = steps(
        "[{when: [UNAVAILABLE, INTERNAL], cluster: backup}, {when: BREAKER_OPEN, cluster: shop},"
        " {when: any, static: {json: {}}}]"
    )
    assert by_code.codes == 1 << status.UNAVAILABLE | 1 << status.INTERNAL
    assert by_code.reasons == frozenset()
    assert by_reason.codes == 0
    assert by_reason.reasons == {"BREAKER_OPEN"}
    assert every.codes == ANY_FAILURE
    assert every.applies(status.CANCELLED, "")
    assert not every.applies(status.OK, "")


def test_order_of_fallbacks_is_that_of_the_document() -> None:
    """The first entry is asked first."""
    assert [s.cluster for s in steps("[{when: any, cluster: backup}, {when: any, cluster: shop}]")] == [
        "backup",
        "shop",
    ]


def test_every_answerable_reason_is_one_that_the_proxy_gives() -> None:
    """A reason that may be named in `when` is in the data path's own table; the others are said to have no
    effect.
    """
    assert set(reasons.ANSWERABLE) <= set(REASONS)
    assert not set(reasons.ANSWERABLE) & set(reasons.NEVER_ANSWERED)
    assert not set(reasons.ANSWERABLE) & set(status.NAMES)
    known = set(reasons.ANSWERABLE) | set(reasons.NEVER_ANSWERED) | set(status.NAMES)
    assert set(REASONS) <= known


def test_reasons_that_are_never_answered_are_warned_about() -> None:
    """Naming such a reason is allowed and pointless."""
    result = policy_of("{fallback: [{when: [ATTEMPTS_EXHAUSTED, UNAVAILABLE], cluster: backup}]}")
    assert errors(result) == []
    assert ("policies.p.fallback[0].when[0]", "SW0512") in warnings(result)


def test_mistakes_of_a_fallback() -> None:
    """An entry says when, and exactly one thing to answer with."""
    result = policy_of(
        "{fallback: [{cluster: backup}, {when: any}, {when: any, cluster: backup, static: {json: {}}},"
        " {when: any, cluster: bakcup}, {when: any, static: {}}, {when: [BREAKER_OPNE, OK], static: {json: "
        "{}}}]}"
    )
    assert errors(result) == [
        ("policies.p.fallback[0].when", "SW0107"),
        ("policies.p.fallback[1]", "SW0107"),
        ("policies.p.fallback[2]", "SW0108"),
        ("policies.p.fallback[3].cluster", "SW0202"),
        ("policies.p.fallback[4].static", "SW0107"),
        ("policies.p.fallback[5].when[0]", "SW0109"),
        ("policies.p.fallback[5].when[1]", "SW0103"),
    ]
    assert "Did you mean BREAKER_OPEN?" in message(result, "SW0109")


def test_too_many_fallbacks() -> None:
    """A chain has an end."""
    entries = ", ".join("{when: any, static: {json: {}}}" for _ in range(17))
    assert errors(policy_of(f"{{fallback: [{entries}]}}")) == [("policies.p.fallback", "SW0113")]


def test_static_answer_is_encoded_for_an_exact_route() -> None:
    """The payload is the message in one uncompressed gRPC frame."""
    result = static("{service: shop.v1.Checkout, method: PlaceOrder}", "{id: x7}")
    assert payloads(result) == {PLACE: b"\x00\x00\x00\x00\x04\x0a\x02x7"}
    assert result.missing == ()


def test_static_answer_to_a_server_stream_is_one_message() -> None:
    """A streaming method gets the single message, too."""
    result = static("{service: shop.v1.Checkout, method: Watch}", "{items: [{sku: a, count: 2}]}")
    assert payloads(result) == {WATCH: b"\x00\x00\x00\x00\x07\x0a\x05\x0a\x01a\x10\x02"}


def test_misfit_on_an_exact_route_is_a_mistake_that_names_the_field() -> None:
    """The policy's author learns which field of which message is wrong."""
    result = static("{service: shop.v1.Checkout, method: PlaceOrder}", "{idd: x7}")
    assert errors(result) == [("policies.p.fallback[0].static.json", "SW0302")]
    text = message(result, "SW0302")
    assert "shop.v1.Receipt" in text
    assert '"idd"' in text


def test_misfit_of_a_type_is_a_mistake() -> None:
    """Text for a number is found when the policy is loaded, not when it is needed."""
    result = static("{service: shop.v1.Checkout, method: GetOrder}", "{items: [{count: many}]}")
    assert errors(result) == [("policies.p.fallback[0].static.json", "SW0302")]


def test_service_route_encodes_what_fits_and_names_the_rest() -> None:
    """On a route for a service the answer serves the methods that it fits, with a warning about the
    others.
    """
    result = static("{service: shop.v1.Checkout}", "{items: []}")
    assert set(payloads(result)) == {GET, WATCH}
    assert ("policies.p.fallback[0].static.json", "SW0303") in warnings(result)
    assert "PlaceOrder" in message(result, "SW0303")


def test_catch_all_route_encodes_for_all_known_methods() -> None:
    """An empty message fits everything, silently."""
    result = static("{}", "{}")
    assert set(payloads(result)) == {PLACE, GET, WATCH}
    assert payloads(result)[PLACE] == b"\x00\x00\x00\x00\x00"
    assert warnings(result) == []


def test_without_descriptors_the_answer_is_missing_not_wrong() -> None:
    """The proxy learns which cluster to ask about which service."""
    result = static("{service: shop.v1.Checkout, method: PlaceOrder}", "{id: x}", descriptors=False)
    assert errors(result) == []
    assert result.missing == (MissingDescriptor("r", "shop.v1.Checkout", "shop"),)
    assert payloads(result) == {}


def test_missing_names_every_cluster_of_the_route() -> None:
    """Any of a route's clusters may know the methods; a catch-all asks for no service in particular."""
    result = compiled("""
policies: {p: {fallback: [{when: any, static: {json: {}}}]}}
routes: [{name: r, backends: [{cluster: shop}, {cluster: backup}], policy: p}, {name: s, cluster: shop}]
""")
    assert set(result.missing) == {MissingDescriptor("r", "", "shop"), MissingDescriptor("r", "", "backup")}


def test_own_and_given_descriptors_are_both_used() -> None:
    """The document's set and the one that reflection gave complement each other."""
    from google.protobuf import descriptor_pb2

    other = descriptor_pb2.FileDescriptorProto(name="b.proto", package="b", syntax="proto3")
    other.message_type.add(name="M")
    other.service.add(name="S").method.add(name="Do", input_type=".b.M", output_type=".b.M")
    own = document("""
policies: {p: {fallback: [{when: any, static: {json: {}}}]}}
routes: [{name: r, cluster: shop, policy: p}]
""")
    own.descriptor_set = shop_descriptors()
    given = DescriptorSource([descriptor_pb2.FileDescriptorSet(file=[other]).SerializeToString()])
    result = compile_document(own, descriptors=given)
    assert set(payloads(result)) == {PLACE, GET, WATCH, b"/b.S/Do"}
    assert result.snapshot is not None
    assert set(result.snapshot.methods) == {PLACE, GET, WATCH, b"/b.S/Do"}


def test_damaged_descriptor_set_is_a_mistake() -> None:
    """Bytes that are no descriptors are reported at their field."""
    broken = document("routes: [{name: r, cluster: shop}]")
    broken.descriptor_set = b"\xff\xff"
    assert errors(compile_document(broken)) == [("descriptor_set", "SW0301")]


def test_inherited_misfit_is_reported_where_it_was_written() -> None:
    """The place is the policy that holds the fallback, not the one that inherits it."""
    result = compiled(
        "policies: {base: {fallback: [{when: any, static: {json: {nope: 1}}}]}, p: {extends: base}}\n"
        "routes: [{name: r, match: {service: shop.v1.Checkout, method: GetOrder}, cluster: shop, policy: p}]",
        descriptors=DescriptorSource([shop_descriptors()]),
    )
    assert errors(result) == [("policies.base.fallback[0].static.json", "SW0302")]


def test_static_json_that_json_cannot_hold() -> None:
    """A document from elsewhere may hold NaN in a static answer."""
    broken = document(
        "policies: {p: {fallback: [{when: any, static: {json: {a: 1}}}]}}\nroutes: [{name: r, cluster: "
        "shop, policy: p}]"
    )
    broken.policies["p"].fallback[0].static.json.struct_value.fields["a"].CopyFrom(
        Value(number_value=float("nan"))
    )
    assert errors(compile_document(broken)) == [("policies.p.fallback[0].static.json", "SW0104")]


def test_large_static_answers_do_not_fit() -> None:
    """An answer is held for every method, so it has a limit."""
    text = "x" * (1024 * 1024)
    result = static("{service: shop.v1.Checkout, method: PlaceOrder}", f"{{id: {text}}}")
    assert errors(result) == [("policies.p.fallback[0].static.json", "SW0302")]
    assert "larger than 1 MiB" in message(result, "SW0302")


def test_names_that_descriptors_do_not_have() -> None:
    """A misspelt method or service is warned about when the descriptors know a similar one."""
    source = DescriptorSource([shop_descriptors()])
    method = compiled(
        "routes: [{name: r, match: {service: shop.v1.Checkout, method: PlaceOder}, cluster: shop}]",
        descriptors=source,
    )
    assert warnings(method) == [("routes[0].match.method", "SW0304")]
    assert "Did you mean PlaceOrder?" in message(method, "SW0304")
    service = compiled(
        "routes: [{name: r, match: {service: shop.v1.Chekout}, cluster: shop}]", descriptors=source
    )
    assert warnings(service) == [("routes[0].match.service", "SW0304")]
    stranger = compiled(
        "routes: [{name: r, match: {service: grpc.health.v1.Health}, cluster: shop}]", descriptors=source
    )
    assert warnings(stranger) == []
