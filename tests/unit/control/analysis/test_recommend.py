"""Each recommendation comes when its numbers are there, and not without."""

from __future__ import annotations

from dataclasses import replace

import pytest
from google.protobuf import json_format

from seawall.v1 import policy_pb2
from seawall_control.domain.analysis.recommend import PolicyFacts, RouteFacts, recommendations

QUIET = RouteFacts(route="a", policy=PolicyFacts(idempotent=True), calls=1000, p50_s=0.01, p99_s=0.05)


def kinds(facts: RouteFacts) -> list[str]:
    """Return what is recommended."""
    return [one.kind for one in recommendations([facts])]


def policy(**settings: object) -> PolicyFacts:
    """Return a policy that differs."""
    return replace(QUIET.policy, **settings)  # type: ignore[arg-type]


CASES = {
    "retry": (
        replace(QUIET, failed_by_code={"UNAVAILABLE": 20, "INTERNAL": 20}),
        replace(QUIET, failed_by_code={"UNAVAILABLE": 20, "INTERNAL": 21}),
    ),
    "fewer-retries": (
        replace(QUIET, policy=policy(attempts=3), tried_again=20, recovered=5),
        replace(QUIET, policy=policy(attempts=3), tried_again=20, recovered=6),
    ),
    "hedge": (
        replace(
            QUIET,
            policy=policy(timeout_s=1.0),
            failed_by_code={"DEADLINE_EXCEEDED": 20},
            p50_s=0.1,
            p99_s=0.9,
        ),
        replace(
            QUIET,
            policy=policy(timeout_s=1.0, hedges=True),
            failed_by_code={"DEADLINE_EXCEEDED": 20},
            p50_s=0.1,
            p99_s=0.9,
        ),
    ),
    "timeout": (
        replace(
            QUIET,
            policy=policy(timeout_s=1.0),
            failed_by_code={"DEADLINE_EXCEEDED": 20},
            p50_s=0.5,
            p99_s=0.9,
        ),
        replace(
            QUIET,
            policy=policy(timeout_s=1.0),
            failed_by_code={"DEADLINE_EXCEEDED": 20},
            p50_s=0.5,
            p99_s=0.7,
        ),
    ),
    "breaker": (replace(QUIET, success_ratio=0.5), replace(QUIET, success_ratio=0.51)),
    "calmer-breaker": (
        replace(QUIET, policy=policy(breaker=True), breaker_opened=5),
        replace(QUIET, policy=policy(breaker=True, open_multiplier=2.0), breaker_opened=5),
    ),
    "wider-limit": (
        replace(
            QUIET, policy=policy(max_in_flight=10), rejected_by_reason={"LIMITED": 100}, success_ratio=0.9
        ),
        replace(
            QUIET, policy=policy(max_in_flight=10), rejected_by_reason={"LIMITED": 100}, success_ratio=0.8
        ),
    ),
    "fallback": (
        replace(QUIET, rejected_by_reason={"BREAKER_OPEN": 20}),
        replace(QUIET, rejected_by_reason={"BREAKER_OPEN": 20}, policy=policy(fallback=True)),
    ),
}


def test_quiet() -> None:
    """A route that is well gets none."""
    assert kinds(QUIET) == []


@pytest.mark.parametrize("kind", CASES)
def test_each(kind: str) -> None:
    """With its numbers, and not when one of them is another; the patch is a policy."""
    with_it, without = CASES[kind]
    assert kinds(with_it) == [kind]
    assert kinds(without) == []
    (found,) = recommendations([with_it])
    parsed = json_format.ParseDict(dict(found.patch), policy_pb2.Policy())
    assert parsed.extends == "builtin/standard"
    assert found.policy_name == f"a-{kind}"


def test_advice_only_where_only_people_know() -> None:
    """Nobody but its owner knows whether a method is idempotent."""
    facts = replace(QUIET, policy=PolicyFacts(), failed_by_code={"UNAVAILABLE": 30})
    (found,) = recommendations([facts])
    assert (found.kind, found.policy_name, dict(found.patch)) == ("retry", "", {})


def test_ids_are_stable() -> None:
    """The same change has the same id; another change another one."""
    with_it, _ = CASES["timeout"]
    (first,) = recommendations([with_it])
    (again,) = recommendations([replace(with_it, failed_by_code={"DEADLINE_EXCEEDED": 99})])
    (other,) = recommendations([replace(with_it, policy=policy(timeout_s=1.1))])
    assert first.id == again.id != other.id
