"""Filters over events and groups: their grammar (AIP-160), as a typed tree, and what a tree means for one
event.

Grammar (EBNF, after https://google.aip.dev/assets/misc/ebnf-filtering.txt; functions and bare words are left
out, and said so):

    filter     = [ sequence { AND sequence } ]
    sequence   = factor { factor }                      juxtaposed factors are joined by AND
    factor     = term { OR term }                       OR binds tighter than AND, as AIP-160 wants it
    term       = [ NOT | "-" ] ( restriction | "(" filter ")" )
    restriction= field ( "=" | "!=" | "<" | "<=" | ">" | ">=" | ":" ) value

`:` on text means "contains", without regard to case (ASCII letters); on other fields it means `=`; `field:*`
means "is set". Text is compared by code point. A store translates the tree into its own language; `matches`
is the meaning that it has to reproduce.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final, NoReturn, TypeAlias

from seawall_control.domain.errors import InvalidFilter
from seawall_control.domain.events import Event
from seawall_control.domain.names import CATEGORIES, KINDS, OUTCOMES, SEVERITIES

MAX_LENGTH: Final = 4096
MAX_TERMS: Final = 64
MAX_DEPTH: Final = 32
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Op(Enum):
    """How a field is compared."""

    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    HAS = ":"
    SET = ":*"


class Kind(Enum):
    """What a field holds."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Field:
    """A field that filters may use."""

    name: str
    kind: Kind
    names: Mapping[str, int] | None = field(default=None, hash=False)
    """For enumerations: the number of every name."""


