"""A rotation of the authority: whom each side trusts in between, and what a crash leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from seawall_control.domain.errors import PreconditionFailed
from seawall_control.services import authorities as module
from seawall_control.services.authorities import Authorities
from seawall_control.services.authority import AuthorityUnusable, is_issued_by
from seawall_control.services.durable_files import write_private
from tests.unit.control.test_authority import NOW, WEEK, request_for

CSR = request_for(ec.generate_private_key(ec.SECP256R1()))


def trusted(folder: Path) -> set[str]:
    """Return the fingerprints of those that the listener trusts."""
    from cryptography.hazmat.primitives import hashes

    found = x509.load_pem_x509_certificates((folder / "trusted.pem").read_bytes())
    return {one.fingerprint(hashes.SHA256()).hex() for one in found}


def test_the_steps(tmp_path: Path) -> None:
    """One is trusted, both are, the other is."""
    found = Authorities(tmp_path, NOW)
    old = found.serving.fingerprint
    assert trusted(tmp_path) == {old} and found.renewing is found.serving
    with pytest.raises(PreconditionFailed, match="no rotation"):
        found.finish(NOW)
    found.prepare(NOW)
    assert found.next is not None
    new = found.next.fingerprint
    assert trusted(tmp_path) == {old, new} and found.renewing.fingerprint == old
    with pytest.raises(PreconditionFailed, match="prepared already"):
        found.prepare(NOW)
    with pytest.raises(PreconditionFailed, match="no rotation"):
        found.finish(NOW)
    found.begin(NOW)
    assert found.serving.fingerprint == old and found.renewing.fingerprint == new
    with pytest.raises(PreconditionFailed, match="under way"):
        found.begin(NOW)
    renewed = found.renewing.issue_node(CSR, "a", now=NOW, life=WEEK)
    found.finish(NOW)
    assert found.serving.fingerprint == new and found.next is None and trusted(tmp_path) == {new}
    assert is_issued_by(renewed.pem.encode(), found.serving.pem.encode())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["authority.key", "authority.pem", "trusted.pem"]
    found.begin(NOW)
    assert found.next is not None and found.next.fingerprint not in {old, new}


def test_another_control_plane_takes_a_step_up(tmp_path: Path) -> None:
    """It shares the folder, or has it copied, and looks."""
    one, two = Authorities(tmp_path, NOW), Authorities(tmp_path, NOW)
    assert not two.look(NOW)
    one.begin(NOW)
    assert two.look(NOW) and not two.look(NOW)
    assert two.has_begun and two.trusted_pem == one.trusted_pem
    one.finish(NOW)
    assert two.look(NOW)
    assert (two.serving.fingerprint, two.next) == (one.serving.fingerprint, None)


@pytest.mark.parametrize("step", range(12))
def test_a_crash_in_the_middle_of_the_end(tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it comes: the next start has the old authority with the next beside it, or the next alone."""
    found = Authorities(tmp_path, NOW)
    found.begin(NOW)
    assert found.next is not None
    old, new = found.serving.fingerprint, found.next.fingerprint
    done = 0

    class Crash(BaseException):
        """The process ends."""

    def counted() -> None:
        nonlocal done
        if done == step:
            raise Crash
        done += 1

    def writing(path: Path, data: bytes, *, mode: int = 0o600) -> None:
        counted()
        write_private(path, data, mode=mode)

    unlink = Path.unlink

    def unlinking(path: Path, missing_ok: bool = False) -> None:
        if path.suffix != ".fresh":
            counted()
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(module, "write_private", writing)
        patched.setattr(Path, "unlink", unlinking)
        try:
            found.finish(NOW)
        except Crash:
            pass
        else:
            assert step >= 6
    again = Authorities(tmp_path, NOW)
    if again.next is not None:
        assert (again.serving.fingerprint, again.next.fingerprint, again.has_begun) == (old, new, True)
        again.finish(NOW)
    assert (again.serving.fingerprint, again.next) == (new, None)
    assert trusted(tmp_path) == {new}


def test_what_a_cut_off_attempt_left_is_in_nobodys_way(tmp_path: Path) -> None:
    """A key without its certificate."""
    found = Authorities(tmp_path, NOW)
    (tmp_path / "next.key").write_bytes(b"half")
    assert Authorities(tmp_path, NOW).next is None
    found.begin(NOW)
    assert found.has_begun


def test_an_authority_that_has_expired_says_so(tmp_path: Path) -> None:
    """The next one can be the way out only while the first is good."""
    Authorities(tmp_path, NOW)
    with pytest.raises(AuthorityUnusable, match="has expired"):
        Authorities(tmp_path, datetime(2026, 11, 30, tzinfo=UTC) + timedelta(days=3651))


def test_a_folder_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    """The authority in use stays in use; a new one would shut every proxy out. Put back, it is taken up."""
    folder = tmp_path / "data" / "authority"
    authorities = Authorities(folder, NOW)
    before = authorities.serving.fingerprint
    (tmp_path / "data").rename(tmp_path / "away")
    with pytest.raises(AuthorityUnusable, match="restore authority"):
        authorities.look(NOW)
    assert not (tmp_path / "data").exists()
    assert authorities.serving.fingerprint == before
    (tmp_path / "away").rename(tmp_path / "data")
    authorities.look(NOW)
    assert authorities.serving.fingerprint == before
