"""Reading injected faults: what breaks, for whom, and above all until when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy import fault, status
from seawall_policy.compile import codes
from seawall_policy.compile.routes import read_conditions
from seawall_policy.compile.scope import Scope
from seawall_policy.durations import format_duration
from seawall_policy.fault import FaultOptions
from seawall_policy.suggest import quoted

MAX_MESSAGE: Final = 256
"""Characters of an abort's message."""

_LONG_S: Final = 86_400.0
_NO_END: Final = 0.0


def read_fault(scope: Scope, policy: policy_pb2.Policy) -> FaultOptions | None:
    """Return what is broken on purpose; None for nothing.

    What a policy says may be completed by what it extends, so that something is missing is told by
    `check_fault`, which sees both.
    """
    if not policy.HasField("fault"):
        return None
    scope = scope / "fault"
    settings = policy.fault
    abort, delay, bandwidth, stream = settings.abort, settings.delay, settings.bandwidth, settings.stream
    conditions = read_conditions(scope / "metadata", settings.metadata)
    mode = (scope / "mode").choice(settings.mode, policy_pb2.Mode.values(), policy_pb2.MODE_ENFORCE)
    options = FaultOptions(
        until_s=_read_until(scope / "until", settings.until),
        abort_share=_share(scope / "abort", abort.percent if abort.HasField("percent") else None),
        abort_code=_code(scope / "abort" / "code", abort.code),
        abort_message=_message(scope / "abort" / "message", abort.message),
        delay_share=_share(scope / "delay", delay.percent if delay.HasField("percent") else None),
        delay_s=(scope / "delay" / "duration").duration(
            delay.duration if delay.HasField("duration") else None, "1ms", "1h", 0.0
        ),
        bandwidth_share=_share(
            scope / "bandwidth", bandwidth.percent if bandwidth.HasField("percent") else None
        ),
        bytes_per_second=(scope / "bandwidth" / "per_second").integer(
            bandwidth.per_second if bandwidth.HasField("per_second") else None,
            fault.LEAST_BYTES_PER_SECOND,
            (1 << 32) - 1,
            fault.LEAST_BYTES_PER_SECOND,
        ),
        stream_share=_share(scope / "stream", stream.percent if stream.HasField("percent") else None),
        stream_kind=(scope / "stream" / "kind").choice(
            stream.kind, policy_pb2.FaultStreamKind.values(), fault.STREAM_ABORT
        ),
        stream_after=(scope / "stream" / "after_messages").integer(
            stream.after_messages if stream.HasField("after_messages") else None, 0, fault.MAX_MESSAGES, 1
        ),
        stream_code=_code(scope / "stream" / "code", stream.code),
        metadata=tuple((condition.name, condition.value) for condition in conditions),
        max_active=(scope / "max_active").integer(
            settings.max_active if settings.HasField("max_active") else None,
            1,
            fault.MAX_ACTIVE,
            fault.DEFAULT_ACTIVE,
        ),
        shadow=mode == policy_pb2.MODE_SHADOW,
    )
    return None if mode == policy_pb2.MODE_OFF else options


def check_fault(
    scope: Scope, own: policy_pb2.Policy, merged: policy_pb2.Policy, wall_s: float | None
) -> None:
    """Report what a policy's faults lack with everything that it extends, and what is odd about them.

    `wall_s` is the time in Unix seconds; None: nothing is said about when they end.
    """
    if not own.HasField("fault"):
        return
    scope = scope / "fault"
    settings = merged.fault
    if not settings.until:
        (scope / "until").error(
            codes.MISSING,
            "a fault needs an end, or somebody forgets it; add `until: 2026-12-01T00:00:00Z`",
        )
    kinds = [name for name in fault.KIND_NAMES if settings.HasField(name)]
    if not kinds:
        scope.error(codes.MISSING, "says nothing to break; add `abort`, `delay`, `bandwidth` or `stream`")
    for name in kinds:
        kind = getattr(settings, name)
        if not kind.HasField("percent"):
            (scope / name / "percent").error(
                codes.MISSING, "say how many attempts it is for, such as `percent: 1%`"
            )
    if settings.HasField("abort") and not settings.abort.code:
        (scope / "abort" / "code").error(codes.MISSING, "name the status, such as `code: UNAVAILABLE`")
    if settings.HasField("delay") and not settings.delay.HasField("duration"):
        (scope / "delay" / "duration").error(codes.MISSING, "say how long, such as `duration: 200ms`")
    if settings.HasField("bandwidth") and not settings.bandwidth.HasField("per_second"):
        (scope / "bandwidth" / "per_second").error(
            codes.MISSING, "say how many bytes, such as `per_second: 64KiB`"
        )
    _lint(scope, settings, wall_s)


def _lint(scope: Scope, settings: policy_pb2.Fault, wall_s: float | None) -> None:
    abort, stream = settings.abort, settings.stream
    shadow = settings.mode == policy_pb2.MODE_SHADOW
    if abort.HasField("percent") and abort.percent == 100 and not settings.metadata and not shadow:
        (scope / "abort" / "percent").warn(
            codes.FAULT_HITS_ALL,
            "no attempt of any call gets through; add `metadata` to choose calls, or lower it",
        )
    if stream.code and stream.kind not in (0, policy_pb2.FAULT_STREAM_KIND_ABORT):
        (scope / "stream" / "code").warn(codes.NO_EFFECT, "only `kind: abort` ends with a status; remove it")
    if stream.HasField("after_messages") and stream.kind == policy_pb2.FAULT_STREAM_KIND_DROP_TRAILERS:
        (scope / "stream" / "after_messages").warn(
            codes.NO_EFFECT, "trailers are at the end of a response, after every message; remove it"
        )
    until_s = _moment(settings.until)
    if wall_s is None or until_s is None:
        return
    left = until_s - wall_s
    if left <= 0.0:
        (scope / "until").warn(codes.FAULT_IS_OVER, "this moment has passed: nothing is broken any more")
    elif left > _LONG_S:
        hours = format_duration(round(left / 3600) * 3_600_000_000_000)
        (scope / "until").warn(
            codes.FAULT_IS_LONG,
            f"is {hours} ahead; a fault that lasts longer than a day outlives its purpose",
        )


def _read_until(scope: Scope, text: str) -> float:
    if not text:
        return _NO_END
    moment = _moment(text)
    if moment is None:
        scope.error(
            codes.BAD_TIME, f"{quoted(text)} is no RFC 3339 time with an offset, such as 2026-12-01T00:00:00Z"
        )
        return _NO_END
    return moment


def _moment(text: str) -> float | None:
    """Return Unix seconds; None for what is no time of day on a date with an offset."""
    if len(text) < len("2026-12-01T00:00:00Z") or text[10] not in "Tt ":
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()


def _share(scope: Scope, percent: float | None) -> float:
    return (scope / "percent").number(percent, 0, 100, 0.0, above=True, unit=" %") / 100.0


def _code(scope: Scope, name: str) -> int:
    code = scope.status_code(name) if name else status.UNAVAILABLE
    return code if code > 0 else status.UNAVAILABLE


def _message(scope: Scope, text: str) -> str:
    if len(text) > MAX_MESSAGE or not (text.isascii() and text.isprintable()):
        scope.error(codes.OUT_OF_RANGE, f"must be printable ASCII of at most {MAX_MESSAGE} characters")
        return ""
    return text
