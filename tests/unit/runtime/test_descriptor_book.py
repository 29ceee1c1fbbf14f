"""Descriptors of several upstreams as one, and the answers of reflection from them."""

from __future__ import annotations

from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2

from seawall_proxy.runtime.descriptor_book import DescriptorBook
from seawall_proxy.runtime.served_reflection import answer

Label = descriptor_pb2.FieldDescriptorProto


def file(
    name: str, package: str, service: str = "", imports: tuple[str, ...] = (), field: str = "id"
) -> descriptor_pb2.FileDescriptorProto:
    """Return a file with one message `M` and perhaps one service."""
    made = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax="proto2", dependency=imports)
    message = made.message_type.add(name="M")
    message.field.add(name=field, number=1, type=Label.TYPE_STRING, label=Label.LABEL_OPTIONAL)
    message.extension_range.add(start=100, end=200)
    if service:
        method = made.service.add(name=service).method.add(name="Do")
        method.input_type = method.output_type = f".{package}.M"
    return made


def packed(*files: descriptor_pb2.FileDescriptorProto) -> bytes:
    """Return files as a set."""
    return descriptor_pb2.FileDescriptorSet(file=files).SerializeToString()


COMMON = file("common.proto", "common")
SHOP = file("shop.proto", "shop.v1", "Orders", ("common.proto",))
MAIL = file("mail.proto", "mail.v1", "Outbox")
EXTENDED = file("extended.proto", "ext")
EXTENDED.extension.add(
    name="more", number=101, extendee=".ext.M", type=Label.TYPE_STRING, label=Label.LABEL_OPTIONAL
)
BOOK = DescriptorBook(
    {"cluster shop": packed(COMMON, SHOP), "cluster mail": packed(MAIL, EXTENDED)}, {"old": "refused"}
)


def names(files: list[bytes]) -> list[str]:
    """Return the names of serialized files."""
    return [descriptor_pb2.FileDescriptorProto.FromString(data).name for data in files]


def asked(book: DescriptorBook = BOOK, **question: object) -> reflection_pb2.ServerReflectionResponse:
    """Return the answer to a question."""
    request = reflection_pb2.ServerReflectionRequest(host="h", **question)
    reply = answer(request, book, book.services())
    assert reply.valid_host == "h"
    assert reply.original_request == request
    return reply


def test_services_of_all_sources() -> None:
    """Every service is listed once, in order."""
    reply = asked(list_services="")
    assert [service.name for service in reply.list_services_response.service] == [
        "mail.v1.Outbox",
        "shop.v1.Orders",
    ]


def test_a_symbol_comes_with_its_imports() -> None:
    """Services, methods and messages are found, the defining file first, then what it imports."""
    for symbol in ("shop.v1.Orders", "shop.v1.Orders.Do", "shop.v1.M"):
        reply = asked(file_containing_symbol=symbol)
        assert names(list(reply.file_descriptor_response.file_descriptor_proto)) == [
            "shop.proto",
            "common.proto",
        ]


def test_a_file_by_its_name() -> None:
    """Clients ask for imports one by one."""
    reply = asked(file_by_filename="common.proto")
    assert names(list(reply.file_descriptor_response.file_descriptor_proto)) == ["common.proto"]


def test_extensions() -> None:
    """By number, and all of a message."""
    extension = reflection_pb2.ExtensionRequest(containing_type="ext.M", extension_number=101)
    reply = asked(file_containing_extension=extension)
    assert names(list(reply.file_descriptor_response.file_descriptor_proto)) == ["extended.proto"]
    reply = asked(all_extension_numbers_of_type="ext.M")
    assert list(reply.all_extension_numbers_response.extension_number) == [101]


def test_what_is_not_there() -> None:
    """NOT_FOUND says what was asked for and which clusters might have had it, and nothing about them."""
    reply = asked(file_containing_symbol="nope.Nope")
    assert reply.error_response.error_code == 5
    assert reply.error_response.error_message == (
        "no proxied service has nope.Nope; the reflection of old did not answer"
    )
    assert asked(all_extension_numbers_of_type="nope").error_response.error_code == 5
    assert asked().error_response.error_code == 3


def test_files_that_differ_between_upstreams() -> None:
    """Each source keeps its own imports; the first one of a name is shown, and the difference is told."""
    other = file("common.proto", "common", field="other")
    inner = file("pay.proto", "pay.v1", "Pay", ("common.proto",))
    book = DescriptorBook({"one": packed(COMMON, SHOP), "two": packed(other, inner)}, {})
    assert book.conflicts == ["common.proto of two is not the one of one, which is shown"]
    assert book.services() == ["pay.v1.Pay", "shop.v1.Orders"]
    pay = [descriptor_pb2.FileDescriptorProto.FromString(data) for data in book.by_symbol("pay.v1.Pay")]
    assert pay[1].message_type[0].field[0].name == "other"
    (shown,) = book.by_name("common.proto")
    assert b"other" not in shown


def test_damaged_sets_harm_nobody() -> None:
    """What cannot be read is named, and the others still serve."""
    book = DescriptorBook({"bad": b"\xff\xff", "good": packed(MAIL)}, {})
    assert book.services() == ["mail.v1.Outbox"]
    assert len(book.problems) == 1
