"""Any message of the policy schema, made from its descriptors."""

from __future__ import annotations

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value
from hypothesis import strategies as st

from seawall.v1 import policy_pb2

# Few and telling: names that meet, words that YAML or the reader might take for something else.
TEXTS = st.sampled_from(
    [
        "",
        "a",
        "b",
        "shop",
        "builtin/read",
        "UNAVAILABLE",
        "any",
        "no",
        "1",
        "1e3",
        "null",
        "${env:A}",
        "a b",
        "x\n y",
        "é",
        "127.0.0.1:1",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def documents() -> st.SearchStrategy[policy_pb2.PolicyDocument]:
    """Return documents that a file can spell."""
    return st.builds(_document, st.data())


def _document(data: st.DataObject) -> policy_pb2.PolicyDocument:
    document = policy_pb2.PolicyDocument()
    fill(document, data)
    document.ClearField("descriptor_set")
    document.ClearField("descriptor_files")
    return document


def fill(message: Message, data: st.DataObject) -> None:
    """Set some fields of a message at random."""
    if isinstance(message, Duration):
        message.FromNanoseconds(
            data.draw(st.sampled_from([0, 1, 1_000_000, 1_500_000_000, 90 * 10**9, 10**15]))
        )
        return
    if isinstance(message, Value):
        set_json(message, data.draw(JSON))
        return
    for field in message.DESCRIPTOR.fields:
        if data.draw(st.booleans()):
            assert isinstance(field, FieldDescriptor)
            _fill_field(message, field, data)


def _fill_field(message: Message, field: FieldDescriptor, data: st.DataObject) -> None:
    target = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        for key in data.draw(st.lists(TEXTS, max_size=2, unique=True)):
            if field.message_type.fields_by_name["value"].message_type is None:
                target[key] = data.draw(TEXTS)
            else:
                target[key].SetInParent()
                fill(target[key], data)
    elif field.is_repeated:
        for _ in range(data.draw(st.integers(0, 2))):
            if field.message_type is None:
                target.append(data.draw(TEXTS))
            else:
                fill(target.add(), data)
    elif field.message_type is not None:
        target.SetInParent()
        fill(target, data)
    else:
        setattr(message, field.name, data.draw(_scalars(field)))


def _scalars(field: FieldDescriptor) -> st.SearchStrategy[object]:
    if field.enum_type is not None:
        return st.sampled_from(sorted(field.enum_type.values_by_number))
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    if field.type == FieldDescriptor.TYPE_UINT32:
        return st.sampled_from([0, 1, 2, 3, 100, 2**32 - 1])
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return st.sampled_from([0.0, 0.5, 1.0, 2.0, 50.0, 100.0, 1e300, -1.0])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=4)
    return TEXTS


def set_json(value: Value, json: object) -> None:
    """Set a google.protobuf.Value from a plain value."""
    if json is None:
        value.null_value = 0  # type: ignore[assignment]
    elif isinstance(json, bool):
        value.bool_value = json
    elif isinstance(json, float):
        value.number_value = json
    elif isinstance(json, str):
        value.string_value = json
    elif isinstance(json, list):
        value.list_value.SetInParent()
        for item in json:
            set_json(value.list_value.values.add(), item)
    elif isinstance(json, dict):
        value.struct_value.SetInParent()
        for key, item in json.items():
            set_json(value.struct_value.fields[key], item)
