"""What goes wrong, and when.

Times are seconds of a run of ten (eleven or twelve for some); `--seconds` stretches all of them. The first
second warms up and is not measured. `trouble` is the time in which something is wrong: *before*, *during*
and *after* are said of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

RATE: Final = 200.0
WARM_S: Final = 1.0

ORDINARY: Final = ("work 7 0.2 256",)
"""Calls take 7 ms in the median, 11 ms at the 99th percentile; far more workers than are needed."""
NARROW: Final = ("work 10 0 1",)
"""One worker and 10 ms for each call: 100 calls/s from each of three services."""

UNAVAILABLE: Final = 14
INTERNAL: Final = 13

KILL: Final = "kill"
START: Final = "start"
DRAIN: Final = "drain"
FREEZE: Final = "freeze"
THAW: Final = "thaw"


@dataclass(frozen=True)
class Step:
    """At a time, on a service (-1: on each), one of the words above or a command of native/service.c."""

    at: float
    service: int
    what: str


@dataclass(frozen=True)
class Scenario:
    """One run."""

    name: str
    words: str
    trouble: tuple[float, float]
    steps: tuple[Step, ...] = ()
    plan: tuple[tuple[float, float], ...] = ((RATE, 10.0),)
    """Calls a second, and for how long."""
    setup: tuple[str, ...] = ORDINARY
    overload: bool = False
    """More is asked for than can be done: peers that limit concurrency take part."""

    @property
    def seconds(self) -> float:
        return sum(length for _, length in self.plan)

    def stretched(self, factor: float) -> Scenario:
        """Return the same with other times."""
        return replace(
            self,
            trouble=(self.trouble[0] * factor, self.trouble[1] * factor),
            steps=tuple(replace(step, at=step.at * factor) for step in self.steps),
            plan=tuple((rate, length * factor) for rate, length in self.plan),
        )


def _ill(name: str, words: str, command: str, well: str, service: int = 0) -> Scenario:
    steps = (Step(3.0, service, command), Step(8.0, service, well))
    return Scenario(name, words, (3.0, 8.0), steps)


def _lives(*pairs: tuple[float, float, int], how: str = KILL) -> tuple[Step, ...]:
    return tuple(
        step for at, back, service in pairs for step in (Step(at, service, how), Step(back, service, START))
    )


_SURGE: Final = ((RATE, 4.0), (900.0, 4.0), (RATE, 4.0))

ALL: Final = (
    Scenario("calm", "Nothing goes wrong.", (3.0, 8.0)),
    Scenario("crash", "One of three crashes and is back after 2 s.", (3.0, 5.0), _lives((3.0, 5.0, 0))),
    Scenario(
        "flapping",
        "One of three crashes every second and is back half a second later.",
        (3.0, 7.5),
        _lives(*((3.0 + at, 3.5 + at, 0) for at in range(5))),
    ),
    Scenario(
        "rolling-restart",
        "All three are drained (GOAWAY) and started again, one after the other.",
        (3.0, 6.6),
        _lives((3.0, 3.6, 0), (4.5, 5.1, 1), (6.0, 6.6, 2), how=DRAIN),
    ),
    _ill(
        "failing-unavailable",
        "One of three fails half of its calls with UNAVAILABLE, in trailers behind response headers.",
        f"fail 0.5 {UNAVAILABLE}",
        "fail 0 0",
    ),
    _ill(
        "failing-internal",
        "One of three fails half of its calls with INTERNAL, in trailers behind response headers.",
        f"fail 0.5 {INTERNAL}",
        "fail 0 0",
    ),
    _ill(
        "failing-unavailable-early",
        "The same with UNAVAILABLE as a response that is nothing but a status.",
        f"fail 0.5 {UNAVAILABLE} early",
        "fail 0 0",
    ),
    _ill(
        "failing-internal-early",
        "The same with INTERNAL as a response that is nothing but a status.",
        f"fail 0.5 {INTERNAL} early",
        "fail 0 0",
    ),
    _ill("slow", "One of three takes 400 times as long.", "slow 400", "slow 1"),
    _ill("frozen", "One of three is stopped (SIGSTOP), and goes on later.", FREEZE, THAW),
    _ill("hanging", "One of three never answers a fifth of its calls.", "hang 0.2", "hang 0"),
    Scenario(
        "all-failing",
        "All three fail every call with UNAVAILABLE for 3 s.",
        (3.0, 6.0),
        (Step(3.0, -1, f"fail 1 {UNAVAILABLE}"), Step(6.0, -1, "fail 0 0")),
    ),
    Scenario(
        "overload",
        "Three times as many calls as the services can do (300/s), for 4 s.",
        (4.0, 8.0),
        plan=_SURGE,
        setup=NARROW,
        overload=True,
    ),
    Scenario(
        "latency-ramp",
        "One of three takes twice as long each 0.7 s, up to 64 times, and is well again.",
        (3.0, 7.9),
        (
            *(Step(3.0 + 0.7 * step, 0, f"slow {2 ** (step + 1)}") for step in range(6)),
            Step(7.9, 0, "slow 1"),
        ),
    ),
    Scenario(
        "slow-and-failing",
        "One of three takes 400 times as long while another fails half of its calls with UNAVAILABLE.",
        (3.0, 8.0),
        (
            Step(3.0, 0, "slow 400"),
            Step(3.0, 1, f"fail 0.5 {UNAVAILABLE}"),
            Step(8.0, 0, "slow 1"),
            Step(8.0, 1, "fail 0 0"),
        ),
    ),
    Scenario(
        "crash-under-overload",
        "Three times as many calls as the services can do, and one of them crashes meanwhile.",
        (4.0, 8.0),
        _lives((5.0, 7.0, 0)),
        plan=_SURGE,
        setup=NARROW,
        overload=True,
    ),
)

BY_NAME: Final = {scenario.name: scenario for scenario in ALL}
QUICK: Final = (
    "crash",
    "failing-unavailable",
    "failing-internal",
    "slow",
    "frozen",
    "hanging",
    "all-failing",
    "overload",
)
