"""Names of enum values as people write them in filters and read them in answers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from seawall_control.domain.events import Category, EventKind, Outcome, Severity


def _by_name(kind: type[IntEnum]) -> Mapping[str, int]:
    return {member.name: int(member) for member in kind}


SEVERITIES: Final = _by_name(Severity)
KINDS: Final = _by_name(EventKind)
OUTCOMES: Final = _by_name(Outcome)
CATEGORIES: Final = _by_name(Category)
