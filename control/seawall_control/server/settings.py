"""What the control plane is told at its start, and where it says that it listens."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seawall_control.access import AccessSettings
from seawall_control.domain.flood import FloodLimits
from seawall_control.domain.health import EventLimits
from seawall_control.domain.retention import Keeping
from seawall_control.services.alerting.channels.addresses import Network


def version() -> str:
    """Return the version of this installation."""
    try:
        return importlib.metadata.version("seawall")
    except importlib.metadata.PackageNotFoundError:
        return "0+source"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """What the control plane is told at its start."""

    data_dir: Path = field(default_factory=lambda: Path(".seawall"))
    """Directory of the store; created, readable by its owner only."""
    store_url: str = field(default="", repr=False)
    """`postgresql://…` keeps the store in a database instead, which several control planes may share. It may
    hold a password, so it is not shown.
    """
    grpc_address: str = "127.0.0.1:9090"
    """`host:port`; port 0 picks a free one."""
    http_address: str = "127.0.0.1:9091"
    http_origins: frozenset[str] = frozenset()
    """Origins of other sites whose pages may use the HTTP API."""
    hooks: Mapping[str, str] = field(default_factory=dict)
    """Commands that runbooks may run, by the name that they call them."""
    access: AccessSettings = field(default_factory=AccessSettings)
    """Who may call, with which credentials, on which listeners."""
    keeping: Keeping = field(default_factory=Keeping)
    """How long things are kept."""
    flood: FloodLimits = field(default_factory=FloodLimits)
    """How much of a group of events is stored."""
    event_limits: EventLimits = field(default_factory=EventLimits)
    """How many events are well."""
    stats_interval_s: float = 1.0
    """How often proxies report statistics."""
    stream_age_s: float = 1800.0
    """After how long a proxy is made to connect anew, give or take a tenth, so that proxies spread over
    control planes that were added; 0: never.
    """
    grace_s: float = 5.0
    """How long running requests may take to finish at the end."""
    alert_networks: tuple[Network, ...] = ()
    """Networks that alert channels may reach though they are not of the internet; also without TLS."""
    alert_ca_file: str = ""
    """Certificates of authorities that alert channels trust; empty: those of the system."""
    alert_apprise: bool = False
    """Whether alert channels of the kind apprise send; they may reach any network."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the control plane listens."""

    grpc: str
    http: str
    proxy_grpc: str = ""
    """Empty: proxies connect where everybody does."""
    secure: bool = False
    """Whether gRPC and HTTP speak TLS."""
