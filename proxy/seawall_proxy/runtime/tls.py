"""TLS contexts of both sides, made from files.

Rules: TLS 1.2 or newer; for 1.2 only the ephemeral AEAD suites (RFC 9113 section 9.2.2 forbids the others);
no compression and no renegotiation (section 9.2.1); HTTP/2 by ALPN and nothing else. 0-RTT is never accepted.
A context is never changed after it was made: a file that changes gives a new one. Messages name the file and
the remedy, and hold nothing of what is in it.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall_policy.transport import ClientTls, ServerTls
from seawall_proxy.runtime.certificate import Certificate, NotACertificate, first_certificate

ALPN: Final = "h2"
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""The TLS 1.2 suites outside RFC 9113's appendix A; those of TLS 1.3 are all allowed."""

_MISMATCHES: Final = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
_MAX_FILE_BYTES: Final = 1 << 20


class TlsMistake(Exception):
    """Files or settings from which no context can be made; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """A certificate in use."""

    path: str
    certificate: Certificate

    def trouble(self, now_s: float) -> str:
        """Return what is wrong with it at a Unix time; empty when nothing is."""
        if now_s >= self.certificate.not_after_s:
            return f"{self.path}: the certificate has expired; renew it"
        if now_s < self.certificate.not_before_s:
            return f"{self.path}: the certificate is not valid yet; look at the clocks"
        return ""


@dataclass(frozen=True, slots=True)
class TlsContext:
    """A context, and the certificates that are in it."""

    context: ssl.SSLContext
    certificates: tuple[OwnCertificate, ...]


def server_context(tls: ServerTls, folder: Path, alpn: str = ALPN) -> TlsContext:
    """Make the context of a listener; file names are relative to `folder`. Raises TlsMistake."""
    used: list[OwnCertificate] = []
    contexts: list[ssl.SSLContext] = []
    by_name: dict[str, ssl.SSLContext] = {}
    for entry in tls.certificates:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _harden(context, alpn)
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
        if tls.client_ca_file:
            _trust(context, folder / tls.client_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
        own = _load_pair(context, folder / entry.cert_file, folder / entry.key_file)
        used.append(own)
        contexts.append(context)
        for name in entry.server_names or own.certificate.dns_names:
            by_name.setdefault(name, context)
    if len(contexts) > 1:
        contexts[0].sni_callback = _Chooser(by_name)
    return TlsContext(contexts[0], tuple(used))


def client_context(tls: ClientTls, folder: Path) -> TlsContext:
    """Make the context towards a cluster; file names are relative to `folder`. Raises TlsMistake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca_file:
        _trust(context, folder / tls.ca_file)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    used: tuple[OwnCertificate, ...] = ()
    if tls.cert_file:
        used = (_load_pair(context, folder / tls.cert_file, folder / tls.key_file),)
    return TlsContext(context, used)


def server_files(tls: ServerTls, folder: Path) -> tuple[Path, ...]:
    """Return every file that a listener's context is made from."""
    names = [name for entry in tls.certificates for name in (entry.cert_file, entry.key_file)]
    return tuple(folder / name for name in (*names, tls.client_ca_file) if name)


def client_files(tls: ClientTls, folder: Path) -> tuple[Path, ...]:
    """Return every file that a cluster's context is made from."""
    return tuple(folder / name for name in (tls.ca_file, tls.cert_file, tls.key_file) if name)


def _harden(context: ssl.SSLContext, alpn: str = ALPN) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols([alpn])


def _load_pair(context: ssl.SSLContext, cert: Path, key: Path) -> OwnCertificate:
    text = _read(cert)
    _read(key)
    try:
        own = OwnCertificate(str(cert), first_certificate(text))
        context.load_cert_chain(cert, key, password=_no_password)
    except NotACertificate as error:
        raise TlsMistake(f"{cert} cannot be used: {error}; write the chain in PEM form") from error
    except _Encrypted as error:
        raise TlsMistake(
            f"{key}: the private key is encrypted, and nobody is here to type its password; "
            "decrypt it (openssl pkey) and guard the file"
        ) from error
    except ssl.SSLError as error:
        if error.reason in _MISMATCHES:
            raise TlsMistake(
                f"{key} is not the private key of {cert}; give both files of one pair"
            ) from error
        raise TlsMistake(
            f"{cert} and {key} cannot be used ({error.reason or 'not understood'}); "
            "write the chain and the key in PEM form"
        ) from error
    except OSError as error:
        raise TlsMistake(f"{cert} or {key} cannot be read: {error.strerror or 'unknown error'}") from error
    return own


def _trust(context: ssl.SSLContext, path: Path) -> None:
    text = _read(path)
    try:
        first_certificate(text)
        context.load_verify_locations(cadata=text)
    except (NotACertificate, ssl.SSLError, ValueError) as error:
        raise TlsMistake(
            f"{path} holds no usable certificates; write the authorities' certificates in PEM form"
        ) from error


def _read(path: Path) -> str:
    """Return the text of a file, so that what is wrong with it is said of it and not of its pair."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise TlsMistake(
            f"{path} cannot be read: {error.strerror or error}; "
            "give a file that this process may read, relative to the policy file or absolute"
        ) from error
    if len(data) > _MAX_FILE_BYTES:
        raise TlsMistake(f"{path} is larger than {_MAX_FILE_BYTES} bytes; it is no certificate or key")
    return data.decode("utf-8", "replace")


class _Encrypted(Exception):
    """OpenSSL asks for a password."""


def _no_password() -> str:
    raise _Encrypted


class _Chooser:
    """Picks a context by the name that the client asks for; the listener's first one stays for the rest."""

    def __init__(self, by_name: dict[str, ssl.SSLContext]) -> None:
        self._by_name: dict[str, ssl.SSLContext] = by_name

    def __call__(
        self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, context: ssl.SSLContext
    ) -> None:
        if name is None:
            return
        name = name.lower().removesuffix(".")
        found = self._by_name.get(name)
        if found is None:
            found = self._by_name.get(f"*.{name.partition('.')[2]}")
        if found is not None:
            connection.context = found
