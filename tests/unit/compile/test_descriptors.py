"""What is known from descriptors."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2, duration_pb2

from seawall_policy.descriptors import DescriptorSource, pack_files
from tests.unit.compile.samples import shop_descriptors


def with_duration(*, include: bool) -> bytes:
    """Return a service whose response holds a google.protobuf.Duration, with or without that file."""
    file = descriptor_pb2.FileDescriptorProto(
        name="t.proto", package="t", syntax="proto3", dependency=["google/protobuf/duration.proto"]
    )
    message = file.message_type.add(name="M")
    message.field.add(
        name="wait",
        number=1,
        type="TYPE_MESSAGE",
        label="LABEL_OPTIONAL",
        type_name=".google.protobuf.Duration",
    )
    file.service.add(name="S").method.add(name="Do", input_type=".t.M", output_type=".t.M")
    files = [file]
    if include:
        files.append(descriptor_pb2.FileDescriptorProto.FromString(duration_pb2.DESCRIPTOR.serialized_pb))
    return descriptor_pb2.FileDescriptorSet(file=files).SerializeToString()


def test_methods() -> None:
    """Streaming and idempotence come from the descriptor."""
    methods = DescriptorSource([shop_descriptors()]).methods()
    assert {path: (m.client_streaming, m.server_streaming, m.idempotent) for path, m in methods.items()} == {
        b"/shop.v1.Checkout/PlaceOrder": (False, False, False),
        b"/shop.v1.Checkout/GetOrder": (False, False, True),
        b"/shop.v1.Checkout/Watch": (False, True, False),
    }


def test_paths() -> None:
    """Paths are found by method, by service, and all together."""
    source = DescriptorSource([shop_descriptors()])
    assert source.paths("shop.v1.Checkout", "Watch") == (b"/shop.v1.Checkout/Watch",)
    assert source.paths("shop.v1.Checkout", "Nope") == ()
    assert len(source.paths("shop.v1.Checkout")) == 3
    assert source.paths("shop.v1.Check") == ()
    assert len(source.paths()) == 3
    assert source.services() == ("shop.v1.Checkout",)


@pytest.mark.parametrize("include", [True, False])
def test_well_known_types_are_at_hand(include: bool) -> None:
    """A set may leave google/protobuf/*.proto out, and the order of its files does not matter."""
    source = DescriptorSource([with_duration(include=include)])
    assert source.problems == []
    assert source.encode_response(b"/t.S/Do", '{"wait": "1.5s"}') == (
        b"\x00\x00\x00\x00\x0a\x0a\x08\x08\x01\x10\x80\xca\xb5\xee\x01"
    )


def test_unknown_method_is_a_text() -> None:
    """Encoding for a method that is not there says so."""
    assert isinstance(DescriptorSource().encode_response(b"/a.B/C", "{}"), str)
    assert DescriptorSource().response_type(b"/a.B/C") == ""


@pytest.mark.parametrize("text", ["[]", "7", '"x"', "null", "{", '{"id": {}}', '{"id": 1e999}'])
def test_json_of_another_shape_is_a_text(text: str) -> None:
    """Whatever does not fit gives a sentence, never an exception."""
    source = DescriptorSource([shop_descriptors()])
    result = source.encode_response(b"/shop.v1.Checkout/PlaceOrder", text)
    assert isinstance(result, str)
    assert result


def test_missing_import_is_named() -> None:
    """A file without what it imports is left out, and the others serve."""
    lonely = descriptor_pb2.FileDescriptorProto(name="l.proto", dependency=["gone.proto"])
    lonely_set = descriptor_pb2.FileDescriptorSet(file=[lonely]).SerializeToString()
    source = DescriptorSource([lonely_set, shop_descriptors()])
    assert len(source.problems) == 1
    assert "gone.proto" in source.problems[0]
    assert not source.empty


def test_damaged_set_is_named() -> None:
    """Bytes that are no set, and a file that contradicts itself, are problems and not exceptions."""
    wrong = descriptor_pb2.FileDescriptorProto(name="w.proto")
    wrong.message_type.add(name="M").field.add(name="f", number=0, type="TYPE_STRING", label="LABEL_OPTIONAL")
    wrong_set = descriptor_pb2.FileDescriptorSet(file=[wrong]).SerializeToString()
    source = DescriptorSource([b"\xff", wrong_set, shop_descriptors()])
    assert len(source.problems) == 2
    assert len(source.methods()) == 3


def test_first_of_two_versions_counts() -> None:
    """A file that is there twice is taken once, as it was given first."""
    shrunk = descriptor_pb2.FileDescriptorSet.FromString(shop_descriptors())
    del shrunk.file[0].service[0].method[1:]
    for sets, methods in (
        ([shop_descriptors(), shrunk.SerializeToString()], 3),
        ([shrunk.SerializeToString()] * 2, 1),
    ):
        source = DescriptorSource(sets)
        assert source.problems == []
        assert len(source.methods()) == methods


def test_merged_set_reads_back() -> None:
    """All usable files come out as one set."""
    merged = DescriptorSource([shop_descriptors(), with_duration(include=True)]).file_descriptor_set()
    assert len(DescriptorSource([merged]).methods()) == 4


def test_reflection_files_are_packed() -> None:
    """The single files of a reflection answer become a set."""
    parsed = descriptor_pb2.FileDescriptorSet.FromString(shop_descriptors())
    assert pack_files([file.SerializeToString() for file in parsed.file]) == shop_descriptors()
    assert DescriptorSource([pack_files([b"\xff\xff"])]).problems != []
    assert pack_files([]) == b""


def test_empty_sets_are_nothing() -> None:
    """No descriptors are no problem."""
    source = DescriptorSource([b"", b""])
    assert source.empty
    assert source.problems == []
