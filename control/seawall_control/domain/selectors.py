"""Label selectors: which proxies are meant, in the words that Kubernetes made common.

`env=prod, zone!=b, tier in (web, api), canary, !old`; commas mean "and", an empty selector means everybody.
(https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from seawall_control.domain.errors import InvalidRequest

MAX_LENGTH: Final = 1024
MAX_REQUIREMENTS: Final = 32

_KEY: Final = r"[A-Za-z0-9_./-]{1,128}"
_VALUE: Final = r"[^\s,()!=]{0,128}"
_SET: Final = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_EQUAL: Final = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_THERE: Final = re.compile(rf"(!?)\s*({_KEY})")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a label. Without values it asks only whether the label is there."""

    key: str
    values: tuple[str, ...] = ()
    negated: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels fulfil it; a label that is not there is unequal to every value."""
        found = self.key in labels and (not self.values or labels[self.key] in self.values)
        return found is not self.negated


@dataclass(frozen=True, slots=True)
class Selector:
    """Conditions that all have to hold."""

    requirements: tuple[Requirement, ...] = ()
    text: str = ""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels fulfil all conditions."""
        return all(requirement.matches(labels) for requirement in self.requirements)


EVERYBODY: Final = Selector()


def parse_selector(text: str, *, field: str = "selector") -> Selector:
    """Return the selector that a text means; empty means everybody. Raise `InvalidRequest`."""
    text = text.strip()
    if not text:
        return EVERYBODY
    if len(text) > MAX_LENGTH:
        raise InvalidRequest(f"{field} has {len(text)} characters; at most {MAX_LENGTH} are allowed")
    parts = [part.strip() for part in _split(text)]
    if len(parts) > MAX_REQUIREMENTS:
        raise InvalidRequest(f"{field} has {len(parts)} conditions; at most {MAX_REQUIREMENTS} are allowed")
    return Selector(tuple(_requirement(part, field) for part in parts), text)


def _split(text: str) -> list[str]:
    parts, depth, begin = [], 0, 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(text[begin:index])
            begin = index + 1
    return [*parts, text[begin:]]


def _requirement(part: str, field: str) -> Requirement:
    if found := _SET.fullmatch(part):
        values = tuple(value.strip() for value in found[3].split(","))
        if all(re.fullmatch(_VALUE, value) for value in values):
            return Requirement(found[1], values, negated=found[2] == "notin")
    elif found := _EQUAL.fullmatch(part):
        return Requirement(found[1], (found[3],), negated=found[2] == "!=")
    elif found := _THERE.fullmatch(part):
        return Requirement(found[2], negated=found[1] == "!")
    raise InvalidRequest(
        f"{field}: {part[:64]!r} is no condition; write `key=value`, `key!=value`, `key in (a, b)`, "
        "`key notin (a, b)`, `key` or `!key`, with commas between"
    )
