"""Reading listeners and clusters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy.compile import codes
from seawall_policy.compile.addresses import address_mistake
from seawall_policy.compile.scope import Scope
from seawall_policy.model import BALANCE_ROUND_ROBIN, ClusterSpec
from seawall_policy.suggest import quoted

MAX_CLUSTERS: Final = 2_000
MAX_ENDPOINTS: Final = 1_000
MAX_LISTENERS: Final = 64

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


def read_listeners(scope: Scope, listeners: Iterable[policy_pb2.Listener]) -> frozenset[str]:
    """Check where the proxy listens; return the addresses."""
    names: set[str] = set()
    addresses: set[str] = set()
    for index, listener in enumerate(listeners):
        place = scope.at(index)
        if index >= MAX_LISTENERS:
            scope.error(codes.TOO_MANY, f"at most {MAX_LISTENERS} listeners are allowed")
            break
        if check_name(place, listener.name, "listener"):
            check_unique(place, listener.name, names, "listener")
        mistake = address_mistake(listener.address, lowest_port=0)
        if mistake:
            (place / "address").error(codes.BAD_ADDRESS, f"{quoted(listener.address)} {mistake}")
        elif listener.address in addresses and not listener.address.endswith(":0"):
            (place / "address").error(
                codes.DUPLICATE_NAME,
                f"another listener already has the address {listener.address}; change one of them",
            )
        addresses.add(listener.address)
    return frozenset(addresses)


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
    return ClusterSpec(
        cluster.name,
        _read_endpoints(scope / "endpoints", cluster, listeners),
        (scope / "balance").choice(cluster.balance, policy_pb2.Balance.values(), BALANCE_ROUND_ROBIN),
        (scope / "max_in_flight").integer(
            cluster.max_in_flight if cluster.HasField("max_in_flight") else None, 1, 1_000_000, 1024
        ),
        (scope / "connect_timeout").duration(
            cluster.connect_timeout if cluster.HasField("connect_timeout") else None, "10ms", "5m", 5.0
        ),
        cluster.authority.encode("ascii", "replace"),
    )


def _read_endpoints(scope: Scope, cluster: policy_pb2.Cluster, listeners: frozenset[str]) -> tuple[str, ...]:
    if not cluster.endpoints:
        scope.error(
            codes.MISSING, 'a cluster needs at least one endpoint; add `endpoints: ["127.0.0.1:50051"]`'
        )
    if len(cluster.endpoints) > MAX_ENDPOINTS:
        scope.error(
            codes.TOO_MANY, f"has {len(cluster.endpoints)} endpoints; at most {MAX_ENDPOINTS} are allowed"
        )
    addresses: dict[str, None] = {}
    for index, endpoint in enumerate(cluster.endpoints[:MAX_ENDPOINTS]):
        place = scope.at(index)
        mistake = address_mistake(endpoint.address, lowest_port=1)
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
