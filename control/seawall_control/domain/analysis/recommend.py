"""What could be changed about it: one recommendation for each thing that the numbers show and a policy can
mend, with the evidence and the change itself.

A recommendation changes one route only: it gives the route a policy of its own that extends the one it has
and says the few settings that differ. So no other route is touched, and taking it back is going back one
revision. Nothing here is certain; each says what it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from seawall_control.domain.events import Json

ENOUGH: Final = 20
"""Fewer events than this are no pattern."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFacts:
    """What a route's policy says, with everything that it extends. Times in seconds; 0 means that it says
    nothing.
    """

    name: str = "builtin/standard"
    idempotent: bool = False
    timeout_s: float = 0.0
    attempts: int = 1
    codes: frozenset[str] = frozenset()
    """Codes that are tried again."""
    hedges: bool = False
    breaker: bool = False
    open_multiplier: float = 1.0
    fallback: bool = False
    max_in_flight: int = 0
    """Of a limit that does not adapt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFacts:
    """What the record and the statistics say of a route over the window."""

    route: str
    policy: PolicyFacts
    failed_by_code: Mapping[str, int] = field(default_factory=dict)
    """Events of calls that failed, by code."""
    rejected_by_reason: Mapping[str, int] = field(default_factory=dict)
    """Calls that were refused, by reason, such as BREAKER_OPEN; over the last ten minutes."""
    breaker_opened: int = 0
    """Times that a breaker of the route opened."""
    calls: int = 0
    """Calls in the last ten minutes."""
    success_ratio: float = 1.0
    """Of them."""
    p50_s: float = 0.0
    p99_s: float = 0.0
    tried_again: int = 0
    recovered: int = 0


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One change, and why."""

    id: str
    """The same for the same change of the same route."""
    kind: str
    route: str
    title: str
    evidence: str
    cost: str
    policy_name: str
    """Name of the policy that the route gets; empty where there is only advice."""
    patch: Mapping[str, Json]
    """That policy, as the JSON mapping of `seawall.v1.Policy`; empty where there is only advice."""


def _made(
    facts: RouteFacts, kind: str, title: str, evidence: str, cost: str, settings: Mapping[str, Json] | None
) -> Recommendation:
    name = f"{facts.route}-{kind}"[:63] if settings is not None else ""
    patch: Mapping[str, Json] = {"extends": facts.policy.name, **settings} if settings is not None else {}
    digest = sha256(f"{kind}\n{facts.route}\n{sorted(patch.items())!r}".encode()).hexdigest()[:12]
    return Recommendation(digest, kind, facts.route, title, evidence, cost, name, patch)


def _retry(facts: RouteFacts) -> Recommendation | None:
    failed = sum(facts.failed_by_code.values())
    unavailable = facts.failed_by_code.get("UNAVAILABLE", 0)
    retries = facts.policy.attempts > 1 and "UNAVAILABLE" in facts.policy.codes
    if retries or unavailable < ENOUGH or unavailable * 2 < failed:
        return None
    evidence = f"{unavailable} of {failed} failed calls ended with UNAVAILABLE, and none is tried again"
    if not facts.policy.idempotent:
        return _made(
            facts,
            "retry",
            "Say `idempotent: true` on the route if its methods are, and let it retry UNAVAILABLE",
            evidence,
            "a method that is not idempotent may run twice; only you know",
            None,
        )
    return _made(
        facts,
        "retry",
        "Retry UNAVAILABLE",
        evidence,
        "up to 20 % more attempts, which is what the retry budget allows; what a retry saves takes longer",
        {"retry": {"max_attempts": 3, "codes": ["UNAVAILABLE"]}},
    )


def _fewer_retries(facts: RouteFacts) -> Recommendation | None:
    if facts.policy.attempts < 3 or facts.tried_again < ENOUGH:
        return None
    lost = 1 - min(facts.recovered, facts.tried_again) / facts.tried_again
    if lost < 0.75:
        return None
    return _made(
        facts,
        "fewer-retries",
        f"Try {facts.policy.attempts - 1} times instead of {facts.policy.attempts}",
        f"{lost:.0%} of {facts.tried_again} calls that were tried again failed all the same",
        "the few calls that only the last attempt saved",
        {"retry": {"max_attempts": facts.policy.attempts - 1}},
    )


