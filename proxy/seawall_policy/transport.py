"""How connections are made and how long they live: what a policy document says about transports.

Values only; the files that TLS names are read by the runtime, which knows the folder that they are relative
to. Times are seconds, infinity where there is no limit.
"""

from __future__ import annotations

from typing import Final

from seawall_policy.listener_limits import DEFAULTS, ListenerLimits

NO_LIMIT: Final = float("inf")

KEEPALIVE_S: Final = 30.0
"""A connection with open streams is pinged this often (gRFC A8 gives the reasons, the numbers are ours)."""
KEEPALIVE_TIMEOUT_S: Final = 20.0
MAX_CONNECTIONS: Final = 8
MAX_AGE_JITTER: Final = 0.1
"""gRFC A9: a random jitter of +/-10 % is added to the age."""
IDLE_LIMIT_S: Final = 3600.0
"""How long a client may stay without any stream (Envoy: 1 h)."""
HANDSHAKE_LIMIT_S: Final = 10.0
"""Go's net/http gives a TLS handshake 10 s."""
PROXY_HEADER_LIMIT_S: Final = 5.0
SOCKET_MODE: Final = 0o660


class ClientTls:
    """TLS towards endpoints."""

    def __init__(self, ca_file: str, cert_file: str, key_file: str, server_name: str, verify: bool) -> None:
        self.ca_file: str = ca_file
        """Empty: the system's authorities."""
        self.cert_file: str = cert_file
        """Empty: no certificate of our own."""
        self.key_file: str = key_file
        self.server_name: str = server_name
        """Empty: the host of the endpoint's address."""
        self.verify: bool = verify

    def key(self) -> tuple[str, str, str, str, bool]:
        """Return what two equal settings have in common."""
        return (self.ca_file, self.cert_file, self.key_file, self.server_name, self.verify)


class ConnectionOptions:
    """The connections to one endpoint."""

    def __init__(
        self,
        keepalive_interval_s: float = KEEPALIVE_S,
        keepalive_timeout_s: float = KEEPALIVE_TIMEOUT_S,
        idle_timeout_s: float = NO_LIMIT,
        max_connections: int = MAX_CONNECTIONS,
        max_age_s: float = NO_LIMIT,
    ) -> None:
        self.keepalive_interval_s: float = keepalive_interval_s
        self.keepalive_timeout_s: float = keepalive_timeout_s
        self.idle_timeout_s: float = idle_timeout_s
        self.max_connections: int = max_connections
        self.max_age_s: float = max_age_s

    def key(self) -> tuple[float, float, float, int, float]:
        """Return what two equal settings have in common."""
        return (
            self.keepalive_interval_s,
            self.keepalive_timeout_s,
            self.idle_timeout_s,
            self.max_connections,
            self.max_age_s,
        )


class ServerCertificate:
    """A certificate of a listener's, and the names that it is used for."""

    def __init__(self, cert_file: str, key_file: str, server_names: tuple[str, ...]) -> None:
        self.cert_file: str = cert_file
        self.key_file: str = key_file
        self.server_names: tuple[str, ...] = server_names
        """In lower case; empty: the DNS names that it holds."""


class ServerTls:
    """TLS towards clients."""

    def __init__(
        self,
        certificates: tuple[ServerCertificate, ...],
        client_ca_file: str,
        handshake_timeout_s: float,
    ) -> None:
        self.certificates: tuple[ServerCertificate, ...] = certificates
        """The first one is for clients that name none of the others' names."""
        self.client_ca_file: str = client_ca_file
        """Empty: clients show no certificate."""
        self.handshake_timeout_s: float = handshake_timeout_s


class ProxyHeader:
    """The PROXY protocol that a listener requires."""

    def __init__(self, trusted: tuple[str, ...], timeout_s: float) -> None:
        self.trusted: tuple[str, ...] = trusted
        """Networks in CIDR notation; empty: everyone."""
        self.timeout_s: float = timeout_s


class Lifetime:
    """How long client connections live (gRFC A9)."""

    def __init__(
        self,
        max_age_s: float = NO_LIMIT,
        max_age_jitter: float = MAX_AGE_JITTER,
        max_age_grace_s: float = NO_LIMIT,
        idle_timeout_s: float = IDLE_LIMIT_S,
        max_requests: int = 0,
    ) -> None:
        self.max_age_s: float = max_age_s
        self.max_age_jitter: float = max_age_jitter
        self.max_age_grace_s: float = max_age_grace_s
        self.idle_timeout_s: float = idle_timeout_s
        self.max_requests: int = max_requests
        """0: unlimited."""

    @property
    def ages(self) -> bool:
        """Whether connections are ended for their age or their number of calls."""
        return self.max_age_s != NO_LIMIT or self.max_requests > 0


class ListenerSpec:
    """One address that calls are accepted on."""

    def __init__(
        self,
        name: str,
        address: str,
        tls: ServerTls | None = None,
        proxy_header: ProxyHeader | None = None,
        lifetime: Lifetime | None = None,
        socket_mode: int = SOCKET_MODE,
        limits: ListenerLimits = DEFAULTS,
    ) -> None:
        self.name: str = name
        self.address: str = address
        """`host:port` or `unix:///path`."""
        self.tls: ServerTls | None = tls
        self.proxy_header: ProxyHeader | None = proxy_header
        self.lifetime: Lifetime = Lifetime() if lifetime is None else lifetime
        self.socket_mode: int = socket_mode
        self.limits: ListenerLimits = limits


def unix_path(address: str) -> str:
    """Return the path of `unix:///path`; empty for any other address."""
    return address[7:] if address.startswith("unix:///") else ""
