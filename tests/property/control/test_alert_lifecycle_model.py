"""The life of an alert against a reference that looks at the whole past at every tick."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seawall_control.domain.alerts.lifecycle import (
    FLAP_AFTER,
    FLAP_WINDOW_US,
    Alert,
    Phase,
    Reading,
    Timing,
    begun,
    stepped,
)
from seawall_control.domain.alerts.subject import Subject
from seawall_control.domain.events import MICROS, Severity

READING = Reading(Subject(key="k"), 1.0, 1.0, "it holds")


def reference(ticks: list[tuple[int, bool]], hold_us: int, keep_us: int) -> list[tuple[str, bool]]:
    """Return phase and flapping after each tick; `-` for no alert."""
    answers: list[tuple[str, bool]] = []
    state, flapping = "-", False
    holds_since = quiet_since = -1
    fires: list[int] = []
    for at_us, holds in ticks:
        if holds:
            quiet_since = -1
            if state in ("-", "resolved"):
                state, flapping, holds_since = "pending", False, at_us
            if state == "pending" and at_us - holds_since >= hold_us:
                state = "firing"
                fires.append(at_us)
                recent = [t for t in fires if t > at_us - FLAP_WINDOW_US]
                flapping = len(recent) >= FLAP_AFTER
        elif state == "pending":
            state = "-"
        elif state == "firing":
            quiet_since = at_us if quiet_since < 0 else quiet_since
            if at_us - quiet_since >= (max(keep_us, FLAP_WINDOW_US) if flapping else keep_us):
                state = "resolved"
        answers.append((state, flapping))
    return answers


@given(
    ticks=st.lists(st.tuples(st.sampled_from([1, 1, 2, 5, 60, 300, 700]), st.booleans()), max_size=80),
    hold_s=st.sampled_from([0, 1, 3, 100]),
    keep_s=st.sampled_from([0, 2, 4, 900]),
)
def test_the_life_of_an_alert(ticks: list[tuple[int, bool]], hold_s: int, keep_s: int) -> None:
    """Phase and flapping are those of the reference at every tick."""
    timing = Timing(hold_s * MICROS, keep_s * MICROS)
    at_us = 1_000_000 * MICROS
    timed: list[tuple[int, bool]] = []
    for step_s, holds in ticks:
        at_us += step_s * MICROS
        timed.append((at_us, holds))
    alert: Alert | None = None
    past: Alert | None = None
    seen: list[tuple[str, bool]] = []
    for number, (now_us, holds) in enumerate(timed):
        if holds and (alert is None or alert.phase is Phase.RESOLVED):
            alert = begun("r", READING, Severity.HIGH, past, alert_id=str(number), at_us=now_us)
        if alert is not None:
            alert = stepped(alert, READING if holds else None, timing, at_us=now_us)
            if alert is not None and alert.phase is Phase.RESOLVED:
                past = alert
        seen.append((alert.phase.value, alert.flapping) if alert else ("-", False))
    expected = reference(timed, timing.hold_us, timing.keep_us)
    assert [phase for phase, _ in seen] == [phase for phase, _ in expected]
    assert [f for p, f in seen if p in ("firing", "resolved")] == [
        f for p, f in expected if p in ("firing", "resolved")
    ]
