"""Reading what a cluster says about its members: where they are found, how they differ, how they are checked
and chosen.
"""

from __future__ import annotations

import re
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy.balance import ring_hash, slow_start
from seawall_policy.balance.levels import PANIC_THRESHOLD
from seawall_policy.balance.slow_start import SlowStart
from seawall_policy.compile import codes
from seawall_policy.compile.addresses import address_mistake
from seawall_policy.compile.scope import Scope
from seawall_policy.health import (
    HEALTHY_AFTER,
    INTERVAL_S,
    JITTER,
    KIND_GRPC,
    TIMEOUT_S,
    UNHEALTHY_AFTER,
    HealthOptions,
)
from seawall_policy.members import (
    DNS_INTERVAL_S,
    DNS_MIN_INTERVAL_S,
    DNS_TIMEOUT_S,
    DnsTarget,
    EndpointTraits,
    HashOptions,
)
from seawall_policy.suggest import quoted

MAX_WEIGHT: Final = 1_000_000
MAX_PRIORITY: Final = 127
MAX_TEXT: Final = 255

_DNS: Final = "dns:///"
_KEY: Final = re.compile(r"[a-z0-9_.-]{1,255}", re.ASCII)
_WORD: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


def read_target(scope: Scope, cluster: policy_pb2.Cluster) -> DnsTarget | None:
    """Return the name whose addresses are the members; None without one, or after a report."""
    if not cluster.target:
        if cluster.HasField("dns"):
            (scope / "dns").warn(codes.NO_EFFECT, "nothing is looked up without `target: dns:///host:port`")
        return None
    place = scope / "target"
    if cluster.endpoints:
        place.error(codes.EXCLUSIVE, "a cluster has either a target or endpoints; remove one of them")
    address = cluster.target.removeprefix(_DNS)
    mistake = address_mistake(address, lowest_port=1)
    if not cluster.target.startswith(_DNS) or mistake:
        place.error(
            codes.BAD_ADDRESS, f"{quoted(cluster.target)} is no target; write dns:///host:port, such as "
            "dns:///shop:50051"
        )  # fmt: skip
        return None
    host, _, port = address.rpartition(":")
    settings = cluster.dns
    dns = scope / "dns"
    return DnsTarget(
        host.strip("[]"),
        int(port),
        (dns / "interval").duration(
            settings.interval if settings.HasField("interval") else None, "1s", "24h", DNS_INTERVAL_S
        ),
        (dns / "min_interval").duration(
            settings.min_interval if settings.HasField("min_interval") else None,
            "100ms",
            "24h",
            DNS_MIN_INTERVAL_S,
        ),
        (dns / "timeout").duration(
            settings.timeout if settings.HasField("timeout") else None, "10ms", "5m", DNS_TIMEOUT_S
        ),
    )


def read_traits(scope: Scope, cluster: policy_pb2.Cluster) -> dict[str, EndpointTraits]:
    """Return by address what is said of endpoints beside it."""
    found: dict[str, EndpointTraits] = {}
    for index, endpoint in enumerate(cluster.endpoints):
        place = scope.at(index)
        traits = EndpointTraits(
            (place / "weight").integer(
                endpoint.weight if endpoint.HasField("weight") else None, 1, MAX_WEIGHT, 1
            ),
            endpoint.zone,
            (place / "priority").integer(
                endpoint.priority if endpoint.HasField("priority") else None, 0, MAX_PRIORITY, 0
            ),
        )
        check_word(place / "zone", endpoint.zone, "zone")
        if traits.key() != (1, "", 0):
            found[endpoint.address] = traits
    return found


def check_word(scope: Scope, text: str, what: str) -> None:
    """Report a text that is no word of printable characters; none at all is no mistake."""
    if text and not _WORD.fullmatch(text):
        scope.error(
            codes.BAD_NAME, f"{quoted(text)} is no {what}; use at most {MAX_TEXT} printable characters"
        )


