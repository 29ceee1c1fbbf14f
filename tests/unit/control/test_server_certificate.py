"""When the control plane's own certificate is issued anew."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from cryptography import x509

from seawall_control.services.authorities import Authorities
from seawall_control.services.authority import SERVER_DAYS
from seawall_control.services.server_certificate import ServerCertificate
from tests.unit.control.test_authority import NOW


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = NOW

    def now_us(self) -> int:
        """Return microseconds."""
        return int(self.now.timestamp() * 1e6)

    def monotonic_s(self) -> float:
        """Return seconds."""
        return 0.0


def made(folder: Path) -> tuple[ServerCertificate, Clock]:
    """Return the certificate of a control plane and its clock."""
    clock = Clock()
    return ServerCertificate(Authorities(folder, NOW), folder, ["localhost"], clock), clock


def begins(certificate: ServerCertificate) -> float:
    """Return when it begins, seen from the right time, in days."""
    found = x509.load_pem_x509_certificate(certificate.cert.read_bytes())
    return (found.not_valid_before_utc - NOW) / timedelta(days=1)


def test_at_half_of_its_time(tmp_path: Path) -> None:
    """And at the start, when there is none."""
    certificate, clock = made(tmp_path)
    assert certificate.is_due()
    certificate.follow()
    assert not certificate.is_due()
    clock.now += timedelta(days=SERVER_DAYS / 2 + 1)
    assert certificate.is_due()


def test_one_that_begins_later_is_issued_anew(tmp_path: Path) -> None:
    """The clock was a year ahead when it was renewed: no client takes it, and it is not left at that."""
    certificate, clock = made(tmp_path)
    certificate.follow()
    clock.now += timedelta(days=365)
    certificate.follow()
    assert begins(certificate) > 364
    clock.now = NOW
    assert certificate.is_due()
    certificate.follow()
    assert begins(certificate) <= 0
    assert not certificate.is_due()
