"""A compiled policy document: immutable values that the data path reads for every call.

`compile` builds these from a `seawall.v1.PolicyDocument`; nothing here is ever changed afterwards, so a call
keeps the snapshot that it was born with while a newer one is already in use. Times are seconds, sizes are
bytes, sets of status codes are bit masks (bit n = code n).
"""

from __future__ import annotations

from typing import Final

from seawall_policy.balance.levels import PANIC_THRESHOLD
from seawall_policy.balance.slow_start import SlowStart
from seawall_policy.breaker import BreakerOptions
from seawall_policy.classify import Classifier
from seawall_policy.deadline import DeadlineOptions
from seawall_policy.degradation import RECOVERED_AFTER
from seawall_policy.fault import FaultOptions
from seawall_policy.header_change import HeaderChange
from seawall_policy.health import HealthOptions
from seawall_policy.hedge import HedgeOptions
from seawall_policy.journal import IdempotencyOptions
from seawall_policy.last_good import LastGoodOptions
from seawall_policy.limit.options import LimitOptions
from seawall_policy.members import PLAIN, DnsTarget, EndpointTraits, HashOptions
from seawall_policy.outlier.options import OutlierOptions
from seawall_policy.rate import RateLimitOptions
from seawall_policy.retry import RetryOptions
from seawall_policy.transport import ClientTls, ConnectionOptions

BALANCE_ROUND_ROBIN: Final = 1
BALANCE_LEAST_REQUEST: Final = 2
BALANCE_RANDOM: Final = 3
BALANCE_PEAK_EWMA: Final = 4
BALANCE_RING_HASH: Final = 5

ANY_FAILURE: Final = 0x1FFFE
"""Mask of every status code but OK."""


class StaticAnswer:
    """A fixed response: framed message bytes for each method path that the JSON text fits."""

    def __init__(self, json_text: str, payloads: dict[bytes, bytes]) -> None:
        self.json_text: str = json_text
        self.payloads: dict[bytes, bytes] = payloads


ENFORCE: Final = 1
SHADOW: Final = 2
"""Counts what it would have done, and does nothing."""
OFF: Final = 3


class FallbackStep:
    """One entry of a policy's fallback list: when it applies, and what it answers with.

    Exactly one of these: a cluster or a method (or both: that method of that cluster), a static answer, the
    last good answer, an empty one.
    """

    def __init__(
        self,
        codes: int,
        reasons: frozenset[str],
        cluster: str,
        static: StaticAnswer | None,
        method: bytes = b"",
        last_good: LastGoodOptions | None = None,
        empty: bool = False,
        mode: int = ENFORCE,
    ) -> None:
        self.codes: int = codes
        self.reasons: frozenset[str] = reasons
        self.cluster: str = cluster
        """Name of a cluster; empty with a method means the route's own."""
        self.static: StaticAnswer | None = static
        self.method: bytes = method
        """Path of the method to call instead; empty for the method that was called."""
        self.last_good: LastGoodOptions | None = last_good
        self.empty: bool = empty
        self.mode: int = mode
        """ENFORCE, SHADOW or OFF."""
        self.unfit: set[bytes] = set()
        """Paths of methods whose messages are not those of `method`; filled in by the compiler."""

    def kind(self) -> str:
        """Return what this entry answers with, as statistics call it."""
        if self.static is not None:
            return "static"
        if self.last_good is not None:
            return "last_good"
        if self.empty:
            return "empty"
        return "cluster" if self.method == b"" else "method"

    def applies(self, code: int, reason: str) -> bool:
        """Tell whether this entry answers a failure with status `code` and local `reason` (empty: from
        upstream).
        """
        return (self.codes >> code) & 1 == 1 or (reason != "" and reason in self.reasons)


class Policy:
    """What is done for the calls of a route."""

    def __init__(  # noqa: PLR0913, PLR0917 - a record
        self,
        name: str,
        timeout_s: float,
        per_try_timeout_s: float,
        retry: RetryOptions,
        breaker: BreakerOptions | None,
        fallback: tuple[FallbackStep, ...],
        classifier: Classifier,
        deadline: DeadlineOptions | None = None,
        hedge: HedgeOptions | None = None,
        idempotency: IdempotencyOptions | None = None,
        recovered_after: int = RECOVERED_AFTER,
        fault: FaultOptions | None = None,
        limit: LimitOptions | None = None,
        rate_limit: RateLimitOptions | None = None,
    ) -> None:
        self.name: str = name
        self.timeout_s: float = timeout_s
        """Total time of a call; infinity when unlimited."""
        self.per_try_timeout_s: float = per_try_timeout_s
        """Time of one attempt; infinity when unlimited."""
        self.retry: RetryOptions = retry
        self.breaker: BreakerOptions | None = breaker
        self.fallback: tuple[FallbackStep, ...] = fallback
        self.classifier: Classifier = classifier
        self.deadline: DeadlineOptions | None = deadline
        """How the time of a call is spent; None: as its timeouts say, and nothing more."""
        self.hedge: HedgeOptions | None = hedge
        """None: no hedging."""
        self.idempotency: IdempotencyOptions | None = idempotency
        """None: keys are metadata like any other."""
        self.recovered_after: int = recovered_after
        """Successes in a row that end a degradation."""
        self.fault: FaultOptions | None = fault
        """What is broken on purpose; None for nothing."""
        self.limit: LimitOptions | None = limit
        """None: any number of calls may be at work."""
        self.rate_limit: RateLimitOptions | None = rate_limit
        """None: any number of calls may come."""