def read_health_check(scope: Scope, cluster: policy_pb2.Cluster) -> HealthOptions | None:
    """Return how endpoints are checked; None when they are not."""
    if not cluster.HasField("health_check"):
        return None
    own = cluster.health_check
    check_word(scope / "service", own.service, "service")
    kind = (scope / "kind").choice(own.kind, policy_pb2.HealthCheckKind.values(), KIND_GRPC)
    if kind != KIND_GRPC and (own.service or own.HasField("watch")):
        scope.warn(codes.NO_EFFECT, "only kind grpc asks for a service and watches")
    interval_s = (scope / "interval").duration(
        own.interval if own.HasField("interval") else None, "10ms", "1h", INTERVAL_S
    )
    return HealthOptions(
        kind,
        interval_s,
        (scope / "timeout").duration(
            own.timeout if own.HasField("timeout") else None, "1ms", "5m", TIMEOUT_S
        ),
        (scope / "unhealthy_after").integer(
            own.unhealthy_after if own.HasField("unhealthy_after") else None, 1, 100, UNHEALTHY_AFTER
        ),
        (scope / "healthy_after").integer(
            own.healthy_after if own.HasField("healthy_after") else None, 1, 100, HEALTHY_AFTER
        ),
        own.service,
        (scope / "jitter").number(own.jitter if own.HasField("jitter") else None, 0.0, 1.0, JITTER),
        (scope / "no_traffic_interval").duration(
            own.no_traffic_interval if own.HasField("no_traffic_interval") else None,
            "10ms",
            "24h",
            interval_s,
        ),
        own.watch if own.HasField("watch") else True,
    )


def read_slow_start(scope: Scope, cluster: policy_pb2.Cluster) -> SlowStart | None:
    """Return how endpoints warm up; None when they do not."""
    if not cluster.HasField("slow_start"):
        return None
    own = cluster.slow_start
    if cluster.balance == policy_pb2.BALANCE_RING_HASH:
        scope.warn(codes.NO_EFFECT, "ring_hash knows no slow start: a key's endpoint is its endpoint")
    return SlowStart(
        (scope / "window").duration(
            own.window if own.HasField("window") else None, "100ms", "1h", slow_start.WINDOW_S
        ),
        (scope / "aggression").number(
            own.aggression if own.HasField("aggression") else None,
            0.0,
            10.0,
            slow_start.AGGRESSION,
            above=True,
        ),
        (scope / "min_weight").number(
            own.min_weight if own.HasField("min_weight") else None,
            1.0,
            100.0,
            100.0 * slow_start.MIN_WEIGHT,
            unit="%",
        )
        / 100.0,
    )


def read_panic_threshold(scope: Scope, cluster: policy_pb2.Cluster) -> float:
    """Return the share, 0 to 1, of available endpoints below which health is ignored."""
    given = cluster.panic_threshold if cluster.HasField("panic_threshold") else None
    return scope.number(given, 0.0, 100.0, 100.0 * PANIC_THRESHOLD, unit="%") / 100.0


def read_hash(scope: Scope, cluster: policy_pb2.Cluster) -> HashOptions | None:
    """Return what ring_hash goes by; None for other ways of balancing."""
    wanted = cluster.balance == policy_pb2.BALANCE_RING_HASH
    if not cluster.HasField("hash"):
        if wanted:
            scope.error(codes.MISSING, "ring_hash needs to know by what; add `hash: {metadata: x-user}`")
        return None
    if not wanted:
        scope.warn(codes.NO_EFFECT, "only `balance: ring_hash` goes by it")
    own = cluster.hash
    key = own.metadata
    if not _KEY.fullmatch(key) or key.endswith("-bin") or key.startswith("grpc-"):
        (scope / "metadata").error(
            codes.BAD_METADATA,
            f"{quoted(key)} is no metadata key to go by; use lower case, not -bin and not grpc-",
        )
    most = ring_hash.MOST_POINTS
    max_ring = (scope / "max_ring").integer(
        own.max_ring if own.HasField("max_ring") else None, 1, most, ring_hash.MAX_RING
    )
    min_ring = (scope / "min_ring").integer(
        own.min_ring if own.HasField("min_ring") else None, 1, most, min(ring_hash.MIN_RING, max_ring)
    )
    if min_ring > max_ring:
        (scope / "min_ring").error(
            codes.OUT_OF_RANGE, f"{min_ring} is more than max_ring, which is {max_ring}; raise max_ring"
        )
    return HashOptions(key.encode("ascii", "replace"), min_ring, max_ring)
