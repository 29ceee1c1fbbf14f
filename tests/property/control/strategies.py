"""Events drawn from small worlds, so that they meet each other and the filters."""

from __future__ import annotations

from hypothesis import strategies as st

from seawall_control.domain.events import AttemptSummary, Category, Event, EventKind, Outcome, Severity

WORDS = st.sampled_from(["", "a", "A", "b", "ab", "é", "É", "a b", '"', "%", "_", "\\", "v1:x"])
DETAILS = st.none() | st.dictionaries(
    WORDS, st.none() | st.booleans() | st.integers(-5, 5) | WORDS | st.lists(WORDS, max_size=2), max_size=3
)


def event_id(number: int) -> str:
    """Return an id that follows from a number."""
    return f"00000000-0000-4000-8000-{number:012d}"


@st.composite
def events(draw: st.DrawFn, ids: int = 6) -> Event:
    """Draw an event; few ids and times, so that they collide."""
    resolved = draw(st.booleans())
    return Event(
        id=event_id(draw(st.integers(1, ids))),
        timestamp_us=draw(st.integers(1, 4)) * 3_600_000_000 * 12 + draw(st.integers(-1, 1)),
        severity=draw(st.sampled_from(Severity)),
        component=draw(WORDS),
        error_type=draw(WORDS),
        message=draw(WORDS),
        details=draw(DETAILS),
        job_id=draw(WORDS),
        job_name=draw(WORDS),
        resolved=resolved,
        resolved_at_us=draw(st.integers(1, 9)) if resolved else 0,
        kind=draw(st.sampled_from(EventKind)),
        route=draw(WORDS),
        method=draw(WORDS),
        code=draw(WORDS),
        category=draw(st.sampled_from(Category)),
        attempts=tuple(
            AttemptSummary(number=i + 1, endpoint=draw(WORDS), latency_us=i)
            for i in range(draw(st.integers(0, 2)))
        ),
        endpoint=draw(WORDS),
        latency_us=draw(st.integers(0, 9)),
        outcome=draw(st.sampled_from(Outcome)),
        reason=draw(WORDS),
        trace_id=draw(WORDS),
        fingerprint=draw(WORDS),
        policy_revision=draw(st.integers(0, 3)),
        proxy=draw(WORDS),
    )
