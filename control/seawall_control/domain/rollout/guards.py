"""Whether the calls through a new revision do worse than those through the old one at the same time.

Each comparison is one of shares: of failed calls, of rejected ones, of calls slower than the latency that was
agreed on (when more than one in a hundred is, the 99th percentile is beyond it). Judging happens again and
again while numbers come in, so an ordinary test would sooner or later fire by chance. This is a mixture
sequential probability ratio test, which may be looked at as often as one likes: the chance that it ever fires
on a harmless revision stays below the level (Johari, Pekelis, Walsh, "Always Valid Inference", 2015,
https://arxiv.org/abs/1512.04922, formula for the normal mixture). The level is divided by the number of
comparisons (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, sqrt
from typing import Final

from seawall_control.domain.rollout.strategy import Guards
from seawall_control.domain.statistics import ZERO, Counters, added, percentile

ERRORS: Final = frozenset({2, 4, 7, 8, 12, 13, 14, 15, 16})
"""Codes that say something of the service or of Seawall: UNKNOWN, DEADLINE_EXCEEDED, PERMISSION_DENIED,
RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED. The others are answers
to what a caller asked for.
"""
SPREAD: Final = 0.05
"""Standard deviation of the mixture: the size of harm that is found fastest."""
TAIL: Final = 0.01
"""What is beyond the 99th percentile."""
OTHERS: Final = "(routes with few calls)"
MAX_FINDINGS: Final = 20


class Verdict(StrEnum):
    """What is to be done."""

    CONTINUE = "continue"
    WAIT = "wait"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One comparison, or one reason, in numbers and in words."""

    guard: str
    """`error_rate`, `latency`, `rejections`, `nacks`, `restarts`, `calls`, `proxies`, `bake`, `operator`."""
    verdict: Verdict
    text: str
    route: str = ""
    canary: float = 0.0
    """A share from 0 to 1, a number of proxies, or seconds, as the guard has it."""
    rest: float = 0.0
    limit: float = 0.0
    canary_calls: int = 0
    rest_calls: int = 0
    p_value: float = 1.0
    """Always valid: the chance of such a difference at any time, were the revision harmless."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, and what it rests on: what is worst first."""

    verdict: Verdict
    findings: tuple[Finding, ...]


def p_value(bad: int, calls: int, rest_bad: int, rest_calls: int, *, margin: float) -> float:
    """Return the always valid p-value of "the share of bad calls is not more than `margin` above the rest's".

    1 while it is not above, or when one side has no calls.
    """
    if not calls or not rest_calls:
        return 1.0
    excess = bad / calls - rest_bad / rest_calls - margin
    if excess <= 0:
        return 1.0
    # Each side's own spread, smoothed by one call of each kind, so that "none of many" is not taken as never.
    share, rest_share = (bad + 1) / (calls + 2), (rest_bad + 1) / (rest_calls + 2)
    variance = share * (1 - share) / calls + rest_share * (1 - rest_share) / rest_calls
    mixture = SPREAD**2
    exponent = mixture * excess**2 / (2 * variance * (variance + mixture))
    ratio = sqrt(variance / (variance + mixture)) * exp(min(exponent, 700.0))
    return min(1.0, 1.0 / ratio)


def errors_of(counters: Counters) -> int:
    """Return how many of the calls failed."""
    return sum(count for code, count in enumerate(counters.by_code) if code in ERRORS)


def slower_than(bounds_s: Sequence[float], counts: Sequence[int], limit_s: float) -> int:
    """Return how many calls took longer than a limit, rounded up to the next bound of the histogram."""
    first = next((index for index, bound in enumerate(bounds_s) if bound >= limit_s), len(bounds_s))
    return sum(counts[first + 1 :])


def compare(
    guards: Guards, canary: Mapping[str, Counters], rest: Mapping[str, Counters], bounds_s: Sequence[float]
) -> Judgement:
    """Compare routes one by one; those with too few calls are put together and compared as one.

    WAIT: too few calls to say anything. Without `rest` there is nothing to compare with, and nothing trips.
    """
    calls = sum(counters.calls for counters in canary.values())
    if not rest and calls >= guards.min_calls:
        text = f"{calls} calls through the new revision, and none through the old one to compare them with"
        return Judgement(
            Verdict.CONTINUE,
            (Finding(guard="calls", verdict=Verdict.CONTINUE, text=text, canary_calls=calls),),
        )
    pairs = _pairs(guards, canary, rest)
    level = (1 - guards.confidence) / max(1, 3 * len(pairs))
    found: list[Finding] = []
    for route, ours, theirs in pairs:
        found += (
            _errors(guards, route, ours, theirs, level),
            _rejections(guards, route, ours, theirs, level),
            _latency(guards, route, ours, theirs, bounds_s, level),
        )
    found.sort(key=lambda finding: (finding.p_value, finding.limit - finding.canary + finding.rest))
    verdict = Verdict.CONTINUE
    if any(finding.verdict is Verdict.ROLLBACK for finding in found):
        verdict = Verdict.ROLLBACK
    elif calls < guards.min_calls:
        verdict = Verdict.WAIT
        text = f"{calls} of the {guards.min_calls} calls that are needed went through the new revision"
        found.insert(
            0,
            Finding(guard="calls", verdict=verdict, text=text, limit=guards.min_calls, canary_calls=calls),
        )
    return Judgement(verdict, tuple(found[:MAX_FINDINGS]))


