"""Reading a certificate's dates and names."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from seawall_proxy.runtime.certificate import NotACertificate, first_certificate, parse
from tests.kit.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize(
    ("names", "dns", "days"),
    [
        (("shop.example", "*.Shop.example", "127.0.0.1"), ("shop.example", "*.shop.example"), 30.0),
        ((), (), 40_000.0),
        (("a" * 60 + ".example", *(f"n{i}.example" for i in range(200))), None, -0.5),
    ],
)
def test_dates_and_names(
    authority: Authority, names: tuple[str, ...], dns: tuple[str, ...] | None, days: float
) -> None:
    """Both are what the library that made the certificate says; years beyond 2049 are written otherwise."""
    pair = authority.issue("one", *names, common_name="x", ends_in_days=days)
    expected = x509.load_pem_x509_certificate(pair.cert.read_bytes())
    found = first_certificate(pair.cert.read_text())
    assert found.not_after_s == expected.not_valid_after_utc.astimezone(UTC).timestamp()
    assert found.not_before_s == expected.not_valid_before_utc.astimezone(UTC).timestamp()
    assert found.dns_names == (names if dns is None else dns)


def test_the_first_of_a_chain_counts(authority: Authority, tmp_path: Path) -> None:
    """Text around the blocks and certificates behind the first are nothing to it."""
    pair = authority.issue("leaf", "leaf.example")
    chain = "subject=...\n" + pair.cert.read_text() + authority.path.read_text()
    assert first_certificate(chain).dns_names == ("leaf.example",)


@pytest.mark.parametrize(
    "text", ["", "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----"]
)
def test_what_is_no_pem(text: str) -> None:
    """It is refused by a name of ours."""
    with pytest.raises(NotACertificate):
        first_certificate(text)


def test_damage_is_refused(authority: Authority) -> None:
    """A certificate that is cut off, or has a bit changed, is read or refused, and nothing else."""
    der = authority.certificate.public_bytes(serialization.Encoding.DER)
    for end in range(len(der)):
        with pytest.raises(NotACertificate):
            parse(der[:end])
    for at in range(len(der)):
        for bit in (0x01, 0x80):
            try:
                parse(der[:at] + bytes([der[at] ^ bit]) + der[at + 1 :])
            except NotACertificate:
                continue
