"""What is wrong with a document: every mistake, each with its place, a stable code and the remedy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """A mistake in a document, or (a warning) something that looks like one."""

    field: str
    """Path of the field, such as `routes[0].policy`; empty for the document as a whole."""
    message: str
    """What is wrong and how to mend it."""
    code: str
    """Stable code, such as SW0103; docs/reference/lint-codes.md explains each."""
    warning: bool = False
    """A warning does not keep the document from being used."""


class Report:
    """Collects violations in the order in which they are found, each once."""

    def __init__(self) -> None:
        self._found: dict[Violation, None] = {}
        self.errors: int = 0

    def error(self, field: str, code: str, message: str) -> None:
        """Add a mistake that keeps the document from being used."""
        violation = Violation(field, message, code)
        if violation not in self._found:
            self._found[violation] = None
            self.errors += 1

    def warn(self, field: str, code: str, message: str) -> None:
        """Add something that is allowed and probably not meant."""
        self._found[Violation(field, message, code, warning=True)] = None

    def violations(self) -> tuple[Violation, ...]:
        """Return all of them."""
        return tuple(self._found)