FIELDS: Final[Mapping[str, Field]] = {
    **{
        name: Field(name, Kind.TEXT)
        for name in (
            "component", "error_type", "message", "job_id", "job_name", "route", "method", "code", "endpoint",
            "reason", "trace_id", "fingerprint", "proxy",
        )
    },
    "severity": Field("severity", Kind.NUMBER, SEVERITIES),
    "kind": Field("kind", Kind.NUMBER, KINDS),
    "category": Field("category", Kind.NUMBER, CATEGORIES),
    "outcome": Field("outcome", Kind.NUMBER, OUTCOMES),
    "resolved": Field("resolved", Kind.FLAG),
    "timestamp": Field("timestamp", Kind.TIME),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison. Times are microseconds, flags 0 or 1, enumerations numbers."""

    field: Field
    op: Op
    value: str | int


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    item: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of them; all of none is true."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of them."""

    items: tuple[Node, ...]


Node: TypeAlias = "Compare | Not | And | Or"

EVERYTHING: Final = And(())

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)|(?P<open>\()|(?P<close>\))|(?P<op><=|>=|!=|=|<|>|:)|(?P<minus>-(?=[A-Za-z_(]))"""
    r"""|(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>[^\s()=<>!:"',]+)"""
)
# A value may hold colons (times, addresses, `v1:…` fingerprints); a field may not.
_VALUE: Final = re.compile(
    r"""\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>[^\s()"',]+))"""
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def _fail(text: str, at: int, what: str) -> NoReturn:
    shown = text[max(0, at - 20) : at] + "»" + text[at : at + 20]
    raise InvalidFilter(f"filter, character {at + 1}: {what} (at {shown!r})")


class _Parser:
    """Recursive descent with one token of look-ahead; depth and number of terms are bounded."""

    def __init__(self, text: str, fields: Mapping[str, Field]) -> None:
        self._text = text
        self._fields = fields
        self._at = 0
        self._terms = 0
        self._depth = 0

    def _peek(self) -> _Token:
        at = self._at
        while at < len(self._text):
            match = _TOKEN.match(self._text, at)
            if match is None:
                quote = self._text[at] in "\"'"
                _fail(
                    self._text,
                    at,
                    "the quote is never closed" if quote else f"{self._text[at]!r} is not expected here",
                )
            if match.lastgroup != "space":
                kind, text = match.lastgroup or "", match.group()
                if kind == "word" and text in ("AND", "OR", "NOT"):
                    kind = text
                return _Token(kind, text, at)
            at = match.end()
        return _Token("end", "", at)

    def _take(self) -> _Token:
        token = self._peek()
        self._at = token.at + len(token.text)
        return token

    def parse(self) -> Node:
        if self._peek().kind == "end":
            return EVERYTHING
        tree = self._expression()
        token = self._peek()
        if token.kind != "end":
            _fail(
                self._text,
                token.at,
                "this closing parenthesis was never opened" if token.kind == "close" else "end expected",
            )
        return tree

    def _expression(self) -> Node:
        items = [self._factor()]
        while self._peek().kind not in ("end", "close"):
            if self._peek().kind == "AND":
                self._take()
            items.append(self._factor())
        return items[0] if len(items) == 1 else And(tuple(items))

    def _factor(self) -> Node:
        items = [self._term()]
        while self._peek().kind == "OR":
            self._take()
            items.append(self._term())
        return items[0] if len(items) == 1 else Or(tuple(items))

    def _term(self) -> Node:
        token = self._peek()
        if token.kind in ("NOT", "minus"):
            self._take()
            return Not(self._simple())
        return self._simple()

    def _simple(self) -> Node:
        token = self._take()
        if token.kind == "open":
            self._depth += 1
            if self._depth > MAX_DEPTH:
                _fail(self._text, token.at, f"parentheses may be nested {MAX_DEPTH} deep")
            tree = self._expression()
            closing = self._take()
            if closing.kind != "close":
                _fail(self._text, closing.at, "a closing parenthesis is missing")
            self._depth -= 1
            return tree
        if token.kind != "word":
            _fail(self._text, token.at, "a field name is expected")
        return self._restriction(token)

    def _restriction(self, name: _Token) -> Node:
        self._terms += 1
        if self._terms > MAX_TERMS:
            _fail(self._text, name.at, f"a filter may have {MAX_TERMS} comparisons")
        field = self._fields.get(name.text)
        operator = self._peek()
        if operator.kind != "op":
            _fail(
                self._text, name.at, f"a bare word is not a filter; write for example `message:{name.text}`"
            )
        if field is None:
            _fail(
                self._text,
                name.at,
                f"there is no field {name.text!r}; fields are {', '.join(sorted(self._fields))}",
            )
        self._take()
        match = _VALUE.match(self._text, self._at)
        if match is None:
            rest = self._text[self._at :].lstrip()
            unclosed = rest[:1] in ("'", '"') and rest != ""
            _fail(self._text, self._at, "the quote is never closed" if unclosed else "a value is expected")
        at = match.start(match.lastgroup or 0)
        self._at = match.end()
        quoted = match.group("quoted")
        if quoted is None and match.group("word") == "*" and operator.text == ":":
            return Compare(field, Op.SET, 0)
        raw = (
            re.sub(r"\\(.)", r"\1", quoted[1:-1], flags=re.DOTALL)
            if quoted is not None
            else match.group("word")
        )
        return self._typed(field, Op(operator.text), raw, at)

    def _typed(self, field: Field, op: Op, raw: str, at: int) -> Compare:
        if field.kind is Kind.TEXT:
            return Compare(field, op, raw)
        if op is Op.HAS:
            op = Op.EQ
        if field.kind is Kind.TIME:
            return Compare(field, op, self._time(raw, at))
        if field.kind is Kind.FLAG:
            if raw.lower() not in ("true", "false"):
                _fail(self._text, at, f"{field.name} is true or false")
            if op not in (Op.EQ, Op.NE):
                _fail(self._text, at, f"{field.name} is compared with = or !=")
            return Compare(field, op, int(raw.lower() == "true"))
        if field.names is None:
            if not re.fullmatch(r"-?\d{1,18}", raw, re.ASCII):
                _fail(self._text, at, f"{field.name} is a whole number")
            return Compare(field, op, int(raw))
        names = field.names
        number = names.get(raw.upper().removeprefix(f"{field.name.upper()}_"))
        if number is None:
            _fail(self._text, at, f"{field.name} is one of {', '.join(names)}")
        return Compare(field, op, number)

    def _time(self, raw: str, at: int) -> int:
        try:
            time = datetime.fromisoformat(raw)
        except ValueError:
            _fail(self._text, at, "a time in RFC 3339 is expected, such as 2026-11-01T00:00:00Z")
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        try:
            return (time - _EPOCH) // timedelta(microseconds=1)
        except OverflowError:
            _fail(self._text, at, "the time is out of range")


def parse(text: str, fields: Mapping[str, Field] = FIELDS) -> Node:
    """Return the tree of a filter over these fields; an empty one matches everything.

    Raise `InvalidFilter` with the position.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidFilter(f"filter has {len(text)} characters; at most {MAX_LENGTH} are allowed")
    return _Parser(text, fields).parse()


VALUES: Final[Mapping[str, Callable[[Event], str | int]]] = {
    "component": lambda e: e.component,
    "error_type": lambda e: e.error_type,
    "message": lambda e: e.message,
    "job_id": lambda e: e.job_id,
    "job_name": lambda e: e.job_name,
    "route": lambda e: e.route,
    "method": lambda e: e.method,
    "code": lambda e: e.code,
    "endpoint": lambda e: e.endpoint,
    "reason": lambda e: e.reason,
    "trace_id": lambda e: e.trace_id,
    "fingerprint": lambda e: e.fingerprint,
    "proxy": lambda e: e.proxy,
    "severity": lambda e: int(e.severity),
    "kind": lambda e: int(e.kind),
    "category": lambda e: int(e.category),
    "outcome": lambda e: int(e.outcome),
    "resolved": lambda e: int(e.resolved),
    "timestamp": lambda e: e.timestamp_us,
}

_LOWER: Final = {ord(letter): ord(letter) + 32 for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def folded(text: str) -> str:
    """Return text with ASCII letters in lower case: the folding that every store engine has."""
    return text.translate(_LOWER)


def compared(found: str | int, node: Compare) -> bool:
    """Tell whether a value satisfies one comparison."""
    op, wanted = node.op, node.value
    if op is Op.SET:
        return node.field.kind is Kind.FLAG or found not in ("", 0)
    if isinstance(found, str) and isinstance(wanted, str):
        if op is Op.HAS:
            return folded(wanted) in folded(found)
        return _ordered(found.encode(), wanted.encode(), op)
    if isinstance(found, int) and isinstance(wanted, int):
        return _ordered(found, wanted, op)
    raise TypeError(f"{node.field.name} holds {type(found).__name__}, the filter {type(wanted).__name__}")


def _ordered(found: bytes | int, wanted: bytes | int, op: Op) -> bool:
    if op is Op.EQ:
        return found == wanted
    if op is Op.NE:
        return found != wanted
    if isinstance(found, bytes) != isinstance(wanted, bytes):
        raise TypeError("values of one kind are compared")
    below = found < wanted  # type: ignore[operator]
    if op is Op.LT:
        return below
    if op is Op.GE:
        return not below
    equal = found == wanted
    return below or equal if op is Op.LE else not below and not equal


def matches(node: Node, event: Event) -> bool:
    """Tell whether an event satisfies a filter."""
    return holds(node, lambda name: VALUES[name](event))


def holds(node: Node, value_of: Callable[[str], str | int]) -> bool:
    """Tell whether a filter is satisfied by something that has these values of its fields."""
    match node:
        case Compare():
            return compared(value_of(node.field.name), node)
        case Not(item):
            return not holds(item, value_of)
        case And(items):
            return all(holds(item, value_of) for item in items)
        case Or(items):
            return any(holds(item, value_of) for item in items)