def _timeout(facts: RouteFacts) -> Recommendation | None:
    late = facts.failed_by_code.get("DEADLINE_EXCEEDED", 0)
    timeout_s = facts.policy.timeout_s
    if timeout_s <= 0 or late < ENOUGH or facts.p99_s < 0.8 * timeout_s:
        return None
    evidence = (
        f"{late} calls ended with DEADLINE_EXCEEDED; half of all take {facts.p50_s * 1000:.0f} ms, "
        f"one in a hundred {facts.p99_s * 1000:.0f} ms, and the timeout is {timeout_s * 1000:.0f} ms"
    )
    if facts.p50_s < timeout_s / 4 and facts.policy.idempotent and not facts.policy.hedges:
        return _made(
            facts,
            "hedge",
            "Hedge the slow calls",
            evidence,
            "up to 10 % more attempts, which is what the hedge's budget allows",
            {"hedge": {"percentile": 95}},
        )
    if facts.p50_s >= timeout_s / 4:
        longer = round(timeout_s * 1.5, 3)
        return _made(
            facts,
            "timeout",
            f"Give calls {longer:g} s",
            evidence,
            "callers wait longer for what fails anyway, and more calls are at work at once",
            {"timeout": f"{longer:g}s"},
        )
    return None


def _breaker(facts: RouteFacts) -> Recommendation | None:
    if facts.policy.breaker or facts.calls < 5 * ENOUGH or facts.success_ratio > 0.5:
        return None
    return _made(
        facts,
        "breaker",
        "Let a breaker watch the route, in shadow first",
        f"{1 - facts.success_ratio:.0%} of {facts.calls} calls failed, and each of them went to the upstream",
        "none while it is in shadow: it counts what it would have refused",
        {"breaker": {"mode": "BREAKER_MODE_SHADOW"}},
    )


def _flapping(facts: RouteFacts) -> Recommendation | None:
    if not facts.policy.breaker or facts.breaker_opened < 5 or facts.policy.open_multiplier > 1:
        return None
    return _made(
        facts,
        "calmer-breaker",
        "Let the breaker wait longer each time, and come back slowly",
        f"it opened {facts.breaker_opened} times in the window",
        "an upstream that is well again takes longer to get all its calls",
        {"breaker": {"open_multiplier": 2, "open_for_max": "60s", "ramp": {"duration": "10s"}}},
    )


def _limit(facts: RouteFacts) -> Recommendation | None:
    limit = facts.policy.max_in_flight
    refused = facts.rejected_by_reason.get("LIMITED", 0)
    if limit <= 0 or refused < ENOUGH or refused * 20 < facts.calls:
        return None
    answered = facts.calls - sum(facts.rejected_by_reason.values())
    good = facts.success_ratio * facts.calls
    if answered <= 0 or good < 0.99 * answered:
        return None
    more = limit + max(1, limit // 2)
    return _made(
        facts,
        "wider-limit",
        f"Let {more} calls be at work instead of {limit}",
        f"{refused} of {facts.calls} calls were refused while 99 % of the others succeeded",
        "more load on the upstream; `adaptive: knee` finds the limit by itself",
        {"limit": {"max_in_flight": more}},
    )


def _fallback(facts: RouteFacts) -> Recommendation | None:
    refused = facts.rejected_by_reason.get("BREAKER_OPEN", 0)
    if facts.policy.fallback or refused < ENOUGH or not facts.policy.idempotent:
        return None
    return _made(
        facts,
        "fallback",
        "Answer with the last good response while the breaker is open",
        f"{refused} calls were refused with BREAKER_OPEN and got nothing instead",
        "answers up to 5 minutes old, marked as such in the trailers; memory for them",
        {"fallback": [{"when": ["BREAKER_OPEN"], "last_good": {"max_age": "300s"}}]},
    )


_RULES: Final[Sequence[Callable[[RouteFacts], Recommendation | None]]] = (
    _retry,
    _fewer_retries,
    _timeout,
    _breaker,
    _flapping,
    _limit,
    _fallback,
)


def recommendations(routes: Sequence[RouteFacts]) -> tuple[Recommendation, ...]:
    """Return what could be changed, route by route."""
    return tuple(found for facts in routes for rule in _RULES if (found := rule(facts)) is not None)