def _pairs(
    guards: Guards, canary: Mapping[str, Counters], rest: Mapping[str, Counters]
) -> list[tuple[str, Counters, Counters]]:
    pairs: list[tuple[str, Counters, Counters]] = []
    ours, theirs = ZERO, ZERO
    few: list[str] = []
    for route in sorted(canary):
        if route not in rest:
            continue  # a new route, or nobody called it elsewhere: nothing to compare with
        if min(canary[route].calls, rest[route].calls) >= max(1, guards.min_calls):
            pairs.append((route, canary[route], rest[route]))
        else:
            ours, theirs = added(ours, canary[route]), added(theirs, rest[route])
            few.append(route)
    if ours.calls and theirs.calls:
        pairs.append((few[0] if len(few) == 1 else OTHERS, ours, theirs))
    return pairs


def _verdict(p: float, level: float) -> Verdict:
    return Verdict.ROLLBACK if p <= level else Verdict.CONTINUE


def _where(route: str) -> str:
    return f"route {route}" if route != OTHERS else "routes with few calls"


def _chance(p: float) -> str:
    if p >= 1:
        return "no sign of harm"
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"


def _shares(
    guard: str, what: str, route: str, bad: tuple[int, int], ours: Counters, theirs: Counters, allowed: float,
    level: float,
) -> Finding:  # fmt: skip
    share, rest_share = bad[0] / ours.calls, bad[1] / theirs.calls
    p = p_value(bad[0], ours.calls, bad[1], theirs.calls, margin=allowed)
    text = (
        f"{_where(route)}: {share * 100:.2f} % of {ours.calls} calls {what} with the new revision, "
        f"{rest_share * 100:.2f} % of {theirs.calls} with the old one; "
        f"{allowed * 100:g} points more are allowed ({_chance(p)})"
    )
    return Finding(
        guard=guard,
        verdict=_verdict(p, level),
        text=text,
        route=route,
        canary=share,
        rest=rest_share,
        limit=allowed,
        canary_calls=ours.calls,
        rest_calls=theirs.calls,
        p_value=p,
    )


def _errors(guards: Guards, route: str, ours: Counters, theirs: Counters, level: float) -> Finding:
    bad = (errors_of(ours), errors_of(theirs))
    return _shares("error_rate", "failed", route, bad, ours, theirs, guards.max_error_increase, level)


def _rejections(guards: Guards, route: str, ours: Counters, theirs: Counters, level: float) -> Finding:
    bad = (min(ours.rejected, ours.calls), min(theirs.rejected, theirs.calls))
    return _shares(
        "rejections", "were rejected", route, bad, ours, theirs, guards.max_rejected_increase, level
    )


def _latency(
    guards: Guards, route: str, ours: Counters, theirs: Counters, bounds_s: Sequence[float], level: float
) -> Finding:
    usual_s = percentile(bounds_s, theirs.latency_buckets, 0.99)
    limit_s = max(usual_s * guards.max_latency_ratio, usual_s + guards.min_latency_increase_s)
    timed, rest_timed = sum(ours.latency_buckets), sum(theirs.latency_buckets)
    late = slower_than(bounds_s, ours.latency_buckets, limit_s)
    rest_late = slower_than(bounds_s, theirs.latency_buckets, limit_s)
    p = p_value(late, timed, rest_late, rest_timed, margin=TAIL)
    new_s = percentile(bounds_s, ours.latency_buckets, 0.99)
    text = (
        f"{_where(route)}: 99 % of {timed} calls took up to {_ms(new_s)} with the new revision, "
        f"of {rest_timed} up to {_ms(usual_s)} with the old one; {_ms(limit_s)} is allowed ({_chance(p)})"
    )
    return Finding(
        guard="latency",
        verdict=_verdict(p, level),
        text=text,
        route=route,
        canary=new_s,
        rest=usual_s,
        limit=limit_s - usual_s,
        canary_calls=timed,
        rest_calls=rest_timed,
        p_value=p,
    )


def _ms(length_s: float) -> str:
    return f"{length_s * 1000:.3g} ms" if length_s < 1 else f"{length_s:.3g} s"
