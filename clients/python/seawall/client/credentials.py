"""How a client proves who it is, and how it knows whom it talks to.

What is not said comes from the environment: SEAWALL_TOKEN or SEAWALL_TOKEN_FILE, SEAWALL_CA_FILE,
SEAWALL_CERT_FILE and SEAWALL_KEY_FILE, SEAWALL_TLS=1.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import grpc

from seawall.errors import BadCredentials

MAX_FILE_BYTES: Final = 1 << 20
_LOCAL: Final = frozenset({"localhost", "ip6-localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a connection to a control plane is made with. Files are read when the client is made."""

    token: str = field(default="", repr=False)
    """API token, `sw_...`; see `seawall tokens create`."""
    tls: bool = False
    """Speak TLS; so it is with any of the files too."""
    ca_file: str = ""
    """PEM file of the authorities that may vouch for the control plane; default: the system's."""
    cert_file: str = ""
    """PEM file of the client's own certificate chain, for a control plane that asks for one."""
    key_file: str = ""
    """Its private key."""
    server_name: str = ""
    """Name that the control plane's certificate is for, when it is not the target's host."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read SEAWALL_* variables. Raise `BadCredentials` for a token file that cannot be read."""
        found = os.environ if environment is None else environment
        token = found.get("SEAWALL_TOKEN", "")
        if not token and (path := found.get("SEAWALL_TOKEN_FILE", "")):
            token = read_token(path)
        return cls(
            token=token.strip(),
            tls=found.get("SEAWALL_TLS", "") not in {"", "0", "false"},
            ca_file=found.get("SEAWALL_CA_FILE", ""),
            cert_file=found.get("SEAWALL_CERT_FILE", ""),
            key_file=found.get("SEAWALL_KEY_FILE", ""),
        )

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return bool(self.tls or self.ca_file or self.cert_file or self.key_file or self.server_name)

    def channel_credentials(self) -> grpc.ChannelCredentials | None:
        """Return what a channel takes; None for plaintext. Raise `BadCredentials` for files that cannot be
        used.
        """
        if not self.uses_tls:
            return None
        if bool(self.cert_file) != bool(self.key_file):
            raise BadCredentials("a client certificate takes both files, --cert and --key")
        return grpc.ssl_channel_credentials(
            root_certificates=_read(self.ca_file) if self.ca_file else None,
            private_key=_read(self.key_file) if self.key_file else None,
            certificate_chain=_read(self.cert_file) if self.cert_file else None,
        )

    def channel_options(self) -> list[tuple[str, str | int]]:
        """Return options of the channel."""
        return [("grpc.ssl_target_name_override", self.server_name)] if self.server_name else []

    def metadata(self, target: str) -> tuple[tuple[str, str], ...]:
        """Return what every call carries. Raise `BadCredentials` rather than send a token to another machine
        for everybody on the way to read.
        """
        if not self.token:
            return ()
        if not self.token.isascii() or not self.token.isprintable() or " " in self.token:
            raise BadCredentials("the token holds characters that no token has; copy it again")
        if not self.uses_tls and not is_local(target):
            raise BadCredentials(
                f"a token is not sent to {target} in plaintext: whoever is on the way could use it. "
                "Connect with TLS (--ca-file FILE, or --tls where the system knows the authority)"
            )
        return (("authorization", f"Bearer {self.token}"),)


def read_token(path: str | Path) -> str:
    """Return the token in a file. Raise `BadCredentials` for one that cannot be read or holds none: without
    a token a call is one of the local user's, who may do everything.
    """
    token = _read(str(path)).decode("utf-8", "replace").strip()
    if not token:
        raise BadCredentials(f"{path} is empty; it has to hold the token")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise BadCredentials(
            f"{path} holds no token; it has to hold that alone, as `seawall tokens create` wrote it"
        )
    return token


def is_local(target: str) -> bool:
    """Tell whether a gRPC target is on this machine."""
    if target.startswith("unix:"):
        return True
    host = target.rpartition("/")[2].rpartition(":")[0].strip("[]")
    if host in _LOCAL:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(path: str) -> bytes:
    try:
        with Path(path).expanduser().open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise BadCredentials(f"{path} cannot be read: {error.strerror or error}") from error
