"""Filters as functions, for those who ask the same question of every event: a live reader, of which there may
be hundreds. What is asked is decided once, which makes an answer several times as quick as `filters.matches`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from seawall_control.domain.events import Event
from seawall_control.domain.filters import VALUES, And, Compare, Node, Not, Op, Or, compared, folded

Question: TypeAlias = Callable[[Event], bool]


def question(node: Node) -> Question:
    """Return a function that tells of an event what `filters.matches` does."""
    match node:
        case Compare():
            return _comparison(node)
        case Not(item):
            inner = question(item)
            return lambda event: not inner(event)
        case And(items):
            return _all([question(item) for item in items])
        case Or(items):
            return _any([question(item) for item in items])


def _comparison(node: Compare) -> Question:
    value, wanted = VALUES[node.field.name], node.value
    if node.op is Op.EQ:
        return lambda event: value(event) == wanted
    if node.op is Op.NE:
        return lambda event: value(event) != wanted
    if node.op is Op.HAS and isinstance(wanted, str):
        part = folded(wanted)
        return lambda event: part in folded(str(value(event)))
    return lambda event: compared(value(event), node)


# Loops: generators for `all` and `any` cost more than what they ask.


def _all(questions: list[Question]) -> Question:
    def ask(event: Event) -> bool:
        for one in questions:  # noqa: SIM110
            if not one(event):
                return False
        return True

    return ask


def _any(questions: list[Question]) -> Question:
    def ask(event: Event) -> bool:
        for one in questions:  # noqa: SIM110
            if one(event):
                return True
        return False

    return ask
