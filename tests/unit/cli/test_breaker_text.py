"""A breaker in full, as a person reads it."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from seawall.cli.commands.breaker_text import describe_breakers
from seawall.v1 import stats_pb2


def stamp(seconds: int) -> Timestamp:
    """Return a time so many seconds from now."""
    made = Timestamp()
    made.GetCurrentTime()
    made.seconds += seconds
    return made


def test_everything_is_said() -> None:
    """State, hold, window, probes, policy and transitions, the newest first."""
    item = stats_pb2.BreakerStatus(
        name="shop/s.S/Get",
        proxy="one",
        state=stats_pb2.BREAKER_STATE_FORCED_OPEN,
        since=stamp(-60),
        trigger="manual: ada: drill",
        window_calls=20,
        window_failures=15,
        window_slow=1,
        failure_rate=75.0,
        slow_rate=5.0,
        consecutive=3,
        in_flight=2,
        rejected=7,
        opened=1,
        would_reject=4,
        policy="p",
        policy_revision=9,
        mode="enforce",
        next_probe=stamp(120),
    )
    item.retry_after.FromSeconds(120)
    item.hold.actor, item.hold.reason = "ada", "drill"
    item.hold.until.CopyFrom(stamp(120))
    for seconds, state in ((-90, stats_pb2.BREAKER_STATE_OPEN), (-60, stats_pb2.BREAKER_STATE_FORCED_OPEN)):
        item.history.add(at=stamp(seconds), to=state, trigger=f"t{-seconds}", calls=20, failures=15)
    text = describe_breakers([item])
    for said in (
        "shop/s.S/Get",
        "⊘ FORCED_OPEN",
        "by ada, for 2m more, because of: drill",
        "15 failed and 1 slow of 20: 75.0 % failed, 5.0 % slow",
        "3 failures",
        "in 2m",
        "1 times, 7 attempts rejected",
        "p, revision 9, mode enforce",
        "15/20",
    ):
        assert said in text, said
    assert text.index("t60") < text.index("t90")


def test_what_does_not_apply_is_left_out() -> None:
    """A closed one is short; a ramp tells its share, a half-open one its probes."""
    closed = describe_breakers([stats_pb2.BreakerStatus(name="r", state=stats_pb2.BREAKER_STATE_CLOSED)])
    for word in ("Held", "Probes", "Lets in", "Would reject", "WHEN"):
        assert word not in closed
    assert "too few to trip on a share" in closed
    ramp = stats_pb2.BreakerStatus(name="r", state=stats_pb2.BREAKER_STATE_RAMP, ramp_share=20.0)
    assert "20 %" in describe_breakers([ramp])
    probing = stats_pb2.BreakerStatus(name="r", state=stats_pb2.BREAKER_STATE_HALF_OPEN, probes_passed=2)
    assert "0 in flight, 2 passed, 0 not" in describe_breakers([probing])
