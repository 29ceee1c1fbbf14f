"""From nodes to a PolicyDocument, guided by the descriptors.

One walk finds every mistake: a value that cannot be used is reported and left out, and the walk goes on.
Aliases are followed here, so the values visited and the characters copied are counted, and a file that
unfolds into too many ends the walk.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingType
from contextlib import suppress
from typing import Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import NULL_VALUE, Value

from seawall.v1 import options_pb2, policy_pb2
from seawall_policy import fieldpath
from seawall_policy.compile import codes
from seawall_policy.compile.options import is_scalar_ok, unit_of
from seawall_policy.suggest import did_you_mean, quoted
from seawall_proxy.config import scalars
from seawall_proxy.config.env import EnvError, substitute
from seawall_proxy.config.nodes import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    Mapping,
    Node,
    Position,
    Scalar,
    Sequence,
    kind,
)
from seawall_proxy.config.problems import Problems
from seawall_proxy.config.scalars import ScalarError
from seawall_proxy.config.schema import VALUE, MessageSpec, is_map, place_of_key, spec_of, value_field

MAX_JSON_DEPTH: Final = 24
"""Nesting of a static answer. Each level costs three levels of protobuf nesting, of which a receiver
accepts a hundred."""

_MAX_CHARACTERS: Final = 4 * MAX_BYTES


class _Stop(Exception):
    """A limit was exceeded; the problem has been added."""


class Walker:
    """Reads one document; `positions` then says where each field path stands."""

    def __init__(self, problems: Problems, env: MappingType[str, str]) -> None:
        self.positions: dict[str, Position] = {}
        self._problems = problems
        self._env = env
        self._visits = 0
        self._characters = 0

    def read(self, root: Node | None) -> policy_pb2.PolicyDocument:
        """Return the document as far as it could be read."""
        document = policy_pb2.PolicyDocument()
        if root is None or (isinstance(root, Scalar) and root.is_null):
            return document
        with suppress(_Stop):
            self._message(root, document, "", None)
        return document

    # ------------------------------------------------------------------------------------- messages

    def _message(self, node: Node, message: Message, path: str, outer: MessageSpec | None) -> None:
        spec = spec_of(message.DESCRIPTOR)
        self.positions[path] = node.position
        if isinstance(node, Scalar) and spec.shorthand and not node.is_null:
            self._field(
                node, message, spec.fields[spec.shorthand], fieldpath.member(path, spec.shorthand), path
            )
            return
        if not isinstance(node, Mapping):
            keys = ", ".join(spec.keys[:6])
            self._add(
                codes.WRONG_TYPE,
                f"is {kind(node)}; a mapping is expected, with keys such as {keys}",
                node,
                path,
            )
            return
        for key, value in self._pairs(node, path, canonical=spec.fields):
            field = spec.fields.get(key.text)
            if field is not None:
                here = fieldpath.member(path, field.name)
                self._field(value, message, field, here, here)
            elif not key.text.startswith("x-"):
                self._unknown_key(key, spec, path, outer)

    def _unknown_key(self, key: Scalar, spec: MessageSpec, path: str, outer: MessageSpec | None) -> None:
        here = fieldpath.member(path, key.text[:200])
        self.positions.setdefault(here, key.position)
        if key.text in spec.later:
            advice = f"; {spec.later[key.text]}" if spec.later[key.text] else "; remove it"
            self._problems.add(
                codes.NOT_SUPPORTED,
                f"this version does not support {quoted(key.text)} yet{advice}",
                key.position,
                here,
            )
            return
        child = place_of_key(key.text, spec)
        if child:
            hint = f" It belongs under `{child}`."
        elif outer is not None and key.text in outer.keys:
            hint = " It belongs one level up."
        else:
            hint = did_you_mean(key.text, spec.keys) or f" Known keys are {', '.join(spec.keys)}."
        what = "the document" if spec.name == "PolicyDocument" else spec.name
        self._problems.add(
            codes.UNKNOWN_KEY, f"{quoted(key.text)} is no key of {what}.{hint}", key.position, here
        )

    def _pairs(
        self,
        node: Mapping,
        path: str,
        *,
        canonical: MappingType[str, FieldDescriptor] | None = None,
        depth: int = 0,
    ) -> Iterator[tuple[Scalar, Node]]:
        """Yield the pairs of a mapping, merge keys resolved, duplicates reported and left out."""
        seen: dict[str, Scalar] = {}
        merges: list[Node] = []
        found: list[tuple[Scalar, Node]] = []
        for key, value in node.pairs:
            self._visit(key)
            if not isinstance(key, Scalar):
                self._add(codes.WRONG_TYPE, f"is {kind(key)} where a key is expected", key, path)
                continue
            if key.text == "<<" and key.plain:
                merges.append(value)
                continue
            name = self._name(key, canonical)
            if name in seen:
                here = fieldpath.member(path, name[:200])
                first = seen[name].position.line
                message = f"{quoted(key.text)} is given twice, first on line {first}; remove one of them"
                self._problems.add(codes.DUPLICATE_KEY, message, key.position, here)
                continue
            seen[name] = key
            found.append((key, value))
        for key, value in self._merged(merges, path, canonical, depth):
            name = self._name(key, canonical)
            if name not in seen:
                seen[name] = key
                found.append((key, value))
        yield from found

    def _merged(
        self, merges: list[Node], path: str, canonical: MappingType[str, FieldDescriptor] | None, depth: int
    ) -> Iterator[tuple[Scalar, Node]]:
        if depth > MAX_DEPTH:
            self._add(codes.TOO_LARGE, "a merge key leads back to itself; remove it", merges[0], path)
            raise _Stop
        for value in merges:
            self._visit(value)
            for source in value.items if isinstance(value, Sequence) else [value]:
                self._visit(source)
                if isinstance(source, Mapping):
                    yield from self._pairs(source, path, canonical=canonical, depth=depth + 1)
                else:
                    self._add(
                        codes.WRONG_TYPE,
                        f"is {kind(source)}; a merge key takes a mapping or a list of them",
                        source,
                        path,
                    )

    @staticmethod
    def _name(key: Scalar, canonical: MappingType[str, FieldDescriptor] | None) -> str:
        if canonical is not None and key.text in canonical:
            return canonical[key.text].name
        return key.text

    # --------------------------------------------------------------------------------------- fields

    def _field(self, node: Node, message: Message, field: FieldDescriptor, path: str, blame: str) -> None:
        self.positions[path] = node.position
        self._visit(node)
        is_value = field.message_type is not None and field.message_type.full_name == VALUE
        if isinstance(node, Scalar) and node.is_null and not is_value:
            return
        if is_map(field):
            self._map(node, message, field, path)
        elif field.is_repeated:
            self._list(node, message, field, path)
        elif field.message_type is not None:
            self._single_message(node, getattr(message, field.name), path, spec_of(message.DESCRIPTOR))
        else:
            value = self._scalar(node, field, blame)
            if value is not None:
                setattr(message, field.name, value)

    def _single_message(self, node: Node, target: Message, path: str, outer: MessageSpec | None) -> None:
        if isinstance(target, Duration):
            self._duration(node, target, path)
        elif isinstance(target, Value):
            self._value(node, target, path, 0)
        else:
            target.SetInParent()
            self._message(node, target, path, outer)

    def _map(self, node: Node, message: Message, field: FieldDescriptor, path: str) -> None:
        if not isinstance(node, Mapping):
            self._add(
                codes.WRONG_TYPE,
                f"is {kind(node)}; a mapping from name to {_entry(field)} is expected",
                node,
                path,
            )
            return
        of_values = value_field(field)
        target = getattr(message, field.name)
        for key, value in self._pairs(node, path):
            here = fieldpath.member(path, key.text)
            self.positions[here] = value.position
            self._visit(value)
            if of_values.message_type is None:
                text = self._scalar(value, of_values, here)
                if text is not None:
                    target[key.text] = text
            elif isinstance(value, Scalar) and value.is_null:
                self._add(
                    codes.WRONG_TYPE,
                    f"{quoted(key.text)} is empty; write {{}} for one without settings",
                    key,
                    here,
                )
            else:
                self._single_message(value, target[key.text], here, spec_of(message.DESCRIPTOR))

    def _list(self, node: Node, message: Message, field: FieldDescriptor, path: str) -> None:
        target = getattr(message, field.name)
        if isinstance(node, Scalar) and is_scalar_ok(field):
            self.positions[fieldpath.item(path, 0)] = node.position
            value = self._scalar(node, field, path)
            if value is not None:
                target.append(value)
            return
        if not isinstance(node, Sequence):
            example = f"[{node.text[:60]}]" if isinstance(node, Scalar) else "[{...}]"
            self._add(codes.WRONG_TYPE, f"is {kind(node)}; a list is expected, write {example}", node, path)
            return
        for index, item in enumerate(node.items):
            here = fieldpath.item(path, index)
            self.positions[here] = item.position
            self._visit(item)
            if isinstance(item, Scalar) and item.is_null:
                self._add(codes.WRONG_TYPE, "is an empty element; remove it", item, here)
            elif field.message_type is not None:
                self._single_message(item, target.add(), here, spec_of(message.DESCRIPTOR))
            else:
                value = self._scalar(item, field, here)
                if value is not None:
                    target.append(value)

    # -------------------------------------------------------------------------------------- scalars

    def _scalar(self, node: Node, field: FieldDescriptor, path: str) -> str | float | bool | bytes | None:
        scalar = self._filled(node, path, _expected(field))
        if scalar is None:
            return None
        if scalar.is_null:
            if node is not scalar:
                return None  # an environment variable that is empty leaves the setting alone
            self._add(codes.WRONG_TYPE, f"is empty; {_expected(field)} is expected", node, path)
            return None
        try:
            return _convert(scalar, field)
        except ScalarError as e:
            self._add(e.code, f"{quoted(scalar.text)} {e}", node, path)
            return None

    def _duration(self, node: Node, target: Duration, path: str) -> None:
        scalar = self._filled(node, path, "a duration such as 50ms or 1m30s")
        if scalar is None or scalar.is_null:
            return
        try:
            target.CopyFrom(scalars.to_duration(scalar))
        except ScalarError as e:
            self._add(e.code, f"{quoted(scalar.text)} {e}", node, path)

    def _filled(self, node: Node, path: str, expected: str) -> Scalar | None:
        """Return the scalar with environment references replaced; None after a report."""
        if not isinstance(node, Scalar):
            self._add(codes.WRONG_TYPE, f"is {kind(node)}; {expected} is expected", node, path)
            return None
        try:
            text = substitute(node.text, self._env)
        except EnvError as e:
            self._add(codes.BAD_ENV, str(e), node, path)
            return None
        return node if text == node.text else Scalar(text, node.plain, node.position)

    # ---------------------------------------------------------------------------------- JSON values

    def _value(self, node: Node, target: Value, path: str, depth: int) -> None:
        if depth > MAX_JSON_DEPTH:
            self._add(codes.TOO_LARGE, f"is nested more than {MAX_JSON_DEPTH} levels deep", node, path)
            raise _Stop
        if isinstance(node, Mapping):
            target.struct_value.SetInParent()
            for key, value in self._pairs(node, path):
                self._visit(value)
                self._value(value, target.struct_value.fields[key.text], path, depth + 1)
        elif isinstance(node, Sequence):
            target.list_value.SetInParent()
            for item in node.items:
                self._visit(item)
                self._value(item, target.list_value.values.add(), path, depth + 1)
        else:
            self._json_scalar(node, target, path)

    def _json_scalar(self, node: Scalar, target: Value, path: str) -> None:
        target.null_value = NULL_VALUE
        scalar = self._filled(node, path, "a JSON value")
        if scalar is None:
            return
        try:
            value = scalars.to_json(scalar)
        except ScalarError as e:
            self._add(e.code, f"{quoted(scalar.text)} {e}", node, path)
            return
        if isinstance(value, bool):
            target.bool_value = value
        elif isinstance(value, str):
            target.string_value = value
        elif value is not None:
            target.number_value = value

    # --------------------------------------------------------------------------------------- limits

    def _visit(self, node: Node) -> None:
        self._visits += 1
        if isinstance(node, Scalar):
            self._characters += len(node.text)
        if self._visits > 2 * MAX_NODES or self._characters > _MAX_CHARACTERS:
            message = "unfolds into too many values; use fewer aliases"
            self._problems.add(codes.TOO_LARGE, message, node.position)
            raise _Stop

    def _add(self, code: str, message: str, node: Node, path: str) -> None:
        self._problems.add(code, message, node.position, path)


def _convert(scalar: Scalar, field: FieldDescriptor) -> str | float | bool | bytes:
    if field.enum_type is not None:
        return scalars.to_enum(scalar, field.enum_type)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return scalars.to_bool(scalar)
    if field.type == FieldDescriptor.TYPE_UINT32:
        sized = unit_of(field) == options_pb2.UNIT_SIZE
        return scalars.to_size(scalar) if sized else scalars.to_uint32(scalar)
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        percent = unit_of(field) == options_pb2.UNIT_PERCENT
        return scalars.to_percent(scalar) if percent else scalars.to_double(scalar)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return scalars.to_bytes(scalar)
    return scalar.text


def _expected(field: FieldDescriptor) -> str:
    if field.enum_type is not None:
        return "one of " + ", ".join(scalars.enum_words(field.enum_type))
    if field.type == FieldDescriptor.TYPE_BOOL:
        return "true or false"
    if field.type == FieldDescriptor.TYPE_UINT32:
        return "a size such as 64KiB" if unit_of(field) == options_pb2.UNIT_SIZE else "a whole number"
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return "a percentage such as 50%" if unit_of(field) == options_pb2.UNIT_PERCENT else "a number"
    if unit_of(field) == options_pb2.UNIT_STATUS_CODE:
        return "the name of a gRPC status"
    return "text"


def _entry(field: FieldDescriptor) -> str:
    value = value_field(field)
    return value.message_type.name.lower() if value.message_type is not None else "text"
