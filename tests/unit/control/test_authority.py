"""The certificate authority: what it makes, what it refuses, and how its files are kept."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from seawall_control.domain import enrolment
from seawall_control.domain.errors import InvalidRequest
from seawall_control.services.authority import Authority, AuthorityUnusable, node_and_serial

NOW = datetime(2026, 11, 30, tzinfo=UTC)
WEEK = timedelta(days=7)


def request_for(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> str:
    """Return a signing request that asks for more than it gets."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin")])
    )
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier("seawall://node/other")]), critical=False
    ).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(serialization.Encoding.PEM).decode()


def test_a_certificate_is_for_the_node_of_the_token_and_nothing_else(tmp_path: Path) -> None:
    """What the request asks for does not count."""
    authority = Authority.open(tmp_path / "a", NOW)
    for node in ("proxy-1", "zone/a_1.x"):
        issued = authority.issue_node(
            request_for(ec.generate_private_key(ec.SECP256R1())), node, now=NOW, life=WEEK
        )
        assert node_and_serial(issued.pem) == (node, issued.serial)
        made = x509.load_pem_x509_certificate(issued.pem.encode())
        assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
        assert made.not_valid_after_utc == NOW + WEEK
        made.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.pem.encode()))


@pytest.mark.parametrize(
    "csr",
    [
        "",
        "nonsense",
        "x" * 20_000,
        request_for(ec.generate_private_key(ec.SECP384R1())),
        request_for(rsa.generate_private_key(65537, 1024)),
        request_for(ed25519.Ed25519PrivateKey.generate()),
    ],
)
def test_requests_that_are_refused(tmp_path: Path, csr: str) -> None:
    """No request at all, and keys that are too weak or not spoken everywhere."""
    with pytest.raises(InvalidRequest, match="csr"):
        Authority.open(tmp_path, NOW).issue_node(csr, "a", now=NOW, life=WEEK)


def test_a_request_of_somebody_elses_key_is_refused(tmp_path: Path) -> None:
    """Its signature has to be the key's."""
    good = request_for(ec.generate_private_key(ec.SECP256R1()))
    lines = good.strip().splitlines()
    body = list("".join(lines[1:-1]))
    body[-12] = "A" if body[-12] != "A" else "B"
    text = "".join(body)
    split = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    with pytest.raises(InvalidRequest, match="csr"):
        Authority.open(tmp_path, NOW).issue_node(
            f"{lines[0]}\n{split}\n{lines[-1]}\n", "a", now=NOW, life=WEEK
        )


def test_files_are_the_owners_and_the_authority_stays(tmp_path: Path) -> None:
    """A second start finds the first one's."""
    first = Authority.open(tmp_path / "a", NOW)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "authority.key").stat().st_mode) == 0o600
    assert Authority.open(tmp_path / "a", NOW).fingerprint == first.fingerprint


def test_damaged_files_are_said_and_not_replaced(tmp_path: Path) -> None:
    """Another authority in their place would lock every proxy out."""
    Authority.open(tmp_path / "a", NOW)
    Authority.open(tmp_path / "b", NOW)
    key = tmp_path / "a" / "authority.key"
    key.write_bytes((tmp_path / "b" / "authority.key").read_bytes())
    with pytest.raises(AuthorityUnusable, match="is not the key of"):
        Authority.open(tmp_path / "a", NOW)
    key.write_text("nonsense")
    with pytest.raises(AuthorityUnusable, match="restore"):
        Authority.open(tmp_path / "a", NOW)
    key.unlink()
    with pytest.raises(AuthorityUnusable, match="restore"):
        Authority.open(tmp_path / "a", NOW)
    with pytest.raises(AuthorityUnusable, match="has expired"):
        Authority.open(tmp_path / "b", NOW + timedelta(days=3651))


def test_the_servers_certificate_carries_the_authority(tmp_path: Path) -> None:
    """So that a proxy that enrols can find it by its fingerprint."""
    authority = Authority.open(tmp_path, NOW)
    issued, key = authority.issue_server(["localhost", "127.0.0.1", "localhost", "[::1]"], now=NOW)
    leaf, above = x509.load_pem_x509_certificates(issued.pem.encode())
    assert above.fingerprint(hashes.SHA256()).hex() == authority.fingerprint
    private = serialization.load_pem_private_key(key, None)
    assert private.public_key() == leaf.public_key()
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert node_and_serial(issued.pem)[0] == ""


@pytest.mark.parametrize("node", ["a", "zone/a", "a_b.c-d"])
def test_names_of_nodes_come_back_from_their_uri(node: str) -> None:
    """Also with a slash in them."""
    assert enrolment.node_of(enrolment.uri_of(node)) == node
    assert enrolment.node_of("https://node/a") == ""


def test_a_token_says_which_authority_to_trust() -> None:
    """Secret and fingerprint come apart again; anything else is no token."""
    text = enrolment.pinned("swe_abc", "0" * 64)
    assert enrolment.unpinned(f" {text}\n") == ("swe_abc", "0" * 64)
    for damaged in ("swe_abc", "sw_abc." + "0" * 64, "swe_abc." + "0" * 63, text + "0"):
        with pytest.raises(ValueError, match="no enrolment token"):
            enrolment.unpinned(damaged)