class MetadataCondition:
    """One metadata key that must carry one exact value."""

    def __init__(self, name: bytes, value: bytes) -> None:
        self.name: bytes = name
        self.value: bytes = value


class MirrorTarget:
    """A cluster that gets a copy of a share of a route's calls."""

    def __init__(self, cluster: str, share: float) -> None:
        self.cluster: str = cluster
        self.share: float = share
        """0 to 1."""


class Route:
    """Which calls go where, under which policy."""

    def __init__(  # noqa: PLR0913, PLR0917 - a record
        self,
        name: str,
        service: str,
        method: str,
        metadata: tuple[MetadataCondition, ...],
        backends: tuple[tuple[str, int], ...],
        policy: Policy,
        idempotent: bool,
        request_headers: HeaderChange | None = None,
        response_headers: HeaderChange | None = None,
        mirrors: tuple[MirrorTarget, ...] = (),
        shadow: Policy | None = None,
        optional: bool = False,
    ) -> None:
        self.name: str = name
        self.service: str = service
        self.method: str = method
        self.metadata: tuple[MetadataCondition, ...] = metadata
        self.backends: tuple[tuple[str, int], ...] = backends
        """Cluster names with cumulative weights: the last one is the total."""
        self.policy: Policy = policy
        self.idempotent: bool = idempotent
        self.request_headers: HeaderChange | None = request_headers
        """Of every attempt; None changes nothing."""
        self.response_headers: HeaderChange | None = response_headers
        """Of initial metadata, and of a response that is nothing but a status."""
        self.mirrors: tuple[MirrorTarget, ...] = mirrors
        self.shadow: Policy | None = shadow
        """Tried beside `policy` without effect; None for none."""
        self.optional: bool = optional
        """Its calls are refused first when the limit is nearly reached."""


class ClusterSpec:
    """Interchangeable endpoints."""

    def __init__(  # noqa: PLR0913, PLR0917 - a record
        self,
        name: str,
        endpoints: tuple[str, ...],
        balance: int,
        max_in_flight: int,
        connect_timeout_s: float,
        authority: bytes,
        tls: ClientTls | None = None,
        connection: ConnectionOptions | None = None,
        traits: dict[str, EndpointTraits] | None = None,
        dns: DnsTarget | None = None,
        health_check: HealthOptions | None = None,
        slow_start: SlowStart | None = None,
        panic_threshold: float = PANIC_THRESHOLD,
        hashing: HashOptions | None = None,
        outlier: OutlierOptions | None = None,
        max_in_flight_per_endpoint: int = 0,
    ) -> None:
        self.name: str = name
        self.endpoints: tuple[str, ...] = endpoints
        """`host:port` each, in the order of the document."""
        self.balance: int = balance
        self.max_in_flight: int = max_in_flight
        self.connect_timeout_s: float = connect_timeout_s
        self.authority: bytes = authority
        """Replaces the client's :authority; empty keeps it."""
        self.tls: ClientTls | None = tls
        """None: plaintext."""
        self.connection: ConnectionOptions = ConnectionOptions() if connection is None else connection
        self.traits: dict[str, EndpointTraits] = {} if traits is None else traits
        """By address, of those that have any."""
        self.dns: DnsTarget | None = dns
        """Where the endpoints are found; None: `endpoints` has them."""
        self.health_check: HealthOptions | None = health_check
        self.slow_start: SlowStart | None = slow_start
        self.panic_threshold: float = panic_threshold
        """0 to 1; 0 turns panic off."""
        self.hashing: HashOptions | None = hashing
        self.outlier: OutlierOptions | None = outlier
        """How endpoints are compared; None: not at all."""
        self.max_in_flight_per_endpoint: int = max_in_flight_per_endpoint
        """0 is unlimited."""

    def traits_of(self, address: str) -> EndpointTraits:
        """Return what is said of an endpoint beside its address."""
        return self.traits.get(address, PLAIN)


class MethodInfo:
    """What a descriptor says about a method."""

    def __init__(self, client_streaming: bool, server_streaming: bool, idempotent: bool) -> None:
        self.client_streaming: bool = client_streaming
        self.server_streaming: bool = server_streaming
        self.idempotent: bool = idempotent
        """`idempotency_level` is IDEMPOTENT or NO_SIDE_EFFECTS."""


class Snapshot:
    """A whole compiled document."""

    def __init__(
        self,
        revision: int,
        digest: str,
        routes: tuple[Route, ...],
        clusters: dict[str, ClusterSpec],
        methods: dict[bytes, MethodInfo],
    ) -> None:
        self.revision: int = revision
        """Control-plane revision; 0 for a document from a file."""
        self.digest: str = digest
        """SHA-256 of the document in hexadecimal."""
        self.routes: tuple[Route, ...] = routes
        """In the order of the document."""
        self.clusters: dict[str, ClusterSpec] = clusters
        self.methods: dict[bytes, MethodInfo] = methods
        """By path, `/package.Service/Method`; empty without descriptors."""
