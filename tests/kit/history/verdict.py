"""What the checker says: for each invariant, how much it looked at, and what breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

INVARIANTS: Final[Mapping[str, str]] = {
    "I1": "acknowledged events are stored once",
    "I2": "nothing is stored that was not produced",
    "I3": "produced = stored + declared + spooled",
    "I4": "the revision in effect never goes down",
    "I5": "one policy for each call",
    "I6": "proxies start without a control plane",
    "I7": "all proxies have the newest policy in time",
    "I8": "one end for each call, in time, reached once",
    "I9": "files and threads are back where they were",
    "X5": "refused policies are not sent again",
}
SHOWN: Final = 5
"""Offenders that are named."""


@dataclass(slots=True)
class Finding:
    """What was found about an invariant."""

    looked_at: int = 0
    offenders: list[str] = field(default_factory=list)
    """The first ones; all are counted."""
    broken: int = 0

    def saw(self, count: int = 1) -> None:
        """Count what was looked at."""
        self.looked_at += count

    def breaks(self, what: str, count: int = 1) -> None:
        """Note what breaks the invariant."""
        self.broken += count
        if len(self.offenders) < SHOWN:
            self.offenders.append(what)


@dataclass(slots=True)
class Verdict:
    """The findings, and the figures of the history."""

    findings: dict[str, Finding] = field(default_factory=lambda: {name: Finding() for name in INVARIANTS})
    figures: dict[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing was broken."""
        return not any(finding.broken for finding in self.findings.values())

    def require(self, *names: str) -> Verdict:
        """Raise AssertionError, with the report, when anything is broken, or one of `names` was not looked
        at.
        """
        unseen = [name for name in names if self.findings[name].looked_at == 0]
        if not self.holds or unseen:
            why = f"not looked at: {', '.join(unseen)}\n" if unseen else ""
            raise AssertionError(f"{why}{self.report()}")
        return self

    def report(self) -> str:
        """Return the verdict as lines of text."""
        lines = [", ".join(f"{name} {count:,}" for name, count in self.figures.items() if count)]
        for name, finding in self.findings.items():
            if finding.looked_at == 0 and finding.broken == 0:
                continue
            verdict = "holds" if finding.broken == 0 else f"BROKEN {finding.broken:,} times"
            lines.append(f"{name}  {finding.looked_at:>8,} looked at  {verdict}  ({INVARIANTS[name]})")
            lines += [f"      {offender}" for offender in finding.offenders]
        return "\n".join(lines)
