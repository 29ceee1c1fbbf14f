"""Which route and policy a call gets, with which numbers, and where each of them comes from.

It answers for a document what the data path would do for a call with a method and metadata: the same
compiler, the same order of routes. Settings are those of the policy with everything that it extends; each
says which policy of that line it stands in. Numbers that no policy says are shown for mechanisms that are on
by what the compiler made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isinf
from typing import Final, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from seawall.v1 import policy_pb2
from seawall_policy import hedge, rate, retry, status
from seawall_policy.breaker import SHADOW, BreakerOptions
from seawall_policy.builtin import builtin_policies
from seawall_policy.compile import compile_document
from seawall_policy.compile.friendly import Plain, field_to_plain
from seawall_policy.compile.inherit import Lineage, resolve
from seawall_policy.compile.report import Report
from seawall_policy.descriptors import DescriptorSource
from seawall_policy.durations import NANOS_PER_SECOND, format_duration
from seawall_policy.limit import options as limits
from seawall_policy.match import RouteTable
from seawall_policy.model import ClusterSpec, Policy, Route, Snapshot
from seawall_policy.outlier import options as outlier
from seawall_policy.outlier.options import OutlierOptions

DEFAULT_SOURCE: Final = "default"
"""Where a number comes from that no policy says."""

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

CLUSTER_ORDER: Final[tuple[tuple[str, str], ...]] = (
    ("max_in_flight", "attempts at the cluster at once"),
    ("balance", "which endpoint is asked"),
    ("health_check", "endpoints that say they are not well are left out"),
    ("slow_start", "endpoints that are new get little at first"),
    ("outlier", "endpoints that do worse than the others are left out"),
    ("max_in_flight_per_endpoint", "attempts at an endpoint at once"),
)
"""The settings of a cluster that decide on an attempt, in the order in which they are asked."""

_SINGLE: Final = frozenset({"timeout", "per_try_timeout", "recovered_after"})
_ATOMIC: Final = frozenset({"google.protobuf.Duration", "google.protobuf.Value"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One number, with where it comes from."""

    name: str
    """Path within the policy, such as `retry.backoff.initial`."""
    value: Plain
    source: str
    """The policy that says it; `preset NAME` or `default` when none does."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One mechanism that a call meets."""

    name: str
    purpose: str
    settings: tuple[Setting, ...]
    note: str = ""
    """What it means for this call; empty when there is nothing to add."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A route that the call does not take."""

    route: str
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a call gets. `route` is empty when none matches: the call is answered with UNIMPLEMENTED."""

    method: str
    route: str
    passed_over: tuple[PassedOver, ...]
    policy: str = ""
    line: tuple[str, ...] = ()
    """The policy, what it extends, and so on."""
    idempotent: str = ""
    """Why the call may be repeated; empty when it may not."""
    destinations: tuple[tuple[str, float], ...] = ()
    """Clusters with their shares, 0 to 1."""
    mechanisms: tuple[Mechanism, ...] = ()
    clusters: tuple[tuple[str, tuple[Mechanism, ...]], ...] = ()
    """What each attempt meets inside of those, in each of the destinations."""
    off: tuple[str, ...] = field(default=())
    """Mechanisms that the policy leaves off."""


class NotUsable(ValueError):
    """The document has mistakes; they are in `violations`."""


def explain(
    document: policy_pb2.PolicyDocument,
    method: str,
    metadata: Sequence[tuple[str, str]] = (),
    descriptors: DescriptorSource | None = None,
) -> Explanation:
    """Return what a call of `method` (`package.Service/Method`) with `metadata` gets.

    Raise NotUsable for a document with mistakes.
    """
    snapshot = compile_document(document, descriptors=descriptors).snapshot
    if snapshot is None:
        raise NotUsable("the document has mistakes")
    path = "/" + method.removeprefix("/")
    values: dict[bytes, list[bytes]] = {}
    for name, value in metadata:
        values.setdefault(name.encode(), []).append(value.encode())
    chosen, passed = _choose(snapshot, path, values)
    if chosen is None:
        return Explanation(path[1:], "", passed)
    lineage = resolve(document.policies, Report())[chosen.policy.name]
    messages = {name: document.policies[name] for name in lineage.chain if name in document.policies}
    idempotent = _idempotent(snapshot, chosen, path)
    mechanisms, off = _mechanisms(lineage, messages, chosen.policy, idempotent)
    return Explanation(
        path[1:],
        chosen.name,
        passed,
        chosen.policy.name,
        lineage.chain,
        idempotent,
        _destinations(chosen),
        mechanisms,
        tuple((name, _in_cluster(document, snapshot.clusters[name])) for name, _ in chosen.backends),
        off,
    )


# ------------------------------------------------------------------------------------------------- routes


def _choose(
    snapshot: Snapshot, path: str, metadata: Mapping[bytes, list[bytes]]
) -> tuple[Route | None, tuple[PassedOver, ...]]:
    candidates = RouteTable(snapshot.routes).candidates(path.encode())
    chosen = next((route for route in candidates if not _unmet(route, metadata)), None)
    passed = [
        PassedOver(route.name, _why_not(route, chosen, candidates, metadata))
        for route in snapshot.routes
        if route is not chosen
    ]
    return chosen, tuple(passed)


def _unmet(route: Route, metadata: Mapping[bytes, list[bytes]]) -> list[str]:
    return [
        f"{condition.name.decode()} is not {condition.value.decode()!r}"
        for condition in route.metadata
        if condition.value not in metadata.get(condition.name, ())
    ]


def _why_not(
    route: Route, chosen: Route | None, candidates: Sequence[Route], metadata: Mapping[bytes, list[bytes]]
) -> str:
    if route not in candidates:
        return f"it is for {_target(route)}"
    unmet = _unmet(route, metadata)
    if unmet:
        return "metadata: " + ", ".join(unmet)
    assert chosen is not None
    if _rank(route) != _rank(chosen):
        return f"{chosen.name} is for {_target(chosen)}, which is more specific than {_target(route)}"
    if len(route.metadata) != len(chosen.metadata):
        return f"{chosen.name} has more conditions on metadata"
    return f"{chosen.name} has the same conditions and comes first"


def _rank(route: Route) -> int:
    return bool(route.service) + bool(route.method)


def _target(route: Route) -> str:
    if route.method:
        return f"{route.service}/{route.method}"
    return route.service or "every service"


def _destinations(route: Route) -> tuple[tuple[str, float], ...]:
    total = route.backends[-1][1]
    found = []
    before = 0
    for cluster, upto in route.backends:
        found.append((cluster, (upto - before) / total))
        before = upto
    return tuple(found)


def _idempotent(snapshot: Snapshot, route: Route, path: str) -> str:
    if route.idempotent:
        return f"route {route.name} says so"
    info = snapshot.methods.get(path.encode())
    return "the method's descriptor says so" if info is not None and info.idempotent else ""


def _in_cluster(document: policy_pb2.PolicyDocument, spec: ClusterSpec) -> tuple[Mechanism, ...]:
    message = next(one for one in document.clusters if one.name == spec.name)
    fields = cast("Mapping[str, FieldDescriptor]", policy_pb2.Cluster.DESCRIPTOR.fields_by_name)
    found = []
    for name, purpose in CLUSTER_ORDER:
        if name == "outlier" and spec.outlier is None:
            continue
        settings = _settings(message, [(f"cluster {spec.name}", message)], fields[name])
        said = {setting.name for setting in settings}
        for path, read in _CLUSTER_DEFAULTS.get(name, ()):
            if path not in said:
                settings.append(Setting(path, read(spec), DEFAULT_SOURCE))
        # A message without settings says that something is on.
        settings = [one for one in settings if one.name != name or one.value != {}]
        if settings:
            found.append(Mechanism(name, purpose, tuple(settings), _cluster_note(name, spec)))
    return tuple(found)


def _cluster_note(name: str, spec: ClusterSpec) -> str:
    if name != "outlier" or spec.outlier is None:
        return ""
    if spec.dns is None and len(spec.endpoints) == 1:
        return "not here: one endpoint cannot be compared with others"
    return "watches only: it leaves nobody out" if spec.outlier.mode == outlier.SHADOW else ""


# ----------------------------------------------------------------------------------------------- settings


def _mechanisms(
    lineage: Lineage, own: Mapping[str, policy_pb2.Policy], policy: Policy, idempotent: str
) -> tuple[tuple[Mechanism, ...], tuple[str, ...]]:
    builtin = builtin_policies()
    line = [(name, own[name] if name in own else builtin[name]) for name in lineage.chain]
    found: list[Mechanism] = []
    off: list[str] = []
    fields = cast("Mapping[str, FieldDescriptor]", policy_pb2.Policy.DESCRIPTOR.fields_by_name)
    known = [name for name, _ in ORDER]
    # A setting that is newer than the list above is shown all the same, at the end.
    rest = [(name, "") for name in fields if name not in known and name != "extends"]
    for name, purpose in (*ORDER, *rest):
        settings = _settings(lineage.merged, [(who, message) for who, message in line], fields[name])
        if not settings:
            if name not in _SINGLE:
                off.append(name)
            continue
        said = {setting.name for setting in settings}
        settings += [
            one for one in _defaults(name, policy, _preset(lineage.merged, name)) if one.name not in said
        ]
        found.append(Mechanism(name, purpose, tuple(settings), _note(name, policy, idempotent)))
    return tuple(found), tuple(off)


def _settings(
    merged: Message, line: Sequence[tuple[str, Message]], descriptor: FieldDescriptor, prefix: str = ""
) -> list[Setting]:
    """Return what is set below one field, each with the nearest policy that sets it."""
    if not _is_set(merged, descriptor):
        return []
    name = prefix + descriptor.name
    sources = [(who, message) for who, message in line if _is_set(message, descriptor)]
    inner = descriptor.message_type
    if descriptor.is_repeated or inner is None or inner.full_name in _ATOMIC:
        value = getattr(merged, descriptor.name)
        return [Setting(name, field_to_plain(descriptor, value), sources[0][0])]
    value = getattr(merged, descriptor.name)
    parts = [(who, getattr(message, descriptor.name)) for who, message in sources]
    found: list[Setting] = []
    for one in inner.fields:
        found.extend(_settings(value, parts, one, name + "."))
    return found or [Setting(name, {}, sources[0][0])]


def _is_set(message: Message, descriptor: FieldDescriptor) -> bool:
    if descriptor.is_repeated:
        return len(getattr(message, descriptor.name)) > 0
    if descriptor.has_presence:
        return message.HasField(descriptor.name)
    return bool(getattr(message, descriptor.name) != descriptor.default_value)


def _preset(merged: policy_pb2.Policy, name: str) -> str:
    """Return the name of the preset that fills in what a policy does not say; empty without one."""
    if name != "retry" or not merged.retry.preset:
        return ""
    descriptor = cast("FieldDescriptor", policy_pb2.Retry.DESCRIPTOR.fields_by_name["preset"])
    return str(field_to_plain(descriptor, merged.retry.preset))


def _defaults(name: str, policy: Policy, preset: str) -> list[Setting]:
    """Return the numbers of a mechanism that no policy says."""
    source = f"preset {preset}" if preset else DEFAULT_SOURCE
    return [Setting(f"{name}.{path}", read(policy), source) for path, read in _DEFAULTS.get(name, ())]


def _codes(mask: int) -> Plain:
    return [status.NAMES[code] for code in range(status.MAX_CODE + 1) if mask >> code & 1]


def _time(seconds: float) -> str:
    return "none" if isinf(seconds) else format_duration(round(seconds * NANOS_PER_SECOND))


def _breaker(read: Callable[[BreakerOptions], Plain]) -> Callable[[Policy], Plain]:
    return lambda policy: None if policy.breaker is None else read(policy.breaker)


_DEFAULTS: Final[dict[str, tuple[tuple[str, Callable[[Policy], Plain]], ...]]] = {
    "retry": (
        ("max_attempts", lambda policy: policy.retry.max_attempts),
        ("codes", lambda policy: _codes(policy.retry.codes)),
        ("backoff.kind", lambda policy: retry.BACKOFF_NAMES[policy.retry.kind]),
        ("backoff.initial", lambda policy: _time(policy.retry.initial_s)),
        ("backoff.max", lambda policy: _time(policy.retry.max_s)),
        ("only_idempotent", lambda policy: policy.retry.only_idempotent),
    ),
    "breaker": (
        ("min_calls", _breaker(lambda options: options.min_calls)),
        ("failure_rate", _breaker(lambda options: f"{options.failure_rate:g}%")),
        ("failure_codes", _breaker(lambda options: _codes(options.failure_mask))),
        ("open_for", _breaker(lambda options: _time(options.open_for_s))),
        ("half_open_calls", _breaker(lambda options: options.half_open_calls)),
        ("success_threshold", _breaker(lambda options: options.success_threshold)),
    ),
}
"""The numbers that decide most, by mechanism."""


def _balance(balance: int) -> str:
    descriptor = cast("FieldDescriptor", policy_pb2.Cluster.DESCRIPTOR.fields_by_name["balance"])
    return str(field_to_plain(descriptor, balance))


def _outlier(read: Callable[[OutlierOptions], Plain]) -> Callable[[ClusterSpec], Plain]:
    return lambda spec: None if spec.outlier is None else read(spec.outlier)


_CLUSTER_DEFAULTS: Final[dict[str, tuple[tuple[str, Callable[[ClusterSpec], Plain]], ...]]] = {
    "max_in_flight": (("max_in_flight", lambda spec: spec.max_in_flight),),
    "balance": (("balance", lambda spec: _balance(spec.balance)),),
    "outlier": (
        ("outlier.mode", _outlier(lambda options: outlier.MODE_NAMES[options.mode])),
        ("outlier.consecutive", _outlier(lambda options: options.consecutive)),
        ("outlier.failure_share.share", _outlier(lambda options: f"{options.failure_share.share * 100:g}%")),
        ("outlier.latency.mode", _outlier(lambda options: outlier.MODE_NAMES[options.latency.mode])),
        ("outlier.ejection", _outlier(lambda options: _time(options.ejection_s))),
        ("outlier.max_ejected", _outlier(lambda options: f"{options.max_ejected * 100:g}%")),
    ),
}


_NOT_REPEATED: Final = "not for this call: nothing says that it may be repeated"


def _note(name: str, policy: Policy, idempotent: str) -> str:
    if name == "hedge" and policy.hedge is not None:
        if policy.hedge.only_idempotent and not idempotent:
            return _NOT_REPEATED
        return "counts only: it sends nothing" if policy.hedge.mode == hedge.SHADOW else ""
    if name == "limit" and policy.limit is not None and policy.limit.mode == limits.SHADOW:
        return "counts only: it refuses nothing"
    if name == "rate_limit" and policy.rate_limit is not None and policy.rate_limit.mode == rate.SHADOW:
        return "counts only: it refuses nothing"
    if name == "retry":
        if policy.retry.max_attempts <= 1:
            return "one attempt only"
        if policy.retry.only_idempotent and not idempotent:
            return _NOT_REPEATED
        why = f" ({idempotent})" if idempotent else ""
        return f"this call may be repeated{why}"
    if name == "breaker" and policy.breaker is not None:
        shadow = policy.breaker.mode == SHADOW
        return "watches only: it rejects nothing" if shadow else ""
    if name == "fault" and policy.fault is not None and policy.fault.metadata:
        return "only for calls with the metadata that it names"
    return ""
