"""The call that is being served: who makes it, and what the audit will say about it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from seawall_control.domain import scopes
from seawall_control.domain.access import Caller
from seawall_control.domain.audit import RESOURCE_FIELDS, AuditRecord, record_of
from seawall_control.domain.errors import PermissionDenied
from seawall_control.services.audit_witness import CallWitness
from seawall_control.store.witness import witnessed

MAX_LISTED = 20
"""Items of a repeated field that an entry names."""
_RESULT_FIELDS = ("revision", "hash", "changed", "id", "name", "serial", "resolved", "deleted", "stored")


@dataclass(slots=True)
class ServedCall:
    """One call. Servicers and endpoints may add to what the audit says."""

    caller: Caller
    method: str
    resource: dict[str, str] = field(default_factory=dict)
    result: dict[str, str] = field(default_factory=dict)
    request_id: str = ""
    dry_run: bool = False
    is_in_scope: bool = False
    """Whether it was seen that the request is about the caller's policy sets; see `checked`."""
    id: str = ""
    """Ties the entries of the call together."""
    witness: CallWitness | None = None
    """Writes down what the call changes; None: it changes nothing."""
    carried: asyncio.Future[Any] | None = None
    """The change that goes on to its end though its caller may be gone."""
    failure: tuple[str, str] = ("", "")
    """Name of the status, and reason, of the failure that is answered over HTTP."""

    def record(self) -> AuditRecord:
        """Return what the audit says of the call now."""
        return record_of(
            self.caller,
            self.method,
            resource=self.resource,
            request_id=self.request_id,
            result=self.result,
            call=self.id,
        )

    def asked(self, request: Message) -> None:
        """Learn what a request is about. Raise `PermissionDenied` when that is not the caller's."""
        if self.caller.scope is not None:
            scopes.check_names(self.caller, self.method, _sets(request, scopes.SCOPED.get(self.method, ())))
            self.is_in_scope = True
        self.resource.update(_named(request, RESOURCE_FIELDS))
        self.request_id = str(getattr(request, "request_id", "") or self.request_id)
        self.dry_run = bool(getattr(request, "validate_only", False))

    def checked(self) -> None:
        """Raise `PermissionDenied` for a caller with a scope whose request nobody has looked at."""
        if self.caller.scope is not None and not self.is_in_scope:
            raise PermissionDenied(f"{self.caller.name} is limited to policy sets, and this is about none")

    def answered(self, response: Message) -> None:
        """Learn what came of it."""
        self.result.update(_named(response, _RESULT_FIELDS))


_current: ContextVar[ServedCall | None] = ContextVar("seawall_served_call", default=None)


@contextmanager
def serving(call: ServedCall) -> Iterator[ServedCall]:
    """Make a call the current one of this task and of those that it starts."""
    token = _current.set(call)
    try:
        with witnessed(call.witness):
            yield call
    finally:
        _current.reset(token)


def current() -> ServedCall | None:
    """Return the call that is being served; None outside of one."""
    return _current.get()


async def begun() -> None:
    """Have it on record that something is about to be done that no transaction holds."""
    call = _current.get()
    if call is not None and call.witness is not None:
        await call.witness.begun()


def author(claimed: str) -> str:
    """Return who a change is by: the proven name of the caller, or what the request says of itself."""
    call = _current.get()
    return call.caller.name if call is not None and call.caller.proven else claimed


def caller_name() -> str:
    """Return who calls; unlike the author of a revision it is never what a request says."""
    call = _current.get()
    return call.caller.name if call is not None else ""


def person() -> str:
    """Return the person that calls, whichever of its credentials it shows; see `Caller.person`."""
    call = _current.get()
    return call.caller.person if call is not None else ""


def scope() -> frozenset[str] | None:
    """Return the policy sets that the caller is limited to; None: it is not."""
    call = _current.get()
    return call.caller.scope if call is not None else None


def _sets(request: Message, fields: Iterable[str]) -> dict[str, str]:
    """Return the values of fields such as `document.extends`."""
    found: dict[str, str] = {}
    for field_name in fields:
        value: Any = request
        for part in field_name.split("."):
            value = getattr(value, part)
        found[field_name] = str(value)
    return found


def _named(message: Message, names: Iterable[str]) -> dict[str, str]:
    """Return the values of the fields that say what a message is about: its own and its messages'."""
    found: dict[str, str] = {}
    wanted = frozenset(names)
    for descriptor, value in message.ListFields():
        if descriptor.type == FieldDescriptor.TYPE_MESSAGE:
            if isinstance(value, Message) and value.DESCRIPTOR.full_name.startswith("seawall."):
                inner = {
                    key.name: item
                    for key, item in value.ListFields()
                    if key.name in wanted and key.type != FieldDescriptor.TYPE_MESSAGE
                }
                found.update({f"{descriptor.name}.{key}": _text(item) for key, item in inner.items()})
            elif isinstance(value, Duration) and descriptor.name in wanted:
                found[descriptor.name] = value.ToJsonString()
        elif descriptor.name in wanted and descriptor.type != FieldDescriptor.TYPE_BYTES:
            found[descriptor.name] = _text(value)
    return found


def _text(value: object) -> str:
    if isinstance(value, str | bool | int | float):
        return str(value)
    if isinstance(value, Iterable):
        items = [str(item) for item in value]
        more = f" and {len(items) - MAX_LISTED} more" if len(items) > MAX_LISTED else ""
        return ", ".join(items[:MAX_LISTED]) + more
    return str(value)
