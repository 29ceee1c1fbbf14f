"""A proxy's part of enrolment and renewal, against a real control plane with TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from cryptography import x509

from seawall.v1 import enrolment_pb2, enrolment_pb2_grpc
from seawall_control.access import AccessSettings
from seawall_control.listening import TlsSettings
from seawall_control.server import ControlPlane
from seawall_proxy.runtime.control.enrolling import Enroller
from seawall_proxy.runtime.control.identity import Identity, IdentityTrouble
from tests.integration.control.kit import running_plane, until


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """Start one with a port for proxies."""
    async with running_plane(
        tmp_path, access=AccessSettings(tls=TlsSettings(own=True), proxy_grpc_address="127.0.0.1:0")
    ) as control:
        yield control


def enroller(plane: ControlPlane) -> Enroller:
    """Return the proxy's part."""
    return Enroller(plane.addresses.grpc, plane.addresses.proxy_grpc)


def credentials(identity: Identity) -> grpc.ChannelCredentials:
    """Return what shows an identity."""
    return grpc.ssl_channel_credentials(identity.authority, identity.key, identity.certificate)


async def enrolled(plane: ControlPlane, node: str = "proxy-1") -> Identity:
    """Enrol once."""
    _, token = await plane.access.enrolment.create_token(node, ttl_s=600, created_by="test")
    return await enroller(plane).enrol(token)


async def test_a_certificate_is_renewed_with_a_new_key(plane: ControlPlane) -> None:
    """On a connection that shows the one before it; both are in the register."""
    first = await enrolled(plane)
    second = await enroller(plane).renew(credentials(first))
    assert second.key != first.key
    assert second.certificate != first.certificate
    serials = {f"{x509.load_pem_x509_certificate(i.certificate).serial_number:x}" for i in (first, second)}
    assert {c.serial for c in await plane.access.enrolment.certificates(after="", limit=10)} == serials
    third = await enroller(plane).renew(credentials(second))
    assert third.not_after_s >= second.not_after_s


async def test_a_rotation_waits_for_certificates_to_be_kept(plane: ControlPlane) -> None:
    """What was sent and not shown is not known to have arrived; asked for by a token nothing is confirmed."""
    rotation = plane.access.rotation
    first = await enrolled(plane)
    await rotation.rotate(prepare_only=False)
    second = await enroller(plane).renew(credentials(first))
    assert [one.node for one in (await rotation.status()).behind] == ["proxy-1"]
    await enroller(plane).confirm(credentials(first))
    assert [one.node for one in (await rotation.status()).behind] == ["proxy-1"]

    async def is_confirmed() -> bool:
        # The listener takes the next authority up within a second or two.
        with contextlib.suppress(IdentityTrouble):
            await enroller(plane).confirm(credentials(second))
        return (await rotation.status()).behind == ()

    await until(is_confirmed, what="the certificate is known to have arrived")
    ca = plane.access.enrolment.authorities.trusted_pem.encode()
    async with grpc.aio.secure_channel(plane.addresses.grpc, grpc.ssl_channel_credentials(ca)) as channel:
        stub = enrolment_pb2_grpc.EnrolmentServiceStub(channel)  # type: ignore[no-untyped-call]
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.ConfirmCertificate(enrolment_pb2.ConfirmCertificateRequest())
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_revoked_certificate_renews_nothing(plane: ControlPlane) -> None:
    """Nor does one of another authority get as far as a question."""
    identity = await enrolled(plane)
    await plane.access.enrolment.revoke("proxy-1")
    with pytest.raises(IdentityTrouble, match="was revoked"):
        await enroller(plane).renew(credentials(identity))
    with pytest.raises(IdentityTrouble, match="UNAVAILABLE"):
        await enroller(plane).renew(grpc.ssl_channel_credentials(identity.authority))


async def test_tokens_that_do_not_work_say_why(plane: ControlPlane) -> None:
    """Damaged, of another authority, used; the token itself is only sent to the one that it names."""
    _, token = await plane.access.enrolment.create_token("proxy-1", ttl_s=600, created_by="test")
    secret, _, pin = token.partition(".")
    with pytest.raises(IdentityTrouble, match="is damaged"):
        await enroller(plane).enrol(secret)
    with pytest.raises(IdentityTrouble, match="does not show the authority"):
        await enroller(plane).enrol(f"{secret}.{pin[::-1]}")
    await enroller(plane).enrol(token)
    with pytest.raises(IdentityTrouble, match="used already"):
        await enroller(plane).enrol(token)


async def test_an_operators_authority_is_checked_against_the_pin_too(
    plane: ControlPlane, tmp_path: Path
) -> None:
    """With `tls.ca_file` the connection is verified by that, and the answer still by the token."""
    ca = tmp_path / "control" / "authority" / "authority.pem"
    _, token = await plane.access.enrolment.create_token("proxy-1", ttl_s=600, created_by="test")
    secret, _, pin = token.partition(".")
    own = Enroller(plane.addresses.grpc, plane.addresses.proxy_grpc, ca_file=ca)
    with pytest.raises(IdentityTrouble, match="is not the one of the token"):
        await own.enrol(f"{secret}.{pin[::-1]}")
    _, token = await plane.access.enrolment.create_token("proxy-1", ttl_s=600, created_by="test")
    assert (await own.enrol(token)).authority == ca.read_bytes()


async def test_a_port_without_tls_is_said() -> None:
    """Before the token has left the proxy."""
    token = f"swe_abc.{'0' * 64}"
    with pytest.raises(IdentityTrouble, match="cannot be reached with TLS"):
        await Enroller("127.0.0.1:1", "127.0.0.1:1").enrol(token)


async def test_the_grpc_listener_takes_a_renewed_certificate_up(plane: ControlPlane) -> None:
    """At the next handshake, without a restart."""
    host, _, port = plane.addresses.grpc.rpartition(":")

    def served() -> str:
        return ssl.get_server_certificate((host, int(port)))

    first = await asyncio.to_thread(served)
    own = plane.access.protection.own_certificate
    assert own is not None
    assert not own.is_due()
    await asyncio.to_thread(own.issue)

    async def is_taken_up() -> bool:
        return await asyncio.to_thread(served) != first

    await until(is_taken_up, what="the new certificate is served")


async def test_enrolling_takes_an_enrolment_token(plane: ControlPlane) -> None:
    """The local user, who may do everything else, is no enrollee: no node is named."""
    ca = plane.access.enrolment.authorities.trusted_pem.encode()
    async with grpc.aio.secure_channel(plane.addresses.grpc, grpc.ssl_channel_credentials(ca)) as channel:
        stub = enrolment_pb2_grpc.EnrolmentServiceStub(channel)  # type: ignore[no-untyped-call]
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Enrol(enrolment_pb2.EnrolRequest(csr="x"))
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
