"""The hedges of one call against a reference that knows the table of gRFC A6 by heart."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from seawall_policy.budget import SLOTS
from seawall_policy.hedge import (
    FATAL,
    INTERVAL_S,
    NEVER,
    NEXT,
    RESERVE_PER_S,
    WAIT,
    HedgeOptions,
    Hedger,
    HedgeRun,
)
from seawall_policy.retry import NO_PUSHBACK, PUSHBACK_STOP

NON_FATAL = {4, 14}
RETRIED = {13}


@settings(max_examples=150, deadline=None)
@given(
    max_attempts=st.integers(2, 4),
    steps=st.lists(
        st.one_of(
            st.just(("send", 0, 0)),
            st.just(("round", 0, 0)),
            st.tuples(
                st.just("fail"),
                st.sampled_from((1, 4, 13, 14, 16, 17)),
                st.sampled_from((NO_PUSHBACK, NO_PUSHBACK, NO_PUSHBACK, PUSHBACK_STOP, 0, 70)),
            ),
        ),
        max_size=30,
    ),
)
def test_a_run_does_what_the_table_says(max_attempts: int, steps: list[tuple[str, int, int]]) -> None:
    """Whether there is room, when the next is due, and what each failure means."""
    options = HedgeOptions(max_attempts=max_attempts, non_fatal=sum(1 << code for code in NON_FATAL))
    run = HedgeRun(options, sum(1 << code for code in RETRIED))
    sent, stopped = 1, False
    for action, code, told in steps:
        room = sent < max_attempts and not stopped
        assert run.has_room() is room
        assert run.next_at(5.0, 0.25) == (5.25 if room else NEVER)
        if action == "send":
            run.sent_one()
            sent += 1
        elif action == "round":
            run.new_round()
            sent = 1
        else:
            stopped = stopped or told == PUSHBACK_STOP
            verdict = run.failed(code, told)
            if code not in NON_FATAL | RETRIED:
                assert verdict == FATAL
            elif stopped or sent >= max_attempts:
                assert verdict == WAIT
            else:
                assert verdict == NEXT


@settings(max_examples=100, deadline=None)
@given(
    percent=st.sampled_from((0.0, 10.0, 50.0)),
    steps=st.lists(
        st.tuples(
            st.sampled_from(("calls", "hedge", "hedge")), st.integers(0, 7), st.sampled_from((0.0, 0.5, 4.0))
        ),
        max_size=60,
    ),
)
def test_hedges_never_exceed_the_share(percent: float, steps: list[tuple[str, int, float]]) -> None:
    """In any interval: the share of its calls, and the reserve."""
    hedger = Hedger(HedgeOptions(budget_percent=percent))
    slot_s = INTERVAL_S / SLOTS
    calls: list[tuple[int, int]] = []
    hedges: list[int] = []
    now = 0.1
    for action, number, wait in steps:
        now += wait
        slot = int(now / slot_s)
        recent = sum(count for at, count in calls if at > slot - SLOTS)
        spent = sum(1 for at in hedges if at > slot - SLOTS)
        balance = RESERVE_PER_S * INTERVAL_S + recent * percent / 100.0 - spent
        if action == "calls":
            hedger.deposit(number, now)
            calls.append((slot, number))
        else:
            for _ in range(number):
                paid = hedger.pay(now)
                assert paid is (balance >= 1.0 - 1e-9)
                if paid:
                    hedges.append(slot)
                    balance -= 1.0
