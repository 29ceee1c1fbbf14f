"""What a policy document says about the members of a cluster, and where they are found."""

from __future__ import annotations

from typing import Final

from seawall_policy.balance.ring_hash import MAX_RING, MIN_RING

MAX_MEMBERS: Final = 1_000
"""Most endpoints of a cluster, written down or found."""
DNS_INTERVAL_S: Final = 30.0
"""gRPC's DNS resolver looks names up again at most every 30 s; here it is also the rhythm."""
DNS_MIN_INTERVAL_S: Final = 1.0
DNS_TIMEOUT_S: Final = 5.0
DNS_JITTER: Final = 0.1


class EndpointTraits:
    """What sets one endpoint apart from the others."""

    def __init__(self, weight: int = 1, zone: str = "", priority: int = 0) -> None:
        self.weight: int = weight
        self.zone: str = zone
        self.priority: int = priority
        """0 comes first."""

    def key(self) -> tuple[int, str, int]:
        """Return what two equal ones have in common."""
        return (self.weight, self.zone, self.priority)


class DnsTarget:
    """A name whose addresses are the endpoints."""

    def __init__(
        self,
        host: str,
        port: int,
        interval_s: float = DNS_INTERVAL_S,
        min_interval_s: float = DNS_MIN_INTERVAL_S,
        timeout_s: float = DNS_TIMEOUT_S,
    ) -> None:
        self.host: str = host
        """A name, or an address without brackets."""
        self.port: int = port
        self.interval_s: float = interval_s
        self.min_interval_s: float = min_interval_s
        """Between lookups that lost or failing connections ask for."""
        self.timeout_s: float = timeout_s

    def key(self) -> tuple[str, int, float, float, float]:
        """Return what two equal ones have in common."""
        return (self.host, self.port, self.interval_s, self.min_interval_s, self.timeout_s)


class HashOptions:
    """What ring hashing goes by."""

    def __init__(self, metadata: bytes, min_ring: int = MIN_RING, max_ring: int = MAX_RING) -> None:
        self.metadata: bytes = metadata
        """Metadata key whose value decides."""
        self.min_ring: int = min_ring
        self.max_ring: int = max_ring

    def key(self) -> tuple[bytes, int, int]:
        """Return what two equal ones have in common."""
        return (self.metadata, self.min_ring, self.max_ring)


PLAIN: Final = EndpointTraits()
"""An endpoint of which the document says nothing but the address."""
