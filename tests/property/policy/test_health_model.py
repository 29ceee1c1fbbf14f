"""The health verdict beside a naive model that remembers everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seawall_policy.health import HEALTHY, UNHEALTHY, UNKNOWN, HealthOptions, HealthVerdict


def naive(results: list[str], unhealthy_after: int, healthy_after: int) -> int:
    """Decide from the whole history: go through it, and look back from each result."""
    health = UNKNOWN
    since: list[str] = []
    for result in results:
        since.append(result)
        if result == "renew":
            continue
        good = result == "pass"
        wanted = HEALTHY if good else UNHEALTHY
        if wanted == health:
            continue
        run = 0
        for earlier in reversed(since):
            if earlier == "renew" or (earlier == "pass") != good:
                break
            run += 1
        first = all(earlier == "renew" for earlier in since[:-1]) and (health == UNKNOWN or "renew" in since)
        fresh = first or (len(since) > 1 and since[-2] == "renew")
        if result == "refuse" or fresh or run >= (healthy_after if good else unhealthy_after):
            health = wanted
            since = []
    return health


@given(
    st.lists(st.sampled_from(["pass", "fail", "refuse", "renew"]), max_size=14),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_the_verdict_is_that_of_the_whole_history(results: list[str], unhealthy: int, healthy: int) -> None:
    """Counting as it goes comes to what looking back comes to, and changes are told exactly when there are
    any.
    """
    verdict = HealthVerdict(HealthOptions(unhealthy_after=unhealthy, healthy_after=healthy))
    verbs = {"pass": verdict.passed, "fail": verdict.failed, "refuse": verdict.refused}
    for position, result in enumerate(results):
        before = verdict.health
        if result == "renew":
            verdict.renew()
        else:
            assert verbs[result]() == (verdict.health != before)
        assert verdict.health == naive(results[: position + 1], unhealthy, healthy)
