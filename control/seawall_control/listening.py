"""Which listeners there are, with which TLS, and which are refused.

Up to three: gRPC for people and programs, gRPC for proxies (the same port unless it is given its own), HTTP.
One that other machines can reach speaks TLS, or the start is refused; `--insecure` is the way to say that
this is meant.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall_control.api.tls import FollowedTls, TlsFiles
from seawall_control.services.authorities import TRUSTED, Authorities
from seawall_control.services.edge import Clock
from seawall_control.services.server_certificate import ServerCertificate, default_names

AUTHORITY_FOLDER: Final = "authority"


class ListenRefused(Exception):
    """A listener is refused as it is wanted; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """TLS as it is wanted. Nothing said is plaintext."""

    own: bool = False
    """Serve certificates of the control plane's own authority."""
    names: tuple[str, ...] = ()
    """Names and addresses that these are for, beside those of this machine and of the listeners."""
    cert_file: Path | None = None
    """Certificate of the gRPC and HTTP listeners, instead."""
    key_file: Path | None = None
    client_ca_file: Path | None = None
    """Callers of gRPC and HTTP must show a certificate of this authority, beside their token."""
    proxy_cert_file: Path | None = None
    """Certificate of the proxies' listener; default is one of the own authority."""
    proxy_key_file: Path | None = None
    proxy_client_ca_file: Path | None = None
    """Authority of the proxies' certificates; default is the own one."""

    @property
    def serves(self) -> bool:
        """Whether gRPC and HTTP speak TLS."""
        return self.own or self.cert_file is not None

    @property
    def serves_proxies(self) -> bool:
        """Whether the proxies' listener speaks TLS."""
        return self.serves or self.proxy_cert_file is not None

    def mistakes(self) -> Iterator[str]:
        """Yield what does not fit together."""
        for cert, key, flags in (
            (self.cert_file, self.key_file, "--tls-cert and --tls-key"),
            (self.proxy_cert_file, self.proxy_key_file, "--proxy-tls-cert and --proxy-tls-key"),
        ):
            if (cert is None) != (key is None):
                yield f"give both {flags}"
        if self.own and self.cert_file is not None:
            yield "--tls serves the control plane's own certificate, --tls-cert another; choose"
        if self.client_ca_file is not None and not self.serves:
            yield "--tls-client-ca needs --tls, or --tls-cert and --tls-key"
        if self.proxy_client_ca_file is not None and not self.serves_proxies:
            yield "--proxy-tls-client-ca needs --tls, or certificates"


def is_exposed(address: str) -> bool:
    """Tell whether other machines can reach a listener at `host:port`."""
    host = address.rpartition(":")[0].strip("[]")
    if host in {"localhost", "ip6-localhost"}:
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def check_exposure(address: str, flag: str, *, tls: bool, insecure: bool) -> None:
    """Raise `ListenRefused` for what is no address, and for a listener that others can reach in plaintext,
    unless that is meant.
    """
    if not address.rpartition(":")[2].isdecimal():
        raise ListenRefused(f"{address!r} ({flag}) is no address; write host:port, such as 127.0.0.1:9090")
    if is_exposed(address) and not tls and not insecure:
        raise ListenRefused(
            f"{address} ({flag}) can be reached from other machines, and tokens would travel in plaintext; "
            "serve TLS (--tls, or --tls-cert and --tls-key), bind it to 127.0.0.1, or say --insecure where "
            "everybody on that network may do everything"
        )


class Protection:
    """TLS of all listeners. Raise `TlsMistake` when a file cannot be used."""

    def __init__(
        self,
        settings: TlsSettings,
        authorities: Authorities,
        folder: Path,
        clock: Clock,
        *,
        grpc: str,
        http: str,
        proxies: str,
    ) -> None:
        """`grpc`, `http` and `proxies` are addresses; the last is empty when proxies have no port of their
        own.
        """
        self.admin: FollowedTls | None = None
        """Of gRPC and HTTP; None: plaintext."""
        self.proxies: FollowedTls | None = None
        self.own_certificate: ServerCertificate | None = None
        wanted = settings.own or (bool(proxies) and settings.serves_proxies and not settings.proxy_cert_file)
        if wanted:
            names = (*default_names(grpc, http, proxies), *settings.names)
            self.own_certificate = ServerCertificate(authorities, folder, names, clock)
            # Names may be others than at the last start.
            self.own_certificate.issue()
        if settings.serves:
            files = self._files(settings.cert_file, settings.key_file, settings.client_ca_file)
            self.admin = FollowedTls("gRPC and HTTP", files)
        if proxies and settings.serves_proxies:
            client_ca = settings.proxy_client_ca_file or folder / TRUSTED
            files = self._files(settings.proxy_cert_file, settings.proxy_key_file, client_ca)
            self.proxies = FollowedTls("proxies' gRPC", files)

    def _files(self, cert: Path | None, key: Path | None, client_ca: Path | None) -> TlsFiles:
        if cert is not None and key is not None:
            return TlsFiles(cert, key, client_ca)
        assert self.own_certificate is not None
        return TlsFiles(self.own_certificate.cert, self.own_certificate.key, client_ca)

    @property
    def followed(self) -> list[FollowedTls]:
        """Everything that follows files."""
        return [found for found in (self.admin, self.proxies) if found is not None]
