"""Documents and descriptors that the tests of the compiler share."""

from __future__ import annotations

from google.protobuf import descriptor_pb2

from seawall.v1 import policy_pb2
from seawall_policy.compile import CompileResult, Violation, compile_document
from seawall_policy.descriptors import DescriptorSource
from seawall_proxy.config import load_text

BASE = """
version: v1
clusters:
  - {name: shop, endpoints: ["127.0.0.1:50051"]}
  - {name: backup, endpoints: ["127.0.0.1:50052"]}
"""


def document(text: str, base: str = BASE) -> policy_pb2.PolicyDocument:
    """Return a document from YAML that must be readable."""
    loaded = load_text(base + text)
    assert loaded.violations == ()
    return loaded.document


def compiled(text: str, base: str = BASE, descriptors: DescriptorSource | None = None) -> CompileResult:
    """Compile a document given as YAML."""
    return compile_document(document(text, base), descriptors=descriptors)


def policy_of(settings: str) -> CompileResult:
    """Compile a document whose only route uses a policy with these settings (YAML in flow style)."""
    return compiled(f"policies: {{p: {settings}}}\nroutes: [{{name: r, cluster: shop, policy: p}}]")


def errors(result: CompileResult) -> list[tuple[str, str]]:
    """Return field and code of every mistake."""
    return [(v.field, v.code) for v in result.violations if not v.warning]


def warnings(result: CompileResult) -> list[tuple[str, str]]:
    """Return field and code of every warning, without those about what nothing uses."""
    return [(v.field, v.code) for v in result.violations if v.warning and v.code not in ("SW0510", "SW0511")]


def message(result: CompileResult, code: str) -> str:
    """Return the message of the only violation with a code."""
    found: list[Violation] = [v for v in result.violations if v.code == code]
    assert len(found) == 1, result.violations
    return found[0].message


def shop_descriptors() -> bytes:
    """Return the descriptors of shop.v1.Checkout: PlaceOrder, GetOrder (no side effects), Watch (streams)."""
    file = descriptor_pb2.FileDescriptorProto(name="shop/v1/shop.proto", package="shop.v1", syntax="proto3")
    item = file.message_type.add(name="Item")
    item.field.add(name="sku", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    item.field.add(name="count", number=2, type="TYPE_INT32", label="LABEL_OPTIONAL")
    order = file.message_type.add(name="Order")
    order.field.add(
        name="items", number=1, type="TYPE_MESSAGE", label="LABEL_REPEATED", type_name=".shop.v1.Item"
    )
    receipt = file.message_type.add(name="Receipt")
    receipt.field.add(name="id", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    service = file.service.add(name="Checkout")
    service.method.add(name="PlaceOrder", input_type=".shop.v1.Order", output_type=".shop.v1.Receipt")
    get = service.method.add(name="GetOrder", input_type=".shop.v1.Receipt", output_type=".shop.v1.Order")
    get.options.idempotency_level = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    service.method.add(
        name="Watch", input_type=".shop.v1.Receipt", output_type=".shop.v1.Order", server_streaming=True
    )
    return descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()
