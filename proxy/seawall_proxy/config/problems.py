"""Violations with their places in a file."""

from __future__ import annotations

from dataclasses import dataclass

from seawall_policy.compile import Violation
from seawall_proxy.config.nodes import Position


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation and where it is; without a position it concerns the whole file."""

    violation: Violation
    position: Position | None


class Problems:
    """Collects what is wrong with a file while it is read."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def add(self, code: str, message: str, position: Position | None, field: str = "") -> None:
        """Add a mistake."""
        self.findings.append(Finding(Violation(field, message, code), position))
