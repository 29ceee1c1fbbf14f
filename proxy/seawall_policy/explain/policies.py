"""The mechanisms of a policy, in the order in which a call meets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar, cast

from seawall.v1 import policy_pb2
from seawall_policy import deadline, hedge, rate, retry
from seawall_policy.breaker import OFF as BREAKER_OFF
from seawall_policy.breaker import SHADOW as BREAKER_SHADOW
from seawall_policy.builtin import builtin_policies
from seawall_policy.explain.explanation import DEFAULT_SOURCE, Mechanism, Setting
from seawall_policy.explain.settings import codes, enum_name, filled, percent, said, time
from seawall_policy.limit import options as limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.descriptor import FieldDescriptor

    from seawall_policy.compile.friendly import Plain
    from seawall_policy.compile.inherit import Lineage
    from seawall_policy.deadline import DeadlineOptions
    from seawall_policy.model import Policy

ORDER: Final[tuple[tuple[str, str], ...]] = (
    ("timeout", "the time of the whole call"),
    ("deadline", "what is done with that time"),
    ("rate_limit", "calls that come too fast are refused"),
    ("limit", "calls that are too many at once wait or are refused"),
    ("fallback", "what answers instead of a failure"),
    ("recovered_after", "when the state of degradation ends"),
    ("idempotency", "keys that make repeating safe"),
    ("hedge", "a second attempt before the first has failed"),
    ("retry", "another attempt after one has failed"),
    ("breaker", "no attempts for a while after many have failed"),
    ("per_try_timeout", "the time of one attempt"),
    ("fault", "what is broken on purpose"),
    ("classify", "what kind of failure it was"),
)
"""The settings of a policy, in the order in which their mechanisms meet a call, outermost first."""

_SINGLE: Final = frozenset({"timeout", "per_try_timeout", "recovered_after"})
_NOT_REPEATED: Final = "not for this call: nothing says that it may be repeated"
_SWITCHED_OFF: Final = "switched off"


def mechanisms(
    lineage: Lineage, own: Mapping[str, policy_pb2.Policy], policy: Policy, idempotent: str
) -> tuple[tuple[Mechanism, ...], tuple[str, ...]]:
    """Return what a call meets under a policy, and what is off. `own` are the document's policies by name,
    `policy` what the compiler made of `lineage`, `idempotent` who says that the call may be repeated.
    """
    builtin = builtin_policies()
    line = [(name, own[name] if name in own else builtin[name]) for name in lineage.chain]
    fields = cast("Mapping[str, FieldDescriptor]", policy_pb2.Policy.DESCRIPTOR.fields_by_name)
    found: list[Mechanism] = []
    off: list[str] = []
    known = [name for name, _ in ORDER]
    # A setting that is newer than the list above is shown all the same, at the end.
    rest = [(name, "") for name in fields if name not in known and name != "extends"]
    for name, purpose in (*ORDER, *rest):
        told = said(lineage.merged, line, fields[name])
        if not told and not _is_on_unasked(name, policy):
            if name not in _SINGLE:
                off.append(name)
            continue
        settings = filled(told, _defaults(name, policy, _preset(lineage.merged, name)), name)
        found.append(Mechanism(name, purpose, settings, _note(name, policy, idempotent)))
    return tuple(found), tuple(off)


def _is_on_unasked(name: str, policy: Policy) -> bool:
    """Tell whether a mechanism does something where no policy mentions it."""
    return name == "deadline" and policy.deadline is not None and policy.deadline.hopeless != deadline.OFF


def _preset(merged: policy_pb2.Policy, name: str) -> str:
    """Return the name of the preset that fills in what a policy does not say; empty without one."""
    if name != "retry" or not merged.retry.preset:
        return ""
    return enum_name(policy_pb2.Retry.DESCRIPTOR.fields_by_name["preset"], merged.retry.preset)


def _defaults(name: str, policy: Policy, preset: str) -> list[Setting]:
    """Return the numbers of a mechanism that decide most, for those that no policy says."""
    source = f"preset {preset}" if preset else DEFAULT_SOURCE
    found = [(path, read(policy)) for path, read in _DEFAULTS.get(name, ())]
    return [Setting(f"{name}.{path}", value, source) for path, value in found if value is not None]


def _hopeless(mode: int) -> Plain:
    return enum_name(policy_pb2.Deadline.DESCRIPTOR.fields_by_name["hopeless"], mode)


def _max_refused(options: DeadlineOptions) -> Plain:
    return percent(options.max_refused) if options.hopeless == deadline.ENFORCE else None


_Options = TypeVar("_Options")


def _of(
    part: Callable[[Policy], _Options | None], read: Callable[[_Options], Plain]
) -> Callable[[Policy], Plain]:
    """Return what reads a number of a part of the policy; None where that part is off."""

    def number(policy: Policy) -> Plain:
        options = part(policy)
        return None if options is None else read(options)

    return number


_DEFAULTS: Final[dict[str, tuple[tuple[str, Callable[[Policy], Plain]], ...]]] = {
    "deadline": (
        ("margin", _of(lambda policy: policy.deadline, lambda options: time(options.margin_s))),
        ("hopeless", _of(lambda policy: policy.deadline, lambda options: _hopeless(options.hopeless))),
        ("max_refused", _of(lambda policy: policy.deadline, _max_refused)),
    ),
    "rate_limit": (("burst", _of(lambda policy: policy.rate_limit, lambda options: options.burst)),),
    "limit": (
        ("max_in_flight", _of(lambda policy: policy.limit, lambda options: options.max_in_flight)),
        ("queue", _of(lambda policy: policy.limit, lambda options: options.queue)),
        (
            "queue_timeout",
            _of(
                lambda policy: policy.limit,
                lambda options: time(options.queue_timeout_s) if options.queue > 0 else None,
            ),
        ),
    ),
    "hedge": (
        ("min_delay", _of(lambda policy: policy.hedge, lambda options: time(options.min_delay_s))),
        ("max_attempts", _of(lambda policy: policy.hedge, lambda options: options.max_attempts)),
        ("budget", _of(lambda policy: policy.hedge, lambda options: percent(options.budget_percent))),
        ("non_fatal_codes", _of(lambda policy: policy.hedge, lambda options: codes(options.non_fatal))),
        ("only_idempotent", _of(lambda policy: policy.hedge, lambda options: options.only_idempotent)),
    ),
    "retry": (
        ("max_attempts", lambda policy: policy.retry.max_attempts),
        ("codes", lambda policy: codes(policy.retry.codes)),
        ("backoff.kind", lambda policy: retry.BACKOFF_NAMES[policy.retry.kind]),
        ("backoff.initial", lambda policy: time(policy.retry.initial_s)),
        ("backoff.max", lambda policy: time(policy.retry.max_s)),
        ("only_idempotent", lambda policy: policy.retry.only_idempotent),
    ),
    "breaker": (
        ("min_calls", _of(lambda policy: policy.breaker, lambda options: options.min_calls)),
        ("failure_rate", _of(lambda policy: policy.breaker, lambda options: percent(options.failure_rate))),
        ("failure_codes", _of(lambda policy: policy.breaker, lambda options: codes(options.failure_mask))),
        ("open_for", _of(lambda policy: policy.breaker, lambda options: time(options.open_for_s))),
        ("half_open_calls", _of(lambda policy: policy.breaker, lambda options: options.half_open_calls)),
        ("success_threshold", _of(lambda policy: policy.breaker, lambda options: options.success_threshold)),
    ),
}


def _note(name: str, policy: Policy, idempotent: str) -> str:
    """Return what a mechanism means for the call; empty when there is nothing to add."""
    if name == "hedge":
        return _note_hedge(policy, idempotent)
    if name == "retry":
        return _note_retry(policy, idempotent)
    noted = _NOTES.get(name)
    return "" if noted is None else noted(policy)


def _note_deadline(policy: Policy) -> str:
    options = policy.deadline
    if options is None or options.hopeless == deadline.OFF:
        return "" if options is not None and options.margin_s > 0.0 else _SWITCHED_OFF
    if options.hopeless == deadline.SHADOW:
        return "calls with less time than any has needed are counted, and not refused"
    return ""


def _note_rate_limit(policy: Policy) -> str:
    options = policy.rate_limit
    if options is None or options.mode == rate.OFF:
        return _SWITCHED_OFF
    return "counts only: it refuses nothing" if options.mode == rate.SHADOW else ""


def _note_limit(policy: Policy) -> str:
    options = policy.limit
    if options is None or options.mode == limits.OFF:
        return _SWITCHED_OFF
    if options.mode == limits.SHADOW:
        return "counts only: it refuses nothing"
    if options.fair is not None and options.queue > 0:
        return f"when calls wait, each tenant ({', '.join(options.fair.parts)}) gets the same share"
    return ""


def _note_hedge(policy: Policy, idempotent: str) -> str:
    options = policy.hedge
    if options is None:
        return _SWITCHED_OFF
    if options.only_idempotent and not idempotent:
        return _unless_keyed(policy)
    return "counts only: it sends nothing" if options.mode == hedge.SHADOW else ""


def _note_retry(policy: Policy, idempotent: str) -> str:
    if policy.retry.most_attempts <= 1:
        return "one attempt only, and what no server has seen is repeated"
    if policy.retry.only_idempotent and not idempotent:
        return _unless_keyed(policy)
    why = f" ({idempotent})" if idempotent else ""
    return f"this call may be repeated{why}"


def _unless_keyed(policy: Policy) -> str:
    """Return what a call gets that nobody has declared idempotent."""
    keys = policy.idempotency
    if keys is None or not keys.server_honours:
        return _NOT_REPEATED
    if keys.generate:
        return "this call may be repeated (the server honours its idempotency key)"
    return f"only for calls with {keys.key.decode()}, which the server honours"


def _note_breaker(policy: Policy) -> str:
    options = policy.breaker
    if options is None or options.mode == BREAKER_OFF:
        return _SWITCHED_OFF
    return "watches only: it rejects nothing" if options.mode == BREAKER_SHADOW else ""


def _note_fault(policy: Policy) -> str:
    if policy.fault is not None and policy.fault.shadow:
        return "counts only: it breaks nothing"
    if policy.fault is not None and policy.fault.metadata:
        return "only for calls with the metadata that it names"
    return ""


_NOTES: Final[dict[str, Callable[[Policy], str]]] = {
    "deadline": _note_deadline,
    "rate_limit": _note_rate_limit,
    "limit": _note_limit,
    "breaker": _note_breaker,
    "fault": _note_fault,
}
