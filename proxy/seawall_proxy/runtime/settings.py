"""What the proxy process is told at its start, beside the policy file."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

DEFAULT_ADMIN_ADDRESS: Final = "127.0.0.1:8081"
DEFAULT_DATA_DIR: Final = ".seawall"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """Start-up settings; what is None is taken from the policy file, then from the default."""

    config_path: Path
    """The policy file: listeners, and the policy until a control plane knows better."""
    admin_address: str | None = None
    """`host:port` of the admin HTTP; default 127.0.0.1:8081."""
    control_target: str | None = None
    """`host:port` of the control plane; empty string makes the proxy stand-alone whatever the file says."""
    node: str | None = None
    """This proxy's name in the fleet; default is the host name."""
    listen: str | None = None
    """`host:port` that replaces the address of the file's first listener."""
    data_dir: Path = field(default_factory=lambda: Path(os.environ.get("SEAWALL_DATA_DIR", DEFAULT_DATA_DIR)))
    """Where the last good policy and the event spool are kept."""
    log_format: str = "text"
    """`text` or `json`."""
    drain_grace_s: float = 5.0
    """Time between the two GOAWAYs of a drain: calls that are already on their way still get in."""
    drain_limit_s: float = 30.0
    """Most time that calls in flight get before they are cut off."""
    workers: str | None = None
    """Worker processes, a number or `auto`; default is what the policy file says, else one."""
