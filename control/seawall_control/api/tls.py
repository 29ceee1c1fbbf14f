"""TLS of the listeners: one pair of files, looked at every second.

A pair that changed takes the old one's place for new connections when key and certificate belong together
and are valid now; until then the old one serves, and the log says why. TLS 1.2 or newer, HTTP/2 by ALPN for
gRPC, HTTP/1.1 for the pages.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization

LOOK_EVERY_S: Final = 1.0
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""The TLS 1.2 suites outside RFC 9113's appendix A; those of TLS 1.3 are all allowed."""
_MAX_FILE_BYTES: Final = 1 << 20

_log = logging.getLogger("seawall.control.tls")

Stamp: TypeAlias = tuple[tuple[int, int, int] | None, ...]


class TlsMistake(Exception):
    """Files from which no TLS can be made; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where certificate, key and the authority of clients are."""

    cert: Path
    key: Path
    client_ca: Path | None = None
    """Clients must show a certificate of this authority."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What the files hold."""

    chain: bytes
    key: bytes
    client_ca: bytes
    expires_s: float
    """Unix time."""


def read_pair(files: TlsFiles, now: datetime) -> Pair:
    """Read and verify. Raise `TlsMistake`."""
    chain, key = _read(files.cert), _read(files.key)
    client_ca = _read(files.client_ca) if files.client_ca is not None else b""
    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except (ValueError, IndexError) as error:
        raise TlsMistake(f"{files.cert} holds no certificate; write the chain in PEM form") from error
    try:
        private = serialization.load_pem_private_key(key, None)
    except TypeError as error:
        raise TlsMistake(
            f"{files.key}: the private key is encrypted, and nobody is here to type its password; "
            "decrypt it (openssl pkey) and guard the file"
        ) from error
    except ValueError as error:
        raise TlsMistake(f"{files.key} holds no private key in PEM form") from error
    if private.public_key() != leaf.public_key():
        raise TlsMistake(f"{files.key} is not the private key of {files.cert}; give both files of one pair")
    if leaf.not_valid_after_utc <= now:
        raise TlsMistake(f"{files.cert}: the certificate has expired; renew it")
    if leaf.not_valid_before_utc > now:
        raise TlsMistake(f"{files.cert}: the certificate is not valid yet; look at the clocks")
    if files.client_ca is not None:
        try:
            x509.load_pem_x509_certificates(client_ca)
        except ValueError as error:
            raise TlsMistake(f"{files.client_ca} holds no certificates in PEM form") from error
    return Pair(chain, key, client_ca, leaf.not_valid_after_utc.timestamp())


class FollowedTls:
    """TLS of one listener. Raise `TlsMistake` when it cannot be made at the start."""

    def __init__(self, name: str, files: TlsFiles) -> None:
        self.name = name
        """Whose it is, for the log."""
        self.mistake = ""
        """Why the last change was not taken up; empty when it was."""
        self._files = files
        self._stamp = self._look()
        self._seen = self._stamp
        self._pair = read_pair(files, datetime.now(UTC))
        self._changed: list[Callable[[], None]] = []
        self._generation = 0

    @property
    def pair(self) -> Pair:
        """What new connections are made with."""
        return self._pair

    @property
    def asks_clients(self) -> bool:
        """Whether clients must show a certificate."""
        return self._files.client_ca is not None

    def look(self, now: datetime) -> bool:
        """Look at the files; tell whether a new pair was taken up. For a thread."""
        stamp = self._look()
        still, self._seen = stamp == self._seen, stamp
        # Written one after the other: what has just changed is looked at a second later.
        if not still or (stamp == self._stamp and not self.mistake):
            return False
        before, self.mistake = self.mistake, ""
        try:
            pair = read_pair(self._files, now)
        except TlsMistake as mistake:
            self.mistake = str(mistake)
            self._stamp = stamp
            if self.mistake != before:
                _log.error("%s: the new certificate is not taken up: %s", self.name, mistake)
            return False
        self._stamp = stamp
        self._pair = pair
        self._generation += 1
        _log.info("%s: certificate taken up, valid until %s", self.name, _date(pair.expires_s))
        return True

    async def run(self) -> None:
        """Follow the files until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if await asyncio.to_thread(self.look, datetime.now(UTC)):
                for listener in self._changed:
                    listener()

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Return credentials of a gRPC listener, which ask for the newest pair at each handshake."""
        given = self._generation

        def fetch() -> Any:
            nonlocal given
            if given == self._generation:
                return None
            given = self._generation
            return _configuration(self._pair)

        found: grpc.ServerCredentials = grpc.dynamic_ssl_server_credentials(
            _configuration(self._pair), fetch, require_client_authentication=self.asks_clients
        )
        return found

    def http_context(self) -> ssl.SSLContext:
        """Return a context of an HTTP listener that follows the files. Raise `TlsMistake`."""
        context = FollowingContext(ssl.PROTOCOL_TLS_SERVER)

        def take_up() -> None:
            try:
                context.current = self._context()
            except TlsMistake as mistake:
                _log.error("%s: the new certificate is not taken up: %s", self.name, mistake)

        context.current = self._context()
        self._changed.append(take_up)
        return context

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.set_ciphers(CIPHERS)
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._files.cert, self._files.key)
            if self._files.client_ca is not None:
                context.load_verify_locations(cafile=self._files.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise TlsMistake(f"{self._files.cert} and {self._files.key} cannot be used: {error}") from error
        return context

    def _look(self) -> Stamp:
        paths = (self._files.cert, self._files.key, self._files.client_ca)
        return tuple(_stamp(path) for path in paths if path is not None)


class FollowingContext(ssl.SSLContext):
    """A context that makes each connection with another one: the newest."""

    current: ssl.SSLContext

    def wrap_bio(self, *args: Any, **named: Any) -> ssl.SSLObject:
        """See `ssl.SSLContext.wrap_bio`; asyncio calls it for each connection."""
        return self.current.wrap_bio(*args, **named)


def _configuration(pair: Pair) -> grpc.ServerCertificateConfiguration:
    found: grpc.ServerCertificateConfiguration = grpc.ssl_server_certificate_configuration(
        [(pair.key, pair.chain)], root_certificates=pair.client_ca or None
    )
    return found


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise TlsMistake(
            f"{path} cannot be read: {error.strerror or error}; give a file that this process may read"
        ) from error
    if len(data) > _MAX_FILE_BYTES:
        raise TlsMistake(f"{path} is larger than {_MAX_FILE_BYTES} bytes; it is no certificate or key")
    return data


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _date(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds")
