"""Operations on the fleet: what somebody does to many proxies for a time, and what each of them made of it.

An operation has an end, an actor and a reason. It is carried out at the proxies that are there, at those that
connect before it ends, and once for each run of a proxy. A proxy ends it by itself at its time; when it is
cancelled, those that did it are told, also when they come back later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.events import MICROS, Json
from seawall_control.domain.records import MAX_BODY_BYTES, Delete
from seawall_control.domain.selectors import EVERYBODY, Selector, parse_selector
from seawall_control.domain.stored_json import Fields, text_of

KIND: Final = "operation"
TOPIC: Final = "operations"
FORMAT: Final = 1

MIN_LENGTH_S: Final = 1.0
LAST_S: Final = 0.5
"""Before its end nobody is told to begin any more."""
MAX_LENGTH_S: Final = 86_400.0
MAX_ACTIVE: Final = 100
"""Operations in effect at once."""
MAX_ACTOR: Final = 128
MAX_REASON: Final = 512
MAX_MESSAGE: Final = 512


class State(StrEnum):
    """Where an operation stands."""

    ACTIVE = "active"
    ENDED = "ended"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """What one run of a proxy made of it."""

    boot_id: str
    ok: bool
    message: str = ""
    time_us: int = 0
    undone: bool = False
    """It was ended there before its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation. Times are microseconds."""

    id: str
    kind: str
    """`hold_breaker`, `reset_breaker`, `fault` or `drain`."""
    action: str
    """The action as JSON, which is the edge's business."""
    title: str
    node: str = ""
    selector: Selector = EVERYBODY
    actor: str
    reason: str
    create_time_us: int
    end_time_us: int
    state: State = State.ACTIVE
    cancelled_by: str = ""
    acks: Mapping[str, Ack] = field(default_factory=dict)

    def is_for(self, node: str, labels: Mapping[str, str]) -> bool:
        """Tell whether it is for a proxy."""
        return node == self.node if self.node else self.selector.matches(labels)

    def wants_start(self, node: str, labels: Mapping[str, str], boot_id: str, now_us: int) -> bool:
        """Tell whether this run of a proxy is to be told to do it: it has not said anything about it yet."""
        if self.state is not State.ACTIVE or self.left_s(now_us) < LAST_S:
            return False
        ack = self.acks.get(node)
        return self.is_for(node, labels) and (ack is None or ack.boot_id != boot_id)

    def wants_end(self, node: str, boot_id: str, now_us: int) -> bool:
        """Tell whether this run of a proxy is to be told to end it: it does it, though it was cancelled."""
        if self.state is not State.CANCELLED or self.kind == "reset_breaker" or now_us >= self.end_time_us:
            return False
        ack = self.acks.get(node)
        return ack is not None and ack.boot_id == boot_id and ack.ok and not ack.undone

    @property
    def length_us(self) -> int:
        """How long it was to last."""
        return self.end_time_us - self.create_time_us

    def length_left_s(self, now_us: int) -> float:
        """Return how long a proxy is to do it: what is left, but no less than a proxy does it."""
        return max(MIN_LENGTH_S, self.left_s(now_us))

    def left_s(self, now_us: int) -> float:
        """Return how long it lasts yet, in seconds."""
        return (self.end_time_us - now_us) / MICROS

    def answered(self, node: str, ack: Ack) -> Operation:
        """Return the operation with what a proxy said."""
        message = ack.message[:MAX_MESSAGE]
        return replace(self, acks={**self.acks, node: replace(ack, message=message)})


def checked(
    *,
    length_s: float,
    actor: str,
    reason: str,
    node: str,
    selector: str,
) -> tuple[Selector, str, str]:
    """Return selector, actor and reason. Raise `InvalidRequest` for an operation without an end, a name or a
    reason, or for nobody.
    """
    if not MIN_LENGTH_S <= length_s <= MAX_LENGTH_S:
        raise InvalidRequest(f"duration must be 1 s to 24 h, not {length_s:.12g} s")
    if not actor.strip():
        raise InvalidRequest("actor must say who does it")
    if not reason.strip():
        raise InvalidRequest("reason must say why; others will ask")
    if node and selector:
        raise InvalidRequest("name a proxy or a selector, not both")
    return parse_selector(selector), actor.strip()[:MAX_ACTOR], reason.strip()[:MAX_REASON]


def cancelled(operation: Operation, *, actor: str, reason: str) -> Operation:
    """Return the operation ended before its time; its end stays, for proxies that are away until then."""
    who = actor.strip()[:MAX_ACTOR] or "an operator"
    text = f"{who}: {reason.strip()[:MAX_REASON]}" if reason.strip() else who
    return replace(operation, state=State.CANCELLED, cancelled_by=text)


def ended(operation: Operation, now_us: int) -> Operation:
    """Return the operation, ended if its time is up."""
    is_over = operation.state is State.ACTIVE and now_us >= operation.end_time_us
    return replace(operation, state=State.ENDED) if is_over else operation


def deletion(operation: Operation) -> Delete:
    """Return the change that forgets an operation."""
    return Delete(KIND, operation.id)


def encoded(operation: Operation) -> str:
    """Return the text of the document; where thousands of proxies said much, without what they said."""
    text = _encoded(operation)
    if len(text.encode()) <= MAX_BODY_BYTES:
        return text
    brief = {node: replace(ack, message="") for node, ack in operation.acks.items()}
    return _encoded(replace(operation, acks=brief))


def _encoded(operation: Operation) -> str:
    acks: dict[str, Json] = {
        node: [ack.boot_id, ack.ok, ack.message, ack.time_us, ack.undone]
        for node, ack in operation.acks.items()
    }
    return text_of(
        {
            "format": FORMAT,
            "id": operation.id,
            "kind": operation.kind,
            "action": operation.action,
            "title": operation.title,
            "node": operation.node,
            "selector": operation.selector.text,
            "actor": operation.actor,
            "reason": operation.reason,
            "create_time_us": operation.create_time_us,
            "end_time_us": operation.end_time_us,
            "state": operation.state,
            "cancelled_by": operation.cancelled_by,
            "acks": acks,
        }
    )


def decoded(body: str) -> Operation:
    """Return what a document says. Raise ValueError for what is none."""
    data = Fields.parse(body)
    if data.integer("format") != FORMAT:
        raise ValueError(f"an operation in format {data.integer('format')}; this version knows {FORMAT}")
    return Operation(
        id=data.text("id"),
        kind=data.text("kind"),
        action=data.text("action"),
        title=data.text("title"),
        node=data.text("node"),
        selector=parse_selector(data.text("selector")),
        actor=data.text("actor"),
        reason=data.text("reason"),
        create_time_us=data.integer("create_time_us"),
        end_time_us=data.integer("end_time_us"),
        state=State(data.text("state")),
        cancelled_by=data.text("cancelled_by"),
        acks={node: _ack(value) for node, value in data.object("acks").data.items()},
    )


def _ack(value: Json) -> Ack:
    match value:
        case [str(boot_id), bool(ok), str(message), int(time_us), bool(undone)]:
            return Ack(boot_id=boot_id, ok=ok, message=message, time_us=time_us, undone=undone)
        case _:
            raise ValueError("an acknowledgement cannot be read")


def entry(operation: Operation, what: str) -> str:
    """Return the text of a journal's entry."""
    return text_of(
        {
            "operation": operation.id,
            "what": what,
            "title": operation.title,
            "node": operation.node,
            "selector": operation.selector.text,
            "actor": operation.actor,
            "reason": operation.reason,
            "cancelled_by": operation.cancelled_by,
            "end_time_us": operation.end_time_us,
        }
    )
