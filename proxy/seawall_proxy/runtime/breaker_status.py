"""What breakers look like: to the control plane, on the page for a person, in the scrape."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from seawall.v1 import stats_pb2
from seawall_policy.breaker import CLOSED, MODE_NAMES, RAMP, STATE_NAMES, Breaker, Transition

if TYPE_CHECKING:
    from seawall_proxy.call.routing import RouteState
    from seawall_proxy.telemetry.clock import ClockAnchor

STATE_OFFSET: Final = 1
"""The contract's enum has a zero value of its own, so its numbers are one higher."""
MAX_CLOSED: Final = 100
"""Most closed breakers of one route that are shown: those that act come first, and all of them."""
MAX_TRIGGER: Final = 200


def shown_breakers(state: RouteState) -> list[Breaker]:
    """Return the breakers of a route that are worth showing, by key."""
    every = state.breakers()
    if len(every) > MAX_CLOSED:
        acting = [breaker for breaker in every if breaker.state != CLOSED]
        every = acting + [breaker for breaker in every if breaker.state == CLOSED][:MAX_CLOSED]
    return sorted(every, key=lambda breaker: breaker.key)


def breaker_messages(
    state: RouteState, revision: int, now: float, clock: ClockAnchor
) -> list[stats_pb2.BreakerStatus]:
    """Return a route's breakers in the words of the contract."""
    return [breaker_message(state, breaker, revision, now, clock) for breaker in shown_breakers(state)]


def breaker_message(
    state: RouteState, breaker: Breaker, revision: int, now: float, clock: ClockAnchor
) -> stats_pb2.BreakerStatus:
    """Return one breaker in the words of the contract."""
    shot = breaker.snapshot(now)
    message = stats_pb2.BreakerStatus(
        name=breaker.key,
        route=state.name,
        state=_state(shot.state),
        since=_timestamp(clock.wall(shot.since)),
        trigger=shot.trigger[:MAX_TRIGGER],
        window_calls=shot.calls,
        window_failures=shot.failures,
        window_slow=shot.slow,
        rejected=shot.rejected,
        opened=shot.opened_count,
        consecutive=shot.consecutive,
        in_flight=shot.in_flight,
        probes_in_flight=shot.probes_in_flight,
        probes_passed=shot.probes_passed,
        probes_not_passed=shot.probes_not_passed,
        ramp_share=shot.ramp_share,
        would_reject=shot.would_reject,
        policy=state.policy.name,
        policy_revision=revision,
        mode=MODE_NAMES[breaker.options.mode],
        history=[_transition(change, clock) for change in breaker.history],
    )
    if shot.failure_rate >= 0.0:
        message.failure_rate = shot.failure_rate
    if shot.slow_rate >= 0.0:
        message.slow_rate = shot.slow_rate
    wait = breaker.retry_after(now)
    if 0.0 < wait < 1e9:
        message.retry_after.CopyFrom(_duration(wait))
    probe = shot.next_probe()
    if probe < inf:
        message.next_probe.CopyFrom(_timestamp(clock.wall(probe)))
    if shot.held_by or shot.held_why or shot.hold_until < inf:
        message.hold.actor = shot.held_by
        message.hold.reason = shot.held_why
        if shot.hold_until < inf:
            message.hold.until.CopyFrom(_timestamp(clock.wall(shot.hold_until)))
    return message


def breaker_line(breaker: Breaker, now: float) -> dict[str, object]:
    """Return one breaker for /status."""
    shot = breaker.snapshot(now)
    line: dict[str, object] = {
        "state": STATE_NAMES[shot.state].lower(),
        "calls": shot.calls,
        "failures": shot.failures,
        "slow": shot.slow,
        "rejected": shot.rejected,
        "opened": shot.opened_count,
        "would_reject": shot.would_reject,
    }
    if shot.state == RAMP:
        line["ramp_share"] = shot.ramp_share
    if shot.held_by or shot.held_why:
        line["held_by"] = shot.held_by
        line["held_why"] = shot.held_why
    if shot.hold_until < inf:
        line["held_seconds"] = round(max(shot.hold_until - now, 0.0), 3)
    return line


def route_lines(state: RouteState, now: float) -> dict[str, object]:
    """Return what /status says of a route's breakers: one, or those of its methods or endpoints."""
    if state.breaker is not None:
        return {"breaker": breaker_line(state.breaker, now)}
    if state.scoped is not None:
        lines = [{"name": b.key, **breaker_line(b, now)} for b in shown_breakers(state)]
        return {"breakers": lines}
    return {}


class BreakerSums:
    """What the breakers of one route come to."""

    def __init__(self, state: RouteState) -> None:
        self.route: str = state.name
        self.states: list[int] = [0] * len(STATE_NAMES)
        """How many are in each state, counted anew each time: a gauge that is kept up to date may drift."""
        scoped = state.scoped
        self.opened: int = 0 if scoped is None else scoped.gone_opened
        self.rejected: int = 0 if scoped is None else scoped.gone_rejected
        self.would_reject: int = 0 if scoped is None else scoped.gone_would_reject
        for breaker in state.breakers():
            self.states[breaker.state] += 1
            self.opened += breaker.opened_count
            self.rejected += breaker.rejected
            self.would_reject += breaker.would_reject


def _transition(change: Transition, clock: ClockAnchor) -> stats_pb2.BreakerTransition:
    message = stats_pb2.BreakerTransition(
        at=_timestamp(clock.wall(change.at)),
        to=_state(change.to_state),
        trigger=change.trigger[:MAX_TRIGGER],
        calls=change.calls,
        failures=change.failures,
        slow=change.slow,
    )
    setattr(message, "from", _state(change.from_state))  # a word of Python
    return message


def _state(number: int) -> stats_pb2.BreakerState:
    return stats_pb2.BreakerState.Name(number + STATE_OFFSET)  # type: ignore[return-value]  # either is taken


def _timestamp(wall_s: float) -> Timestamp:
    result = Timestamp()
    result.FromMicroseconds(int(wall_s * 1e6))
    return result


def _duration(seconds: float) -> Duration:
    result = Duration()
    result.FromMicroseconds(int(seconds * 1e6))
    return result
