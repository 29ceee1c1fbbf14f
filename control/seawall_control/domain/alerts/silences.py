"""Silences: alerts that match are kept and shown, and nobody is told of them until a fixed end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from seawall_control.domain import filters
from seawall_control.domain.alerts.lifecycle import Alert
from seawall_control.domain.alerts.subject import as_event


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Keeps quiet about alerts of some rules, about some subjects, for a while."""

    id: str
    rules: tuple[str, ...] = ()
    """Names, where `*` stands for anything; empty: all rules."""
    filter: str = ""
    """AIP-160, over what the alert is about; empty: everything."""
    start_us: int
    end_us: int
    author: str
    reason: str

    def is_the_same(self, asked: Silence, at_us: int) -> bool:
        """Whether it is what is asked for once more; one that is over may have been ended early."""
        ends_alike = self.end_us == asked.end_us or self.end_us <= min(at_us, asked.end_us)
        return ends_alike and (self.rules, self.filter, self.reason) == (
            asked.rules,
            asked.filter,
            asked.reason,
        )

    def is_active(self, at_us: int) -> bool:
        """Whether it is in force."""
        return self.start_us <= at_us < self.end_us


class Silencer:
    """Silences, compiled."""

    def __init__(self, silences: Iterable[Silence] = ()) -> None:
        self._silences = tuple((silence, filters.parse(silence.filter)) for silence in silences)

    def silence_of(self, alert: Alert, at_us: int) -> Silence | None:
        """Return a silence that keeps quiet about the alert now."""
        for silence, wanted in self._silences:
            if (
                silence.is_active(at_us)
                and (not silence.rules or any(fnmatchcase(alert.rule, name) for name in silence.rules))
                and filters.matches(wanted, as_event(alert.subject, at_us))
            ):
                return silence
        return None
