"""How long to wait between attempts, and the named sets of retry settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final, Literal

from seawall.resilience.clock import Seconds, seconds_of
from seawall_policy import retry as engine

Kind = Literal["constant", "linear", "exponential", "fibonacci", "decorrelated"]
Jitter = float | Literal["none", "full", "equal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The shape of waits: computed, then capped at `max`, then spread by the jitter.

    `jitter` is a ratio j (each wait is multiplied by U(1-j, 1+j)), "none", "full" (U(0, wait)) or "equal"
    (U(wait/2, wait)). Decorrelated waits are random by themselves and take none.
    """

    kind: Kind = "exponential"
    initial: float = 0.025
    multiplier: float = 2.0
    max: float = 1.0
    jitter: Jitter = 0.2

    def __post_init__(self) -> None:
        if isinstance(self.jitter, str) and self.jitter not in ("none", "full", "equal"):
            raise ValueError(
                f"backoff: jitter is {self.jitter!r}; use a ratio from 0 to 1, none, full or equal"
            )
        if not (isfinite(self.initial) and isfinite(self.max)):
            raise ValueError("backoff: waits must be finite")
        self.options(1, 0, only_idempotent=False)

    @classmethod
    def constant(cls, seconds: Seconds, *, jitter: Jitter = "none") -> Backoff:
        """Always the same wait."""
        wait = seconds_of(seconds)
        return cls(kind="constant", initial=wait, max=wait, jitter=jitter)

    @classmethod
    def linear(cls, step: Seconds, *, max: Seconds = 60.0, jitter: Jitter = 0.2) -> Backoff:  # noqa: A002
        """One step, two steps, three ..."""
        return cls(kind="linear", initial=seconds_of(step), max=seconds_of(max), jitter=jitter)

    @classmethod
    def exponential(
        cls,
        initial: Seconds = 0.025,
        *,
        multiplier: float = 2.0,
        max: Seconds = 60.0,  # noqa: A002
        jitter: Jitter = 0.2,
    ) -> Backoff:
        """Each wait is `multiplier` times the one before."""
        return cls(initial=seconds_of(initial), multiplier=multiplier, max=seconds_of(max), jitter=jitter)

    @classmethod
    def fibonacci(cls, unit: Seconds, *, max: Seconds = 60.0, jitter: Jitter = 0.2) -> Backoff:  # noqa: A002
        """1, 1, 2, 3, 5 ... units."""
        return cls(kind="fibonacci", initial=seconds_of(unit), max=seconds_of(max), jitter=jitter)

    @classmethod
    def decorrelated(cls, initial: Seconds, *, max: Seconds = 60.0) -> Backoff:  # noqa: A002
        """Random between `initial` and three times the last wait."""
        return cls(kind="decorrelated", initial=seconds_of(initial), max=seconds_of(max), jitter="none")

    def options(self, attempts: int, codes: int, *, only_idempotent: bool) -> engine.RetryOptions:
        """Return the engine's options. The two other jitters are its own on a scaled wait: U(0, w) is
        w/2 x U(0, 2), and U(w/2, w) is 3w/4 x U(2/3, 4/3).
        """
        scale, spread = 1.0, 0.0
        if not isinstance(self.jitter, str):
            spread = self.jitter
        elif self.kind != "decorrelated" and self.jitter != "none":
            scale, spread = (0.5, 1.0) if self.jitter == "full" else (0.75, 1.0 / 3.0)
        return engine.RetryOptions(
            max_attempts=attempts,
            codes=codes,
            kind=self.kind,
            initial_s=self.initial * scale,
            multiplier=self.multiplier,
            max_s=self.max * scale,
            jitter=spread,
            only_idempotent=only_idempotent,
            allow_more=True,
        )

    def waits(self, count: int, *, draw: float = 0.5) -> list[float]:
        """Return the first waits as they are with a draw of `draw`: what a policy would do, on paper."""
        options = self.options(count + 1, 0, only_idempotent=False)
        found: list[float] = []
        for number in range(1, count + 1):
            found.append(engine.backoff(options, number, found[-1] if found else 0.0, draw))
        return found


Preset = Literal["quick", "classic", "patient", "network", "database", "resource"]


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """One named set of retry settings: attempts (the first included), waits, and the codes it is about."""

    attempts: int
    backoff: Backoff
    codes: tuple[str, ...] = ()
    """Empty: what is transient."""


PRESETS: Final[Mapping[Preset, RetrySettings]] = {
    "quick": RetrySettings(3, Backoff()),
    "classic": RetrySettings(4, Backoff(initial=1.0, max=60.0, jitter="none")),
    "patient": RetrySettings(5, Backoff(initial=1.0, max=30.0, jitter="full")),
    "network": RetrySettings(5, Backoff(initial=0.1, max=5.0), ("UNAVAILABLE",)),
    "database": RetrySettings(3, Backoff.decorrelated(0.05, max=2.0), ("ABORTED", "UNAVAILABLE")),
    "resource": RetrySettings(4, Backoff.linear(1.0, max=10.0), ("RESOURCE_EXHAUSTED",)),
}
"""The presets of a policy file (`retry: {preset: ...}`) under the same names."""


def settings_of(name: Preset) -> RetrySettings:
    """Return a named set of settings; ValueError says which there are."""
    found = PRESETS.get(name)
    if found is None:
        raise ValueError(f"no such preset: {name!r}; use one of {', '.join(PRESETS)}")
    return found


def with_attempts(settings: RetrySettings, attempts: int | None, backoff: Backoff | None) -> RetrySettings:
    """Return settings with what is given in place of their own."""
    return replace(
        settings,
        attempts=settings.attempts if attempts is None else attempts,
        backoff=backoff or settings.backoff,
    )
