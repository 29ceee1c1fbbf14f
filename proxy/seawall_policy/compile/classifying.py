"""Reading classification: overrides of codes, and rules that look closer."""

from __future__ import annotations

import re
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy.classify import Classifier
from seawall_policy.classify_rules import ClassifyRule
from seawall_policy.compile import codes
from seawall_policy.compile.scope import Scope
from seawall_policy.pattern import Pattern, PatternError
from seawall_policy.suggest import quoted

MAX_RULES: Final = 64
"""Entries of one policy; each may be asked about every failure."""

_REASON: Final = re.compile(r"[A-Z][A-Z0-9_]{0,62}", re.ASCII)
_MAX_DOMAIN: Final = 253


def read_classifier(scope: Scope, policy: policy_pb2.Policy) -> Classifier:
    """Return the category and strategy of every status code, and the rules that come first."""
    scope = scope / "classify"
    if len(policy.classify) > MAX_RULES:
        scope.error(codes.TOO_MANY, f"has {len(policy.classify)} entries; at most {MAX_RULES} are allowed")
    overrides: dict[int, tuple[int, int]] = {}
    rules: list[ClassifyRule] = []
    special = False
    for index, entry in enumerate(policy.classify[:MAX_RULES]):
        place = scope.at(index)
        rule = _read_rule(place, entry)
        if rule is None:
            continue
        _check_earlier(place, rule, rules)
        rules.append(rule)
        if _is_plain(rule):
            overrides.setdefault(rule.code, (rule.category, rule.strategy))
        else:
            special = True
    # Codes alone need no rules: a table answers for them.
    return Classifier(overrides, tuple(rules) if special else ())


def _read_rule(scope: Scope, entry: policy_pb2.Classify) -> ClassifyRule | None:
    code = (scope / "code").status_code(entry.code) if entry.code else 0
    category = (scope / "category").choice(entry.category, policy_pb2.Category.values(), 0)
    strategy = (scope / "strategy").choice(entry.strategy, policy_pb2.Strategy.values(), 0)
    phase = (scope / "phase").choice(entry.phase, policy_pb2.Phase.values(), 0)
    said = bool(entry.category or entry.strategy)
    if not said:
        scope.error(codes.MISSING, "say what to change: `category`, `strategy`, or both")
    asked = bool(entry.code or entry.reason or entry.domain or entry.message or phase)
    if not asked:
        (scope / "code").error(
            codes.MISSING, "name the status code, such as `code: RESOURCE_EXHAUSTED`, or another condition"
        )
    if entry.reason and not _REASON.fullmatch(entry.reason):
        (scope / "reason").error(
            codes.BAD_NAME,
            f"{quoted(entry.reason)} is no reason; write a constant such as STOCK_EXHAUSTED, up to 63 long",
        )
    if len(entry.domain) > _MAX_DOMAIN or not entry.domain.isprintable():
        (scope / "domain").error(
            codes.BAD_NAME, f"must be a name such as shop.example.com, at most {_MAX_DOMAIN} characters"
        )
    pattern = _read_pattern(scope / "message", entry.message)
    if not said or not asked or code < 0 or (entry.message and pattern is None):
        return None
    return ClassifyRule(category, strategy, code, entry.reason, entry.domain, pattern, phase)


def _read_pattern(scope: Scope, text: str) -> Pattern | None:
    if not text:
        return None
    try:
        return Pattern(text)
    except PatternError as error:
        scope.error(codes.BAD_PATTERN, f"{quoted(text)} {error}")
        return None


def _check_earlier(scope: Scope, rule: ClassifyRule, earlier: list[ClassifyRule]) -> None:
    for other in earlier:
        if other.covers(rule) and rule.covers(other):
            place = scope / "code" if _is_plain(rule) else scope
            place.error(codes.DUPLICATE_NAME, "the same failures are classified twice; keep one of the two")
            return
        if other.covers(rule):
            scope.warn(
                codes.CLASSIFIED_BEFORE,
                "an earlier entry matches whatever this one does; put the special before the general",
            )
            return


def _is_plain(rule: ClassifyRule) -> bool:
    """Tell whether a rule asks for the code alone."""
    return rule.code != 0 and not rule.reason and not rule.domain and rule.message is None and rule.phase == 0
