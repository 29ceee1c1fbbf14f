"""A recorded call in sentences: what was decided at each step, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from seawall.cli import render

# Words of `not_retried`, as seawall_policy.retry has them.
_NOT_RETRIED: Final[dict[str, str]] = {
    "off": "the policy makes one attempt only",
    "committed": "the caller had got part of the answer",
    "buffer": "the request was too large to be kept for another attempt",
    "pushback": "the server asked not to be tried again",
    "code": "the policy does not retry this status",
    "not_idempotent": "nothing says that the method may be executed twice",
    "throttled": "too many attempts had failed lately (token throttle)",
    "attempts": "all attempts were used up",
    "deadline": "there was no time left for another attempt",
    "budget": "the retry budget was used up",
}
_REASONS: Final[dict[str, str]] = {
    "BREAKER_OPEN": "the breaker was open, so nothing was sent",
    "NO_HEALTHY_BACKEND": "no endpoint of the cluster could be reached",
    "UPSTREAM_CONNECT_FAILED": "no connection to it could be had",
    "UPSTREAM_RESET": "it broke the stream or the connection off",
    "UPSTREAM_PROTOCOL_ERROR": "it did not answer in gRPC, or without a status",
    "CONCURRENCY_LIMITED": "too many calls were in flight",
    "PER_TRY_TIMEOUT": "it took longer than per_try_timeout",
    "DEADLINE_EXCEEDED": "the time of the call was over",
    "FAULT_INJECTED": "the failure was injected by the policy",
}
_OUTCOMES: Final[dict[str, str]] = {
    "ok": "The caller got the answer.",
    "retried": "The caller got the answer of the last attempt and saw nothing of the others.",
    "hedged": "The caller got the answer of the attempt that was first, and saw nothing of the others.",
    "fallback": "The caller got a fallback with status OK.",
    "rejected": "Seawall refused the call.",
    "failed": "The caller got the failure.",
    "cancelled": "The caller went away.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One decision: what happened, and why."""

    what: str
    why: str


def steps(event: dict[str, Any], not_retried: str = "") -> list[Step]:
    """Return the story of a call event (the shape of `-o json`)."""
    found: list[Step] = []
    details = event["details"]
    attempts = event["attempts"]
    for index, attempt in enumerate(attempts):
        where = f" at {attempt['endpoint']}" if attempt["endpoint"] else ""
        took = render.latency(attempt["latency_s"])
        what = f"attempt {attempt['number']}{where}: {attempt['code'] or 'unfinished'} after {took}"
        found.append(Step(what, _why_it_ended(attempt)))
        if index + 1 < len(attempts):
            found.append(
                Step(
                    "tried again",
                    f"{attempt['code']} may be retried, and attempts, time and budget allowed it",
                )
            )
    if not attempts:
        found.append(Step("no attempt was made", _REASONS.get(event["reason"], event["reason"] or "unknown")))
    elif not_retried:
        found.append(Step("not tried again", _NOT_RETRIED.get(not_retried, not_retried)))
    if details.get("fault"):
        found.append(Step(f"faults were injected: {details['fault']}", "the policy has a `fault`"))
    if details.get("breaker"):
        found.append(Step(f"the breaker was {details['breaker']}", "when the call ended"))
    if event["category"]:
        found.append(Step(f"classified as {_verdict(event)}", _why_classified(event)))
    if details.get("fallback"):
        covered = f"{event['error_type']}{' (' + event['reason'] + ')' if event['reason'] else ''}"
        found.append(Step(f"answered by {details['fallback']}", f"it is the first fallback for {covered}"))
    found.append(Step(event["outcome"] or event["kind"], _OUTCOMES.get(event["outcome"], event["message"])))
    return found


def _why_it_ended(attempt: dict[str, Any]) -> str:
    if attempt["reason"]:
        reason = str(attempt["reason"])
        return _REASONS.get(reason, reason)
    return "the server answered so" if attempt["code"] else ""


def _verdict(event: dict[str, Any]) -> str:
    strategy = event["details"].get("strategy", "")
    return f"{event['category']} ({strategy})" if strategy else str(event["category"])


def _why_classified(event: dict[str, Any]) -> str:
    details = event["details"]
    if "classify_rule" in details:
        return f"entry {int(details['classify_rule'])} of the policy's `classify` matched"
    if details.get("error_reason"):
        return f"by its status; the server's reason was {details['error_reason']}"
    return "by its status"
