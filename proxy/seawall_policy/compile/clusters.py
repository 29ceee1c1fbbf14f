"""Reading clusters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy.compile import codes
from seawall_policy.compile.addresses import address_mistake
from seawall_policy.compile.members import (
    read_hash,
    read_health_check,
    read_panic_threshold,
    read_slow_start,
    read_target,
    read_traits,
)
from seawall_policy.compile.outliers import read_outlier, read_per_endpoint
from seawall_policy.compile.scope import Scope
from seawall_policy.compile.tls import authority_host, read_cluster_tls
from seawall_policy.model import BALANCE_ROUND_ROBIN, ClusterSpec
from seawall_policy.suggest import quoted
from seawall_policy.transport import (
    KEEPALIVE_S,
    KEEPALIVE_TIMEOUT_S,
    MAX_CONNECTIONS,
    NO_LIMIT,
    ClientTls,
    ConnectionOptions,
)

MAX_CLUSTERS: Final = 2_000
MAX_ENDPOINTS: Final = 1_000

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,127}", re.ASCII)
_AUTHORITY: Final = re.compile(r"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]{1,255}", re.ASCII)
_WILDCARDS: Final = ("0.0.0.0", "[::]")  # noqa: S104
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


def check_name(scope: Scope, name: str, what: str) -> bool:
    """Report a missing or malformed name; return whether it can be used."""
    if not name:
        (scope / "name").error(
            codes.MISSING, f"every {what} needs a name, unique in the document; add `name: ...`"
        )
        return False
    if not _NAME.fullmatch(name):
        (scope / "name").error(
            codes.BAD_NAME,
            f"{quoted(name)} is no name; use letters, digits, `_`, `-`, `.` and `/`, at most 128",
        )
        return False
    return True


def check_unique(scope: Scope, name: str, seen: set[str], what: str) -> None:
    """Report a name that was there before."""
    if name in seen:
        (scope / "name").error(
            codes.DUPLICATE_NAME, f"there is already a {what} named {quoted(name)}; rename one of them"
        )
    seen.add(name)


def read_clusters(
    scope: Scope, clusters: Iterable[policy_pb2.Cluster], listeners: frozenset[str]
) -> dict[str, ClusterSpec]:
    """Return the clusters by name, those with mistakes too, so that references to them are no further
    mistakes.
    """
    found: dict[str, ClusterSpec] = {}
    names: set[str] = set()
    for index, cluster in enumerate(clusters):
        place = scope.at(index)
        if index >= MAX_CLUSTERS:
            scope.error(codes.TOO_MANY, f"at most {MAX_CLUSTERS} clusters are allowed")
            break
        if check_name(place, cluster.name, "cluster"):
            check_unique(place, cluster.name, names, "cluster")
        found.setdefault(cluster.name, _read_cluster(place, cluster, listeners))
    found.pop("", None)
    return found


def _read_cluster(scope: Scope, cluster: policy_pb2.Cluster, listeners: frozenset[str]) -> ClusterSpec:
    if cluster.authority and not _AUTHORITY.fullmatch(cluster.authority):
        (scope / "authority").error(
            codes.BAD_ADDRESS,
            f"{quoted(cluster.authority)} is no authority; write a host name, with a port if needed",
        )
    dns = read_target(scope, cluster)
    max_in_flight = (scope / "max_in_flight").integer(
        cluster.max_in_flight if cluster.HasField("max_in_flight") else None, 1, 1_000_000, 1024
    )
    return ClusterSpec(
        cluster.name,
        _read_endpoints(scope / "endpoints", cluster, listeners),
        (scope / "balance").choice(cluster.balance, policy_pb2.Balance.values(), BALANCE_ROUND_ROBIN),
        max_in_flight,
        (scope / "connect_timeout").duration(
            cluster.connect_timeout if cluster.HasField("connect_timeout") else None, "10ms", "5m", 5.0
        ),
        cluster.authority.encode("ascii", "replace"),
        _read_tls(scope / "tls", cluster, "" if dns is None else dns.host),
        _read_connection(scope / "connection", cluster.connection),
        read_traits(scope / "endpoints", cluster),
        dns,
        read_health_check(scope / "health_check", cluster),
        read_slow_start(scope / "slow_start", cluster),
        read_panic_threshold(scope / "panic_threshold", cluster),
        read_hash(scope / "hash", cluster),
        read_outlier(scope / "outlier", cluster),
        read_per_endpoint(scope / "max_in_flight_per_endpoint", cluster, max_in_flight),
    )


def _read_tls(scope: Scope, cluster: policy_pb2.Cluster, found_by: str) -> ClientTls | None:
    if not cluster.HasField("tls"):
        return None
    return read_cluster_tls(scope, cluster.tls, authority_host(cluster.authority) or found_by)


def _read_connection(scope: Scope, settings: policy_pb2.ClusterConnection) -> ConnectionOptions:
    return ConnectionOptions(
        (scope / "keepalive_interval").duration(
            settings.keepalive_interval if settings.HasField("keepalive_interval") else None,
            "1s",
            "1h",
            KEEPALIVE_S,
        ),
        (scope / "keepalive_timeout").duration(
            settings.keepalive_timeout if settings.HasField("keepalive_timeout") else None,
            "1s",
            "5m",
            KEEPALIVE_TIMEOUT_S,
        ),
        (scope / "idle_timeout").duration(
            settings.idle_timeout if settings.HasField("idle_timeout") else None, "1s", "24h", NO_LIMIT
        ),
        (scope / "max_connections").integer(
            settings.max_connections if settings.HasField("max_connections") else None,
            1,
            100,
            MAX_CONNECTIONS,
        ),
        (scope / "max_age").duration(
            settings.max_age if settings.HasField("max_age") else None, "1s", "24h", NO_LIMIT
        ),
    )


def _read_endpoints(scope: Scope, cluster: policy_pb2.Cluster, listeners: frozenset[str]) -> tuple[str, ...]:
    if not cluster.endpoints and not cluster.target:
        scope.error(
            codes.MISSING,
            'a cluster needs at least one endpoint; add `endpoints: ["127.0.0.1:50051"]`, '
            "or `target: dns:///host:port`",
        )
    if len(cluster.endpoints) > MAX_ENDPOINTS:
        scope.error(
            codes.TOO_MANY, f"has {len(cluster.endpoints)} endpoints; at most {MAX_ENDPOINTS} are allowed"
        )
    addresses: dict[str, None] = {}
    for index, endpoint in enumerate(cluster.endpoints[:MAX_ENDPOINTS]):
        place = scope.at(index)
        mistake = address_mistake(endpoint.address, lowest_port=1, unix=True)
        if mistake:
            place.error(codes.BAD_ADDRESS, f"{quoted(endpoint.address)} {mistake}")
        elif endpoint.address in addresses:
            place.warn(codes.REPEATED, f"{endpoint.address} is already in the list; remove it")
        elif _is_own(endpoint.address, listeners):
            place.warn(
                codes.SENDS_TO_ITSELF,
                f"{endpoint.address} is a listener of this proxy: calls would go round for ever",
            )
        addresses[endpoint.address] = None
    return tuple(addresses)


def _is_own(address: str, listeners: frozenset[str]) -> bool:
    if address in listeners:
        return True
    host, _, port = address.rpartition(":")
    return host.casefold() in _LOOPBACK and any(
        f"{other}:{port}" in listeners for other in (*_WILDCARDS, *_LOOPBACK)
    )
