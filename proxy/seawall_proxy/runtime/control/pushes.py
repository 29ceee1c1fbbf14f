"""Policies that the control plane pushes, applied one after the other.

The task that applies them outlives the stream, because a half-applied policy must not be abandoned when the
stream ends. A push that comes while one is being applied waits, and a newer one takes its place; the answer
goes to the stream that asked, or nowhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final, TypeAlias

from google.protobuf.duration_pb2 import Duration

from seawall.v1 import fleet_pb2, policy_pb2
from seawall_proxy.runtime.control.outbox import Outbox

log = logging.getLogger("seawall.control")

MAX_REASONS: Final = 50


@dataclass(frozen=True, slots=True)
class AppliedPolicy:
    """What is in force now."""

    revision: int
    digest: str
    source: str
    """`live`, `last_good`, `file`, `none`."""


ApplyPolicy: TypeAlias = Callable[[policy_pb2.PolicyDocument, int, str], Awaitable[list[str]]]
"""Puts a document in force (document, revision, hash); returns why it was refused, or nothing."""


class Pushes:
    """Takes pushes, applies the newest, answers."""

    def __init__(self, outbox: Outbox, apply: ApplyPolicy, applied: Callable[[], AppliedPolicy]) -> None:
        self._outbox: Outbox = outbox
        self._apply: ApplyPolicy = apply
        self.applied: Callable[[], AppliedPolicy] = applied
        """Says what is in force."""
        self._waiting: tuple[int, fleet_pb2.PolicyPush] | None = None
        self._waits: asyncio.Event = asyncio.Event()
        self.pushed_revision: int = 0
        """Revision of the last push."""
        self.latest_revision: int = 0
        """Highest one that the control plane has spoken of."""
        self.nack_revision: int = 0
        """The last one that was refused here; 0 for none."""
        self.nack_reasons: list[str] = []

    def take(self, push: fleet_pb2.PolicyPush) -> None:
        """Have a push applied, instead of one that waits."""
        self.pushed_revision = push.revision
        self.latest_revision = max(self.latest_revision, push.revision)
        self._waiting = (self._outbox.session, push)
        self._waits.set()

    async def run(self) -> None:
        """Apply what comes until cancelled."""
        while True:
            await self._waits.wait()
            self._waits.clear()
            if self._waiting is None:
                continue
            session, push = self._waiting
            self._waiting = None
            result = await self._result_of(push)
            self._outbox.answer(session, fleet_pb2.ConnectRequest(policy_result=result))

    async def _result_of(self, push: fleet_pb2.PolicyPush) -> fleet_pb2.PolicyResult:
        began = monotonic()
        before = self.applied()
        reasons: list[str] = []
        if (before.revision, before.digest) != (push.revision, push.hash) or not push.hash:
            try:
                reasons = await self._apply(push.document, push.revision, push.hash)
            except Exception as error:
                log.exception("revision %d could not be applied", push.revision)
                reasons = [f"applying it failed in the proxy: {type(error).__name__}: {error}"]
        if reasons:
            self.nack_revision = push.revision
            self.nack_reasons = reasons[:MAX_REASONS]
            log.error(
                "revision %d is refused, the policy in force stays: %s", push.revision, "; ".join(reasons)
            )
        duration = Duration()
        duration.FromMicroseconds(int((monotonic() - began) * 1e6))
        applied = self.applied()
        return fleet_pb2.PolicyResult(
            nonce=push.nonce,
            revision=push.revision,
            verdict=fleet_pb2.POLICY_VERDICT_NACK if reasons else fleet_pb2.POLICY_VERDICT_ACK,
            reasons=reasons[:MAX_REASONS],
            applied_revision=applied.revision,
            applied_hash=applied.digest,
            apply_duration=duration,
        )
