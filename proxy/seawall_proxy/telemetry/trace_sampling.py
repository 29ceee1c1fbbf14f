"""Which calls are traced: the samplers of OTEL_TRACES_SAMPLER, decided before anything else is done for a
call.

The SDK's samplers build a result object, a context and a dictionary for each answer; these answer with a
comparison and give the same answers (a test compares them). The ratio looks at the low 64 bits of the
trace id, so every service that samples by the same ratio picks the same traces.
"""

from __future__ import annotations

from typing import Final

from seawall_proxy.telemetry.trace_context import Parent

ALWAYS_ON: Final = 1 << 64
ALWAYS_OFF: Final = 0

SAMPLERS: Final[tuple[str, ...]] = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)
DEFAULT_SAMPLER: Final = "parentbased_always_on"


class Sampling:
    """A sampler: follow the caller's decision or not, and a share of what is left."""

    def __init__(self, *, follow_parent: bool, bound: int) -> None:
        self.follow_parent: bool = follow_parent
        self.bound: int = bound
        """Trace ids whose low 64 bits are below this are sampled."""

    def __repr__(self) -> str:
        share = self.bound / ALWAYS_ON
        return f"Sampling({share:g}{', parent first' if self.follow_parent else ''})"

    def decide(self, parent: Parent | None, trace_id: int) -> bool:
        """Tell whether a call is traced; `parent` is None for the first span of a trace."""
        if parent is not None and self.follow_parent:
            return parent.sampled
        return trace_id & 0xFFFF_FFFF_FFFF_FFFF < self.bound


def sampling_from(name: str, argument: str) -> Sampling:
    """Return the sampler of OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG; raise ValueError naming what
    is wrong.
    """
    wanted = name.strip().lower() or DEFAULT_SAMPLER
    if wanted not in SAMPLERS:
        raise ValueError(f"OTEL_TRACES_SAMPLER={name} is not known; use one of {', '.join(SAMPLERS)}")
    bound = ALWAYS_OFF if wanted.endswith("always_off") else ALWAYS_ON
    if wanted.endswith("traceidratio"):
        try:
            ratio = float(argument) if argument.strip() else 1.0
        except ValueError:
            ratio = -1.0
        if not 0.0 <= ratio <= 1.0:
            raise ValueError(f"OTEL_TRACES_SAMPLER_ARG={argument} is not a ratio; use 0 to 1")
        bound = round(ratio * ALWAYS_ON)
    return Sampling(follow_parent=wanted.startswith("parentbased"), bound=bound)
