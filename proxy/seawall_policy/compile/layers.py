"""A document over the one that it extends: what both come to, and whose each setting is.

Clusters, policies and routes are put together by name. Of two with one name the settings of the upper
document win, field by field as in `overlay`; what only one of them has is there as it is. The upper
document's elements come first, in their order, so that its routes win among equals. What a proxy's own file
decides is never inherited, and `extends` ends with the merge.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from google.protobuf import descriptor_pb2
from google.protobuf.message import DecodeError, Message

from seawall.v1 import policy_pb2
from seawall_policy import fieldpath
from seawall_policy.compile.document import BOOTSTRAP_FIELDS
from seawall_policy.compile.friendly import field_to_plain
from seawall_policy.compile.overlay import ATOMIC, overlay
from seawall_policy.compile.report import Violation

MAX_LAYERS: Final = 8
"""Documents that may extend each other in a row; nobody could follow a longer line."""

_NAMED: Final = ("clusters", "routes")
"""Lists whose elements are known by their names."""
_LEFT_OUT: Final = frozenset({*BOOTSTRAP_FIELDS, "version", "extends"})
_ELEMENT: Final = re.compile(r"(clusters|routes)\[(\d+)\]")

Document = policy_pb2.PolicyDocument


def merged(base: Document, own: Document) -> Document:
    """Return `own` with everything that it does not say itself taken from `base`."""
    found = Document()
    found.CopyFrom(own)
    found.ClearField("extends")
    for name in _NAMED:
        found.ClearField(name)
        lower = {element.name: element for element in getattr(base, name)}
        upper = {element.name for element in getattr(own, name)}
        for element in getattr(own, name):
            added = getattr(found, name).add()
            if element.name in lower:
                added.CopyFrom(lower[element.name])
            overlay(added, element)
        getattr(found, name).extend(element for element in getattr(base, name) if element.name not in upper)
    found.ClearField("policies")
    for name in sorted({*base.policies, *own.policies}):
        if name in base.policies:
            found.policies[name].CopyFrom(base.policies[name])
        overlay(found.policies[name], own.policies[name] if name in own.policies else policy_pb2.Policy())
    found.descriptor_set = _descriptors(own.descriptor_set, base.descriptor_set)
    return found


def _descriptors(first: bytes, second: bytes) -> bytes:
    """Return the files of both sets, each once; of two with one name the first."""
    if not first or not second or first == second:
        return first or second
    try:
        sets = [descriptor_pb2.FileDescriptorSet.FromString(data) for data in (first, second)]
    except DecodeError:
        return first + second  # the compiler says what is wrong with it
    files = {file.name: file for found in reversed(sets) for file in found.file}
    return descriptor_pb2.FileDescriptorSet(file=[files[name] for name in sorted(files)]).SerializeToString(
        deterministic=True
    )


@dataclass(frozen=True, slots=True)
class Placed:
    """A violation of a merged document at the place where it was written."""

    violation: Violation
    in_base: bool
    """It is at something that only the lower document has; the path is the one there."""


def placed(base: Document, own: Document, violation: Violation) -> Placed:
    """Return where in the two documents a violation of the merged one is."""
    path = violation.field
    found = _ELEMENT.match(path)
    if found is not None:
        name, index = found[1], int(found[2])
        upper = [element.name for element in getattr(own, name)]
        if index < len(upper):
            return Placed(violation, in_base=False)
        rest = [n for n, element in enumerate(getattr(base, name)) if element.name not in set(upper)]
        there = fieldpath.item(name, rest[index - len(upper)]) + path[found.end() :]
        return Placed(replace(violation, field=there), in_base=True)
    above = set(fieldpath.ancestors(path))
    in_base = any(
        fieldpath.member("policies", name) in above for name in base.policies if name not in own.policies
    )
    return Placed(violation, in_base)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a merged document, and whose it is."""

    field: str
    """Path; elements with a name are addressed by it: `routes[checkout].policy`."""
    value: str
    """As JSON."""
    layer: int
    """Index of the document that says so, the uppermost being 0."""


def settings(document: Document, layers: Sequence[Document]) -> list[Setting]:
    """Return every setting of a document in the order of the schema, with the uppermost of `layers` (the
    documents that it was merged from, the upper ones first) that says so.
    """
    said = [{path for path, _ in _leaves(layer, "")} for layer in layers]
    last = len(said) - 1
    return [
        Setting(path, value, next((index for index, paths in enumerate(said) if path in paths), last))
        for path, value in _leaves(document, "")
    ]


def _leaves(message: Message, path: str) -> Iterator[tuple[str, str]]:
    for field, value in message.ListFields():
        if not path and field.name in _LEFT_OUT:
            continue
        here = fieldpath.member(path, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for key in sorted(value):
                yield from _inside(value[key], fieldpath.member(here, key))
        elif field.is_repeated and not path and field.name in _NAMED:
            for element in value:
                yield from _inside(element, f"{here}[{element.name}]")
        elif isinstance(value, Message) and value.DESCRIPTOR.full_name not in ATOMIC:
            yield from _inside(value, here)
        elif isinstance(value, bytes):
            yield here, json.dumps(f"sha256:{hashlib.sha256(value).hexdigest()} ({len(value)} bytes)")
        else:
            yield here, json.dumps(field_to_plain(field, value), ensure_ascii=False)


def _inside(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Message) and value.ListFields():
        yield from _leaves(value, path)
    else:
        yield path, "{}" if isinstance(value, Message) else json.dumps(value)
