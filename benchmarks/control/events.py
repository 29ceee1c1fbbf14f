"""Events as a busy fleet reports them: some hundred kinds of failure, messages of a line, a few details."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from typing import Final

from seawall_control.domain.events import AttemptSummary, Category, Event, EventKind, Outcome, Severity

ROUTES: Final = 40
KINDS: Final = 200
START_US: Final = 1_760_000_000_000_000
SPACING_US: Final = 250_000
_WORDS: Final = (
    "connection", "reset", "by", "peer", "while", "reading", "response", "headers", "upstream", "request",
    "timeout", "after",
)  # fmt: skip


def made(count: int, seed: int, *, start_us: int = START_US) -> Iterator[Event]:
    """Yield events in the order of time."""
    dice = random.Random(seed)
    for number in range(count):
        kind = dice.randrange(KINDS)
        route = kind % ROUTES
        failed = dice.random() < 0.7
        yield Event(
            id=str(uuid.UUID(int=dice.getrandbits(128), version=4)),
            timestamp_us=start_us + number * SPACING_US,
            severity=Severity(1 + kind % 4),
            component=f"route/checkout-{route}",
            error_type=("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "RESOURCE_EXHAUSTED")[kind % 4],
            message=f"{' '.join(_WORDS[: 4 + kind % 8])}: order {dice.randrange(10**9)} "
            f"for user{number % 997}@example.com, token=sk_live_{dice.getrandbits(64):016x}",
            details={"request": f"r-{number}", "size": dice.randrange(10**5)} if kind % 10 == 0 else None,
            kind=EventKind.CALL_FAILED if failed else EventKind.CALL_RECOVERED,
            route=f"checkout-{route}",
            method=f"/shop.v1.Checkout/Method{kind % 12}",
            code="UNAVAILABLE",
            category=Category.TRANSIENT,
            attempts=tuple(
                AttemptSummary(number=n, endpoint=f"10.0.0.{n}:50051", code="UNAVAILABLE", latency_us=1500)
                for n in (1, 2)
            ),
            endpoint=f"10.0.0.{1 + kind % 9}:50051",
            latency_us=dice.randrange(1000, 900_000),
            outcome=Outcome.FAILED if failed else Outcome.RETRIED,
            reason="UPSTREAM_RESET",
            # Not `v1:`, whose hash the control plane would look for in vain when a group is new.
            fingerprint=f"v0:{kind:032x}",
            policy_revision=7,
            proxy=f"edge-{number % 16}",
            resolved=dice.random() < 0.5,
            resolved_at_us=start_us,
        )
