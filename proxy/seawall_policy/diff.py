"""What is different between two policy documents, field by field.

Elements with a name are addressed by it (`routes[checkout].policy`), so that a route that moved is no change
of every route after it; a different order is said once for the list. Lists of plain values are compared as a
whole. Values are JSON in the words of a policy file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy import fieldpath
from seawall_policy.compile.document import BOOTSTRAP_FIELDS
from seawall_policy.compile.friendly import Plain, to_plain

_KEYED: Final = ("name", "code")
"""What identifies an element of a list, in this order."""


@dataclass(frozen=True, slots=True)
class Change:
    """One changed field."""

    field: str
    before: str
    """JSON; empty when there was nothing."""
    after: str
    """JSON; empty when there is nothing."""


def changes(
    before: policy_pb2.PolicyDocument, after: policy_pb2.PolicyDocument, *, bootstrap: bool = False
) -> list[Change]:
    """Return the changed fields in the order of the schema.

    The parts that only a proxy's own file decides (listeners, control, admin) count with `bootstrap` alone,
    as in the digest.
    """
    left, right = _comparable(before, bootstrap), _comparable(after, bootstrap)
    found: list[Change] = []
    order = [field.name for field in policy_pb2.PolicyDocument.DESCRIPTOR.fields]
    for name in order:
        _compare(name, left.get(name, _ABSENT), right.get(name, _ABSENT), found)
    return found


class _Absent:
    """Nothing is there, which is not the same as null."""


_ABSENT: Final = _Absent()

_Side = Plain | _Absent


def _comparable(document: policy_pb2.PolicyDocument, bootstrap: bool) -> dict[str, Plain]:
    copy = policy_pb2.PolicyDocument()
    copy.CopyFrom(document)
    if not bootstrap:
        for name in BOOTSTRAP_FIELDS:
            copy.ClearField(name)
    descriptors = copy.descriptor_set
    copy.ClearField("descriptor_set")
    plain = to_plain(copy)
    assert isinstance(plain, dict)
    if descriptors:
        # Nobody can read the bytes; whether they are the same is all there is to say.
        plain["descriptor_set"] = (
            f"sha256:{hashlib.sha256(descriptors).hexdigest()} ({len(descriptors)} bytes)"
        )
    return plain


def _compare(path: str, before: _Side, after: _Side, found: list[Change]) -> None:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            _compare(fieldpath.member(path, name), before.get(name, _ABSENT), after.get(name, _ABSENT), found)
        if not before and not after:
            return
    elif isinstance(before, list) and isinstance(after, list) and _has_messages(before, after):
        _compare_lists(path, before, after, found)
    elif _json(before) != _json(after):
        found.append(Change(path, _json(before), _json(after)))


def _has_messages(before: list[Plain], after: list[Plain]) -> bool:
    return all(isinstance(item, dict) for item in (*before, *after))


def _compare_lists(path: str, before: list[Plain], after: list[Plain], found: list[Change]) -> None:
    left, right = _by_key(before), _by_key(after)
    if left is None or right is None:
        for index in range(max(len(before), len(after))):
            _compare(
                fieldpath.item(path, index),
                before[index] if index < len(before) else _ABSENT,
                after[index] if index < len(after) else _ABSENT,
                found,
            )
        return
    for key in dict.fromkeys([*left, *right]):
        _compare(f"{path}[{key}]", left.get(key, _ABSENT), right.get(key, _ABSENT), found)
    stayed = [key for key in left if key in right]
    if stayed != [key for key in right if key in left]:
        found.append(Change(path, _json(list(left)), _json(list(right))))


def _by_key(items: list[Plain]) -> dict[str, Plain] | None:
    """Return the elements by what identifies them; None when something does not."""
    for field in _KEYED:
        keyed: dict[str, Plain] = {}
        for item in items:
            key = item.get(field) if isinstance(item, dict) else None
            if isinstance(key, str) and key:
                keyed[key] = item
        if len(keyed) == len(items):
            return keyed
    return None


def _json(side: _Side) -> str:
    if isinstance(side, _Absent):
        return ""
    return json.dumps(side, ensure_ascii=False, separators=(", ", ": "))
