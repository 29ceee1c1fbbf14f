"""Why events are one group: rules of the operator first, then the fingerprint that came with the event.

A rule says which events it is for (a filter) and by which fields they are told apart; its events get a
fingerprint of their own, `r1:` and a hash over the rule's name and the values of these fields, and the rule's
severity if it has one. The first rule that matches counts. Renaming a rule, or changing its fields, begins
new groups; old ones stay as they are.

`why` takes a fingerprint apart again: it tries what a reporter may have hashed, and says so only when the
hash is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import product
from typing import Final

from seawall_control.domain.errors import FieldProblem, InvalidFilter, InvalidRequest
from seawall_control.domain.events import Event, Json, Severity
from seawall_control.domain.filters import Node, matches, parse
from seawall_policy.classify_rules import PHASE_NAMES, phase_of
from seawall_policy.fingerprint import fingerprint_v1, normalise_v1

MAX_RULES: Final = 100
MAX_NAME_CHARS: Final = 64
RULE_FIELDS: Final = (
    "component", "error_type", "message", "job_name", "route", "method", "code", "endpoint", "reason",
    "proxy", "error_domain", "error_reason",
)  # fmt: skip
"""Fields by which a rule may tell events apart; `message` in its normalised form."""
_SEVERITIES: Final = frozenset(int(severity) for severity in Severity)
AS_THEY_ARE: Final = ("fingerprint",)
"""Stands in their place for a rule that leaves groups alone."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the operator."""

    name: str
    filter: str
    by: tuple[str, ...] = ()
    """Of `RULE_FIELDS`; none: all events of the rule are one group. Or `AS_THEY_ARE`."""
    severity: int = 0
    """That its events get; 0: they keep their own."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules, ready for use."""

    rules: tuple[Rule, ...] = ()
    trees: tuple[Node, ...] = ()

    def of(self, event: Event) -> Rule | None:
        """Return the first rule that an event matches."""
        for rule, tree in zip(self.rules, self.trees, strict=True):
            if matches(tree, event):
                return rule
        return None


def compiled(rules: Sequence[Rule]) -> Rules:
    """Return the rules ready for use. Raise `InvalidRequest` with every mistake."""
    problems: list[FieldProblem] = []
    trees: list[Node] = []
    if len(rules) > MAX_RULES:
        raise InvalidRequest(f"{len(rules)} grouping rules; at most {MAX_RULES} are allowed")
    names: set[str] = set()
    for index, rule in enumerate(rules):
        place = f"rules[{index}]"
        if not 1 <= len(rule.name) <= MAX_NAME_CHARS or rule.name in names:
            problems.append(
                FieldProblem(f"{place}.name", "must be set, unique, and of 64 characters at most")
            )
        names.add(rule.name)
        unknown = [name for name in rule.by if name not in RULE_FIELDS]
        if AS_THEY_ARE[0] in rule.by:
            if len(rule.by) > 1:
                problems.append(FieldProblem(f"{place}.by", "has fingerprint, which stands alone"))
            elif not rule.severity:
                problems.append(
                    FieldProblem(
                        place, "would change nothing: groups stay as they are, and it has no severity"
                    )
                )
        elif unknown:
            problems.append(
                FieldProblem(f"{place}.by", f"{unknown[0][:64]!r} is none of {', '.join(RULE_FIELDS)}")
            )
        if rule.severity and rule.severity not in _SEVERITIES:
            problems.append(FieldProblem(f"{place}.severity", "must be LOW, MEDIUM, HIGH or CRITICAL"))
        if not rule.filter.strip():
            problems.append(
                FieldProblem(f"{place}.filter", "must be set; to group all events, `severity >= LOW`")
            )
        try:
            trees.append(parse(rule.filter))
        except InvalidFilter as error:
            problems.append(FieldProblem(f"{place}.filter", str(error)))
    if problems:
        raise InvalidRequest.of(problems, "no rule was changed")
    return Rules(tuple(rules), tuple(trees))


def _detail(event: Event, key: str) -> str:
    value = None if event.details is None else event.details.get(key)
    return value if isinstance(value, str) else ""


def value_of(event: Event, field: str) -> str:
    """Return what a rule sees of a field."""
    if field == "message":
        return normalise_v1(event.message)
    if field.startswith("error_") and field != "error_type":
        return _detail(event, field)
    return str(getattr(event, field))


def fingerprint_of(rule: Rule, event: Event) -> str:
    """Return the fingerprint that a rule gives an event."""
    if rule.by == AS_THEY_ARE:
        return event.fingerprint
    digest = sha256(b"seawall/rule/1")
    for text in (rule.name, *(part for field in rule.by for part in (field, value_of(event, field)))):
        raw = text.encode("utf-8", "backslashreplace")
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return f"r1:{digest.hexdigest()[:32]}"


def grouped(rules: Rules, event: Event) -> Event:
    """Return the event with the fingerprint and the severity that the rules give it, if any does."""
    if not rules.rules:
        return event
    rule = rules.of(event)
    if rule is None:
        return event
    severity = Severity(rule.severity) if rule.severity else event.severity
    return replace(event, fingerprint=fingerprint_of(rule, event), severity=severity)


def reason_of(event: Event) -> str:
    """Return the reason that counts for the fingerprint: ours, or the server's with its domain."""
    error_reason = _detail(event, "error_reason")
    if event.reason or not error_reason:
        return event.reason
    return f"{_detail(event, 'error_domain')}/{error_reason}"


def _guesses(event: Event) -> Iterator[tuple[str, ...]]:
    """Yield the six parts of a fingerprint that an event may have been given, the likeliest first."""
    own = PHASE_NAMES[phase_of(event.reason, False)]
    yield from product(
        dict.fromkeys((event.route, event.component, _detail(event, "cluster"), "")),
        dict.fromkeys((event.method, "", event.endpoint, event.component)),
        dict.fromkeys((event.error_type or event.code, event.code)),
        dict.fromkeys((reason_of(event), event.reason)),
        dict.fromkeys((own, "local", "")),
        dict.fromkeys((event.message, "", _detail(event, "breaker"))),
    )


def why(rules: Rules, event: Event) -> Mapping[str, Json]:
    """Return what makes an event one of its group: `rule` with the values it looks at, or the parts of the
    `algorithm`, or that the fingerprint was `given`.
    """
    prefix, _, digest = event.fingerprint.partition(":")
    if prefix == "r1":
        for rule in rules.rules:
            if rule.by != AS_THEY_ARE and fingerprint_of(rule, event) == event.fingerprint:
                return {"rule": rule.name, **{field: value_of(event, field) for field in rule.by}}
        return {"rule": "one that has been changed since"}
    if prefix == "v1":
        for route, method, code, reason, phase, message in _guesses(event):
            if fingerprint_v1(route, method, code, reason, phase, message) == digest:
                parts = {"algorithm": "v1", "route": route, "method": method, "code": code, "reason": reason}
                subject = "" if reason else normalise_v1(message)
                return {k: v for k, v in {**parts, "phase": phase, "message": subject}.items() if v}
    return {"given": "by whoever reported the events"}
