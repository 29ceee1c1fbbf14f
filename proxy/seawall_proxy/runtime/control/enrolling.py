"""Enrols at a control plane, and renews there.

Before the token is sent, the proxy looks at the certificates that the control plane shows, without trusting
any, for the one whose fingerprint stands in the token; that one, and no other, is then the authority of the
connection on which the token goes. The key is made here and stays here.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import ssl
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio

from seawall.v1 import enrolment_pb2 as pb
from seawall.v1 import enrolment_pb2_grpc
from seawall_proxy.runtime.certificate import NotACertificate
from seawall_proxy.runtime.control.identity import Identity, IdentityTrouble, identity_of, read_file

LIMIT_S: Final = 10.0
_TOKEN: Final = re.compile(r"(?P<secret>swe_[0-9A-Za-z]{1,128})\.(?P<fingerprint>[0-9a-f]{64})")
_OPTIONS: Final[tuple[tuple[str, int | str], ...]] = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
)


class Enroller:
    """Speaks with EnrolmentService: enrols at one address, renews at another."""

    def __init__(
        self, enrol_target: str, target: str, *, ca_file: Path | None = None, server_name: str = ""
    ) -> None:
        self._enrol_target: str = enrol_target
        self._target: str = target
        self._ca_file: Path | None = ca_file
        self._options: tuple[tuple[str, int | str], ...] = _OPTIONS
        if server_name:
            self._options = (*_OPTIONS, ("grpc.ssl_target_name_override", server_name))

    async def enrol(self, token: str) -> Identity:
        """Use an enrolment token. Raise `IdentityTrouble`."""
        found = _TOKEN.fullmatch(token)
        if found is None:
            raise IdentityTrouble(
                "the enrolment token is damaged: it is swe_..., a full stop, and 64 hexadecimal digits; copy "
                "it again as it was shown"
            )
        pin = found["fingerprint"]
        if self._ca_file is not None:
            roots = read_file(self._ca_file)
        else:
            roots = await asyncio.to_thread(_pinned_authority, self._enrol_target, pin)
        key, csr = await asyncio.to_thread(_key_and_request)
        credentials = grpc.ssl_channel_credentials(root_certificates=roots)
        async with grpc.aio.secure_channel(self._enrol_target, credentials, options=self._options) as channel:
            stub: Any = enrolment_pb2_grpc.EnrolmentServiceStub(channel)  # type: ignore[no-untyped-call]
            bearer = (("authorization", f"Bearer {found['secret']}"),)
            answer = await _answer(
                stub.Enrol(pb.EnrolRequest(csr=csr), metadata=bearer, timeout=LIMIT_S), self._enrol_target
            )
        return _checked(key, answer.certificate, answer.authority, pin)

    async def renew(self, credentials: grpc.ChannelCredentials) -> Identity:
        """Get the next certificate, for a new key. Raise `IdentityTrouble`."""
        key, csr = await asyncio.to_thread(_key_and_request)
        async with grpc.aio.secure_channel(self._target, credentials, options=self._options) as channel:
            stub: Any = enrolment_pb2_grpc.EnrolmentServiceStub(channel)  # type: ignore[no-untyped-call]
            answer = await _answer(
                stub.Renew(pb.RenewRequest(csr=csr, confirms=True), timeout=LIMIT_S), self._target
            )
        return _checked(key, answer.certificate, answer.authority, "")

    async def confirm(self, credentials: grpc.ChannelCredentials) -> None:
        """Show the certificate that is kept now. Raise `IdentityTrouble`."""
        async with grpc.aio.secure_channel(self._target, credentials, options=self._options) as channel:
            stub: Any = enrolment_pb2_grpc.EnrolmentServiceStub(channel)  # type: ignore[no-untyped-call]
            try:
                await stub.ConfirmCertificate(pb.ConfirmCertificateRequest(), timeout=LIMIT_S)
            except grpc.aio.AioRpcError as error:
                # A control plane of before does not ask for it.
                if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    raise _trouble(self._target, error) from error


async def _answer(call: Any, target: str) -> Any:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise _trouble(target, error) from error


def _trouble(target: str, error: grpc.aio.AioRpcError) -> IdentityTrouble:
    return IdentityTrouble(f"{target} answers {error.code().name}: {error.details()}")


def _checked(key: bytes, certificate: str, authority: str, pin: str) -> Identity:
    if pin and _fingerprint(ssl.PEM_cert_to_DER_cert(authority)) != pin:
        raise IdentityTrouble("the authority that the control plane names is not the one of the token")
    try:
        return identity_of(key, certificate.encode(), authority.encode())
    except NotACertificate as error:
        raise IdentityTrouble(f"the control plane's answer holds no certificate: {error}") from error


def _key_and_request() -> tuple[bytes, str]:
    """Return the PEM of a new key and of a request that it has signed."""
    # Loaded only by a proxy that enrols.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem, request.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _pinned_authority(target: str, pin: str) -> bytes:
    """Return the certificate of this fingerprint, in PEM, among those that a server shows. Raise
    `IdentityTrouble`.
    """
    host, _, port = target.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Nothing is believed here, and nothing is sent: it is looked at what there is.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout=LIMIT_S) as plain,
            context.wrap_socket(plain, server_hostname=host.strip("[]")) as secured,
        ):
            shown = _chain(secured)
    except (OSError, ValueError) as error:
        raise IdentityTrouble(
            f"{target} cannot be reached with TLS ({error}); name the control plane's own gRPC port in "
            "control.enrol_target, and see that it serves TLS (seawall control --tls)"
        ) from error
    for der in shown:
        if _fingerprint(der) == pin:
            return ssl.DER_cert_to_PEM_cert(der).encode()
    raise IdentityTrouble(
        f"{target} does not show the authority of the enrolment token: it is another control plane, or "
        "somebody is in between. Where it serves a certificate of another authority, name that in "
        "control.tls.ca_file"
    )


def _chain(secured: ssl.SSLSocket) -> list[bytes]:
    """Return the certificates that a server has sent, in DER."""
    public = getattr(secured, "get_unverified_chain", None)
    if public is not None:
        return list(public())
    # Before Python 3.13 the method has no public name.
    inner: Any = secured
    encoding_der = 2
    return [certificate.public_bytes(encoding_der) for certificate in inner._sslobj.get_unverified_chain()]  # noqa: SLF001


def _fingerprint(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()
