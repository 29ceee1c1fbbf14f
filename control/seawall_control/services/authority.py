"""The control plane's own certificate authority: a key and a certificate in the data directory.

It vouches for proxies (client certificates, one for each node) and, with `--tls`, for the control plane
itself. Keys are elliptic curve P-256. The authority's key is readable by its owner only and never leaves the
machine; whoever has it can be any proxy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from seawall_control.domain.enrolment import node_of, uri_of
from seawall_control.domain.errors import InvalidRequest
from seawall_control.services.durable_files import write_private

MAX_CSR_CHARS: Final = 16 * 1024
AUTHORITY_DAYS: Final = 3650
SERVER_DAYS: Final = 30.0
SKEW: Final = timedelta(minutes=5)
"""Certificates begin a little before now: clocks of other machines may be behind."""
MIN_RSA_BITS: Final = 2048


class AuthorityUnusable(Exception):
    """The authority's files cannot be used; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was issued."""

    pem: str
    serial: str
    """In hexadecimal."""
    expires_us: int


class Authority:
    """Issues certificates."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
        self.fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
        """SHA-256 of the DER form, in hexadecimal."""

    @classmethod
    def open(
        cls, folder: Path, now: datetime, *, name: str = "authority", may_make: bool = True
    ) -> Authority:
        """Read an authority of a folder, or make one there if there may be a new one. Raise
        `AuthorityUnusable`.
        """
        key_path, path = folder / f"{name}.key", folder / f"{name}.pem"
        if may_make and not key_path.exists() and not path.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = _self_signed(key, now)
            write_private(key_path, _pem_of(key))
            write_private(path, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
        try:
            loaded = serialization.load_pem_private_key(key_path.read_bytes(), None)
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError, TypeError) as error:
            raise AuthorityUnusable(
                f"the certificate authority in {folder} cannot be read ({error}); restore {key_path.name} "
                f"and {path.name} from a backup, or remove both and enrol every proxy again"
            ) from error
        if not isinstance(loaded, ec.EllipticCurvePrivateKey) or (
            loaded.public_key() != certificate.public_key()
        ):
            raise AuthorityUnusable(f"{key_path} is not the key of {path}; restore both from the same backup")
        if certificate.not_valid_after_utc <= now:
            raise AuthorityUnusable(
                f"{path} has expired, unless this machine's clock ({now:%Y-%m-%d %H:%M} UTC) is wrong; if it "
                f"is right, remove it and {key_path.name}, and enrol every proxy again"
            )
        return cls(loaded, certificate)

    def issue_node(self, csr_pem: str, node: str, *, now: datetime, life: timedelta) -> Issued:
        """Return a client certificate for a node and the key of a request. Raise `InvalidRequest`."""
        public = _requested_key(csr_pem)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "seawall proxy")])
        alternatives: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri_of(node))]
        return self._issue(name, public, alternatives, ExtendedKeyUsageOID.CLIENT_AUTH, now, life)

    def issue_server(self, names: Sequence[str], *, now: datetime) -> tuple[Issued, bytes]:
        """Return a server certificate for host names and addresses, with the authority's behind it, and the
        PEM of its new key.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "seawall control plane")])
        alternatives = [_general(item) for item in dict.fromkeys(names)]
        life = timedelta(days=SERVER_DAYS)
        usage = ExtendedKeyUsageOID.SERVER_AUTH
        issued = self._issue(name, key.public_key(), alternatives, usage, now, life)
        return Issued(issued.pem + self.pem, issued.serial, issued.expires_us), _pem_of(key)

    def _issue(
        self,
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
        alternatives: Sequence[x509.GeneralName],
        usage: x509.ObjectIdentifier,
        now: datetime,
        life: timedelta,
    ) -> Issued:
        ends = min(now + life, self._certificate.not_valid_after_utc)
        serial = x509.random_serial_number()
        authority_key = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._certificate.subject)
            .public_key(public)
            .serial_number(serial)
            .not_valid_before(now - SKEW)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_key), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
        return Issued(pem, f"{serial:x}", int(ends.timestamp() * 1e6))


def node_and_serial(pem: str) -> tuple[str, str]:
    """Return which node a certificate is for (empty: none) and its serial number. TLS has verified it."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return "", ""
    nodes = [node_of(uri) for uri in names.get_values_for_type(x509.UniformResourceIdentifier)]
    # A certificate of two nodes would be whichever it likes.
    return (nodes[0] if len(nodes) == 1 else "", f"{certificate.serial_number:x}")


def begin_us(pem: bytes) -> int:
    """Return when the first certificate of a file begins to be valid. Raise ValueError."""
    return int(x509.load_pem_x509_certificate(pem).not_valid_before_utc.timestamp() * 1e6)


def expiry_us(pem: bytes) -> int:
    """Return when the first certificate of a file expires. Raise ValueError."""
    return int(x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp() * 1e6)


def is_issued_by(pem: bytes, authority_pem: bytes) -> bool:
    """Tell whether an authority has signed the first certificate of a file. Raise ValueError."""
    authority = x509.load_pem_x509_certificate(authority_pem)
    try:
        x509.load_pem_x509_certificate(pem).verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _self_signed(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Seawall certificate authority")])
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _requested_key(csr_pem: str) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    if len(csr_pem) > MAX_CSR_CHARS:
        raise InvalidRequest(f"csr is longer than {MAX_CSR_CHARS} characters")
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode())
        signed = request.is_signature_valid
        public = request.public_key()
    except Exception as error:
        # Whatever the parser makes of it: it came from outside.
        raise InvalidRequest("csr is no certificate signing request in PEM form") from error
    if not signed:
        raise InvalidRequest("csr is not signed by the key that it names")
    if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
        return public
    if isinstance(public, rsa.RSAPublicKey) and public.key_size >= MIN_RSA_BITS:
        return public
    raise InvalidRequest("csr: the key must be elliptic curve P-256, or RSA with 2048 bits or more")


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return x509.DNSName(name)


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def utc(now_us: int) -> datetime:
    """Return a time as this module takes it."""
    return datetime.fromtimestamp(now_us / 1e6, UTC)
