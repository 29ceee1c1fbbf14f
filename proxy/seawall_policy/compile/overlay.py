"""One message written over another, setting by setting: what inheritance is, of policies as of documents.

Messages are merged field by field; lists, durations and free values are replaced as a whole, since a list
that grew by inheritance could not be read off either file. A setting that is another's alternative drops it:
whoever gives a cluster a `target` does not want the endpoints that were there before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

ATOMIC: Final = frozenset({"google.protobuf.Duration", "google.protobuf.Value"})
"""Messages that are one value to whoever writes a policy."""

_EITHER: Final[Mapping[str, tuple[str, str]]] = {
    "seawall.v1.Hedge": ("delay", "percentile"),
    "seawall.v1.Cluster": ("endpoints", "target"),
    "seawall.v1.Route": ("cluster", "backends"),
}
"""Of these settings of a message only one may be there."""


def overlay(base: Message, top: Message) -> None:
    """Write every setting of `top` over `base`."""
    _drop_alternative(base, top)
    for field, value in top.ListFields():
        if field.is_repeated:
            base.ClearField(field.name)
            getattr(base, field.name).MergeFrom(value)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            target = getattr(base, field.name)
            if value.DESCRIPTOR.full_name in ATOMIC:
                target.CopyFrom(value)
            else:
                target.SetInParent()
                overlay(target, value)
        else:
            setattr(base, field.name, value)


def _drop_alternative(base: Message, top: Message) -> None:
    """Forget what a setting of `top` replaces under another name."""
    pair = _EITHER.get(top.DESCRIPTOR.full_name)
    if pair is None:
        return
    said = {field.name for field, _ in top.ListFields()}
    for name, other in (pair, pair[::-1]):
        if name in said and other not in said:
            base.ClearField(other)
