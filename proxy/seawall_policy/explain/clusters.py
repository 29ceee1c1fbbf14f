"""The mechanisms of a cluster, which decide on each attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from seawall.v1 import policy_pb2
from seawall_policy.explain.explanation import DEFAULT_SOURCE, InCluster, Mechanism, Setting
from seawall_policy.explain.settings import enum_name, filled, percent, said, time
from seawall_policy.outlier import options as outlier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.descriptor import FieldDescriptor

    from seawall_policy.compile.friendly import Plain
    from seawall_policy.health import HealthOptions
    from seawall_policy.model import ClusterSpec, Route, Snapshot
    from seawall_policy.outlier.options import OutlierOptions

CLUSTER_ORDER: Final[tuple[tuple[str, str], ...]] = (
    ("max_in_flight", "attempts at the cluster at once"),
    ("health_check", "endpoints that say they are not well are left out"),
    ("panic_threshold", "when so few are well, what they say is ignored"),
    ("outlier", "endpoints that do worse than the others are left out"),
    ("balance", "which endpoint is asked"),
    ("hash", "what the endpoint is chosen by"),
    ("slow_start", "endpoints that are new get little at first"),
    ("max_in_flight_per_endpoint", "attempts at an endpoint at once"),
    ("connect_timeout", "the time to get a connection"),
)
"""The settings of a cluster that decide on an attempt, in the order in which they are asked."""

WHERE_IT_IS: Final = frozenset({"name", "endpoints", "authority", "tls", "target", "dns", "connection"})
"""The other settings of a cluster: where its endpoints are, and how connections to them are kept."""


def in_clusters(
    document: policy_pb2.PolicyDocument, snapshot: Snapshot, route: Route
) -> tuple[InCluster, ...]:
    """Return what attempts meet in each cluster of a route, those of its fallbacks last."""
    messages = {one.name: one for one in document.clusters}
    own = [name for name, _ in route.backends]
    others = dict.fromkeys(step.cluster for step in route.policy.fallback if step.cluster)
    found = [InCluster(name, _mechanisms(messages[name], snapshot.clusters[name])) for name in own]
    found += [
        InCluster(name, _mechanisms(messages[name], snapshot.clusters[name]), fallback=True)
        for name in others
        if name not in own
    ]
    return tuple(found)


def _mechanisms(message: policy_pb2.Cluster, spec: ClusterSpec) -> tuple[Mechanism, ...]:
    fields = cast("Mapping[str, FieldDescriptor]", policy_pb2.Cluster.DESCRIPTOR.fields_by_name)
    found = []
    for name, purpose in CLUSTER_ORDER:
        told = said(message, [(f"cluster {spec.name}", message)], fields[name])
        numbers = [(path, read(spec)) for path, read in _DEFAULTS.get(name, ())]
        defaults = [Setting(path, value, DEFAULT_SOURCE) for path, value in numbers if value is not None]
        settings = filled(told, defaults, name)
        if settings:
            found.append(Mechanism(name, purpose, settings, _note(name, spec)))
    return tuple(found)


def _note(name: str, spec: ClusterSpec) -> str:
    if name != "outlier":
        return ""
    if spec.outlier is None:
        return "switched off"
    if spec.dns is None and len(spec.endpoints) == 1:
        return "not here: one endpoint cannot be compared with others"
    return "watches only: it leaves nobody out" if spec.outlier.mode == outlier.SHADOW else ""


def _balance(spec: ClusterSpec) -> str:
    return enum_name(policy_pb2.Cluster.DESCRIPTOR.fields_by_name["balance"], spec.balance)


def _health(read: Callable[[HealthOptions], Plain]) -> Callable[[ClusterSpec], Plain]:
    return lambda spec: None if spec.health_check is None else read(spec.health_check)


def _outlier(read: Callable[[OutlierOptions], Plain]) -> Callable[[ClusterSpec], Plain]:
    return lambda spec: None if spec.outlier is None else read(spec.outlier)


_DEFAULTS: Final[dict[str, tuple[tuple[str, Callable[[ClusterSpec], Plain]], ...]]] = {
    "max_in_flight": (("max_in_flight", lambda spec: spec.max_in_flight),),
    "health_check": (
        ("health_check.interval", _health(lambda options: time(options.interval_s))),
        ("health_check.timeout", _health(lambda options: time(options.timeout_s))),
        ("health_check.unhealthy_after", _health(lambda options: options.unhealthy_after)),
        ("health_check.healthy_after", _health(lambda options: options.healthy_after)),
    ),
    "panic_threshold": (
        (
            "panic_threshold",
            lambda spec: None if spec.health_check is None else percent(spec.panic_threshold * 100),
        ),
    ),
    "outlier": (
        ("outlier.mode", _outlier(lambda options: outlier.MODE_NAMES[options.mode])),
        ("outlier.consecutive", _outlier(lambda options: options.consecutive)),
        ("outlier.failure_share.share", _outlier(lambda options: percent(options.failure_share.share * 100))),
        ("outlier.latency.mode", _outlier(lambda options: outlier.MODE_NAMES[options.latency.mode])),
        ("outlier.ejection", _outlier(lambda options: time(options.ejection_s))),
        ("outlier.max_ejected", _outlier(lambda options: percent(options.max_ejected * 100))),
    ),
    "balance": (("balance", _balance),),
    "slow_start": (
        (
            "slow_start.min_weight",
            lambda spec: None if spec.slow_start is None else percent(spec.slow_start.min_weight * 100),
        ),
    ),
    "connect_timeout": (("connect_timeout", lambda spec: time(spec.connect_timeout_s)),),
}
"""The numbers that decide most, by mechanism; None where it is off."""
