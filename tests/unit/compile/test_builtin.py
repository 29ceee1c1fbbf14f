"""The built-in policies are good citizens."""

from __future__ import annotations

from math import inf

import pytest

from seawall_policy import status
from seawall_policy.builtin import DESCRIPTIONS, builtin_documents, builtin_policies
from seawall_policy.model import Policy
from tests.unit.compile.samples import compiled

NAMES = sorted(builtin_policies())


def builtin(name: str) -> Policy:
    """Return a compiled built-in policy."""
    result = compiled(f"routes: [{{name: r, cluster: shop, policy: {name}}}]")
    assert result.snapshot is not None
    return result.snapshot.routes[0].policy


def test_names() -> None:
    """The names are fixed, and each has a description."""
    assert set(NAMES) == {
        "builtin/standard",
        "builtin/read",
        "builtin/write",
        "builtin/batch",
        "builtin/streaming",
        "builtin/latency-critical",
    }
    assert set(DESCRIPTIONS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_written_out_it_has_no_mistakes_and_no_warnings(name: str) -> None:
    """A built-in policy copied into a file under another name passes its own lint, for an idempotent
    route.
    """
    from seawall_policy.compile import compile_document
    from tests.unit.compile.samples import document

    copy = document(
        "routes: [{name: r, cluster: shop, policy: mine, idempotent: true}, {name: b, cluster: backup, "
        "match: {service: s}}]"
    )
    copy.clusters[0].endpoints.add(address="127.0.0.1:50053")
    copy.policies["mine"].CopyFrom(builtin_documents()[name])
    assert compile_document(copy).violations == ()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_runs_twice_unasked(name: str) -> None:
    """Only `builtin/read` retries calls that nobody declared idempotent."""
    retry = builtin(name).retry
    assert retry.max_attempts == 1 or retry.only_idempotent or name == "builtin/read"


@pytest.mark.parametrize("name", NAMES)
def test_retries_are_budgeted(name: str) -> None:
    """Each has a budget of at most a fifth, so none multiplies an outage."""
    budget = builtin(name).retry.budget
    assert budget is None or budget.percent <= 20.0


@pytest.mark.parametrize("name", ["builtin/standard", "builtin/streaming"])
def test_streams_are_not_cut_off(name: str) -> None:
    """What may serve streams has no timeout, total or per try, and counts no call as slow."""
    policy = builtin(name)
    assert (policy.timeout_s, policy.per_try_timeout_s) == (inf, inf)
    assert policy.breaker is not None
    assert policy.breaker.slow_call_duration_s == inf


@pytest.mark.parametrize("name", NAMES)
def test_breakers_leave_one_callers_mistakes_alone(name: str) -> None:
    """No breaker counts client faults, quotas or UNKNOWN."""
    options = builtin(name).breaker
    assert options is not None
    assert options.failure_mask == status.code_mask(
        (status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.INTERNAL, status.DATA_LOSS)
    )


def test_copies_are_independent() -> None:
    """Changing a shown document does not change the policy in force."""
    builtin_documents()["builtin/write"].timeout.FromSeconds(1)
    assert builtin("builtin/write").timeout_s == 30.0
