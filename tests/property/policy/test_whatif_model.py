"""What-if over generated histories, against a naive replay with lists instead of the engine's parts."""

from __future__ import annotations

from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_policy import status
from seawall_policy.breaker import BreakerOptions
from seawall_policy.model import Policy
from seawall_policy.retry import RetryOptions
from seawall_policy.whatif import RecordedAttempt, RecordedCall, simulate
from seawall_proxy.testing import make_policy, make_route, make_snapshot

METHOD = "shop.v1.Orders/Get"
OPEN_FOR = 5.0
ATTEMPTS = st.builds(
    RecordedAttempt,
    st.sampled_from([0, 0, status.UNAVAILABLE, status.NOT_FOUND]),
    st.sampled_from([0.25, 1.5]),
)
HISTORIES = st.lists(st.tuples(st.integers(0, 3), st.lists(ATTEMPTS, min_size=1, max_size=3)), max_size=25)


def record(history: list[tuple[int, list[RecordedAttempt]]]) -> list[RecordedCall]:
    """Return calls that do not overlap: each begins a while after all before it have ended."""
    calls: list[RecordedCall] = []
    at = 100.0
    for gap, attempts in history:
        at += gap
        # Only a last attempt may be OK: nobody goes on after one.
        codes = [attempt.code for attempt in attempts]
        made = attempts[: codes.index(0) + 1] if 0 in codes else attempts
        calls.append(RecordedCall(at, "all", METHOD, made[-1].code, tuple(made)))
        at += 50.0
    return calls


def close(history: list[tuple[int, list[RecordedAttempt]]]) -> list[RecordedCall]:
    """Return calls of one attempt each that follow each other closely enough for a breaker to matter."""
    calls: list[RecordedCall] = []
    at = 100.0
    for gap, attempts in history:
        at += gap + 2.0
        calls.append(RecordedCall(at, "all", METHOD, attempts[0].code, (attempts[0],)))
    return calls


@settings(max_examples=150, deadline=None)
@given(HISTORIES, st.integers(1, 3), st.sampled_from([inf, 1.0]))
def test_retries(history: list[tuple[int, list[RecordedAttempt]]], most: int, each_s: float) -> None:
    """Up to so many attempts, each as recorded or as the next recorded one, and cut short by its timeout."""
    calls = record(history)
    options = RetryOptions(max_attempts=most, only_idempotent=False, jitter=0.0, initial_s=0.01, max_s=0.01)
    policy: Policy = make_policy(retry=options, per_try_timeout_s=each_s)
    starts: list[tuple[float, RecordedAttempt]] = []
    for call in calls:
        at = call.at
        for attempt in call.attempts:
            starts.append((at, attempt))
            at += attempt.duration_s
    ok = attempts_made = estimated = 0
    for call in calls:
        now = call.at
        for number in range(most):
            attempts_made += 1
            if number < len(call.attempts):
                attempt = call.attempts[number]
            else:
                estimated += 1
                attempt = next((one for at, one in starts if at >= now), starts[-1][1])
            cut = attempt.duration_s > each_s
            now += min(attempt.duration_s, each_s)
            if attempt.code == 0 and not cut:
                ok += 1
                break
            if not cut and attempt.code != status.UNAVAILABLE:
                break
            now += 0.01
    found = simulate(make_snapshot(make_route(policy)), calls)
    if not calls:
        assert found.routes == {}
        return
    result = found.routes["all"]
    assert result.calls == len(calls)
    assert (result.ok, result.attempts, result.estimated) == (ok, attempts_made, estimated)
    good = sum(call.code == 0 for call in calls)
    assert result.recorded_ok == good
    assert result.saved - result.lost == ok - good
    assert result.recorded_attempts == sum(len(call.attempts) for call in calls)


@settings(max_examples=200, deadline=None)
@given(HISTORIES)
def test_breaker(history: list[tuple[int, list[RecordedAttempt]]]) -> None:
    """Opens after two failures in a row, lets one through after five seconds, and counts whom it refuses."""
    calls = close(history)
    options = BreakerOptions(
        size=100,
        min_calls=100,
        failure_rate=0.0,
        consecutive=2,
        open_for_s=OPEN_FOR,
        half_open_calls=1,
        success_threshold=1,
    )
    in_a_row = good = bad = opened = 0
    open_until = -1.0
    for call in calls:
        if call.at < open_until:
            good += call.code == 0
            bad += call.code != 0
            continue
        probing = open_until > 0
        failed = call.code == status.UNAVAILABLE
        ended = call.at + call.attempts[0].duration_s
        if probing:
            if failed:
                opened += 1
                open_until = ended + OPEN_FOR
            elif call.code == 0:
                open_until = -1.0
            in_a_row = 0
            continue
        if call.code in (0, status.UNAVAILABLE):
            in_a_row = in_a_row + 1 if failed else 0
        if in_a_row == 2:
            opened += 1
            open_until = ended + OPEN_FOR
    found = simulate(make_snapshot(make_route(make_policy(breaker=options))), calls)
    if not calls:
        return
    result = found.routes["all"]
    assert (result.rejected_good, result.rejected_bad) == (good, bad)
    assert sum(change[2] == "OPEN" for change in result.transitions) == opened
