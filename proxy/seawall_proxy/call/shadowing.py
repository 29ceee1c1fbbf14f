"""The shadow policy of a route on the way of a call: shown what happens, asked what it would have done."""

from __future__ import annotations

from seawall_policy import status
from seawall_policy.shadow import Shadow
from seawall_proxy.call import local_reply
from seawall_proxy.call.attempt import Attempt
from seawall_proxy.call.call_state import CallState


def weigh(
    call: CallState,
    shadow: Shadow,
    attempt: Attempt,
    granted: bool,
    code: int,
    pushback_ms: int,
    idempotent: bool,
) -> None:
    """Ask the shadow about a failed attempt, as long as both policies have agreed about the call so far."""
    if call.shadow_left:
        return
    decision = call.shadow_decision
    if decision is None:
        decision = shadow.begin_decision()
        call.shadow_decision = decision
    asked = code
    if attempt.reason == local_reply.PER_TRY_TIMEOUT and not (shadow.retry.codes >> code) & 1:
        asked = status.UNAVAILABLE
    now = call.context.now
    leave_budget(call, shadow)
    agreed = shadow.weigh(
        decision,
        granted,
        asked,
        pushback_ms,
        attempt.seen,
        call.replay is not None,
        idempotent,
        call.deadline - now,
        now,
        call.context.draw(),
    )
    # It would have tried again where both say so, and where only the policy in force does not.
    call.shadow_paid = granted == agreed
    if not agreed:
        call.shadow_left = True


def leave_budget(call: CallState, shadow: Shadow) -> None:
    """Give the retry back that the shadow has counted for the call, if there is one."""
    if call.shadow_paid:
        call.shadow_paid = False
        if shadow.budget is not None:
            shadow.budget.give_back()
