"""Listeners that are refused, and TLS that follows its files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from seawall_control.api.tls import FollowedTls, TlsFiles, TlsMistake, read_pair
from seawall_control.listening import ListenRefused, TlsSettings, check_exposure, is_exposed
from tests.kit.certificates import Authority, pem_key


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:9090", False),
        ("127.9.9.9:9090", False),
        ("[::1]:9090", False),
        ("localhost:9090", False),
        ("0.0.0.0:9090", True),
        ("[::]:9090", True),
        ("10.0.0.1:9090", True),
        ("control.internal:9090", True),
        (":9090", True),
    ],
)
def test_who_can_reach_a_listener(address: str, expected: bool) -> None:
    """A name counts as reachable: nobody knows yet what it stands for."""
    assert is_exposed(address) is expected


def test_plaintext_on_a_network_has_to_be_meant() -> None:
    """With TLS, on loopback or with --insecure it is fine."""
    check_exposure("0.0.0.0:1", "--grpc", tls=True, insecure=False)
    check_exposure("0.0.0.0:1", "--grpc", tls=False, insecure=True)
    check_exposure("127.0.0.1:1", "--grpc", tls=False, insecure=False)
    with pytest.raises(ListenRefused, match=r"0\.0\.0\.0:1 \(--grpc\).*--tls.*--insecure"):
        check_exposure("0.0.0.0:1", "--grpc", tls=False, insecure=False)


@pytest.mark.parametrize(
    "settings",
    [
        TlsSettings(cert_file=Path("a")),
        TlsSettings(key_file=Path("a")),
        TlsSettings(proxy_cert_file=Path("a")),
        TlsSettings(own=True, cert_file=Path("a"), key_file=Path("b")),
        TlsSettings(client_ca_file=Path("a")),
        TlsSettings(proxy_client_ca_file=Path("a")),
    ],
)
def test_settings_that_do_not_fit_together(settings: TlsSettings) -> None:
    """Each is said."""
    assert list(settings.mistakes())


def test_a_changed_pair_is_taken_up_when_it_is_whole_and_good(tmp_path: Path) -> None:
    """Key and certificate are written one after the other; until they fit the old pair serves."""
    authority = Authority(tmp_path)
    pair = authority.issue("server", "localhost")
    followed = FollowedTls("test", TlsFiles(pair.cert, pair.key))
    now = datetime.now(UTC)
    before = followed.pair
    assert not followed.look(now)
    fresh = authority.issue("fresh", "localhost")
    pair.cert.write_bytes(fresh.cert.read_bytes())
    assert not followed.look(now)
    assert not followed.look(now)
    assert "is not the private key of" in followed.mistake
    assert followed.pair is before
    pair.key.write_bytes(fresh.key.read_bytes())
    assert not followed.look(now)
    assert followed.look(now)
    assert followed.pair.chain == fresh.cert.read_bytes()
    assert not followed.mistake
    expired = authority.issue("old", "localhost", starts_in_days=-9, ends_in_days=-1)
    pair.replace_by(expired)
    followed.look(now)
    assert not followed.look(now)
    assert "has expired" in followed.mistake


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """With what to do about them."""
    authority = Authority(tmp_path)
    pair = authority.issue("server", "localhost")
    other = authority.issue("other", "localhost")
    locked = tmp_path / "locked.key"
    locked.write_bytes(pem_key(authority.key, b"secret"))
    empty = tmp_path / "empty"
    empty.write_text("")
    now = datetime.now(UTC)
    for files, at, message in (
        (TlsFiles(pair.cert, other.key), now, "is not the private key of"),
        (TlsFiles(pair.cert, locked), now, "is encrypted"),
        (TlsFiles(pair.cert, empty), now, "holds no private key"),
        (TlsFiles(empty, pair.key), now, "holds no certificate"),
        (TlsFiles(tmp_path / "missing", pair.key), now, "cannot be read"),
        (TlsFiles(pair.cert, pair.key, empty), now, "holds no certificates"),
        (TlsFiles(pair.cert, pair.key), now + timedelta(days=99), "has expired"),
        (TlsFiles(pair.cert, pair.key), now - timedelta(days=99), "not valid yet"),
    ):
        with pytest.raises(TlsMistake, match=message):
            read_pair(files, at)


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", ""])
def test_what_is_no_address_is_not_told_to_be_exposed(address: str) -> None:
    """Whoever forgot the port needs no TLS."""
    with pytest.raises(ListenRefused, match="write host:port"):
        check_exposure(address, "--grpc", tls=False, insecure=True)
