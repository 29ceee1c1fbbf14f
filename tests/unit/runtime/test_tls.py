"""TLS contexts from files, and what follows when the files change."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from seawall_policy.transport import ClientTls, ServerCertificate, ServerTls
from seawall_proxy.runtime.tls import TlsMistake, client_context, server_context
from seawall_proxy.runtime.tls_files import ClusterTls, listener_tls
from tests.kit.certificates import Authority, Pair, pem_key

NOW_S = 4e9


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Give an authority in the folder that names are relative to."""
    return Authority(tmp_path)


def server_tls(*pairs: Pair, client_ca: str = "") -> ServerTls:
    """Return a listener's settings, names relative to the folder."""
    return ServerTls(tuple(ServerCertificate(p.cert.name, p.key.name, ()) for p in pairs), client_ca, 10.0)


def handshake(
    server: ssl.SSLContext, client: ssl.SSLContext, name: str
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Shake hands in memory; return both ends, the server's first."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(10):
        for end in (theirs, ours):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours, theirs


def test_both_contexts_fit(authority: Authority, tmp_path: Path) -> None:
    """What the listener's context offers is what the cluster's asks for, with a client certificate too."""
    pair = authority.issue("a", "a.example")
    server = server_context(server_tls(pair, client_ca="ca.pem"), tmp_path)
    client = client_context(ClientTls("ca.pem", pair.cert.name, pair.key.name, "", True), tmp_path)
    ours, theirs = handshake(server.context, client.context, "a.example")
    assert ours.selected_alpn_protocol() == theirs.selected_alpn_protocol() == "h2"
    assert theirs.version() == "TLSv1.3"
    assert ours.getpeercert()


def test_an_rsa_certificate_is_as_good(authority: Authority, tmp_path: Path) -> None:
    """RSA keys have suites of their own in TLS 1.2."""
    pair = authority.issue("a", "a.example", key=rsa.generate_private_key(65537, 2048))
    server = server_context(server_tls(pair), tmp_path)
    client = client_context(ClientTls("ca.pem", "", "", "", True), tmp_path).context
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    _, theirs = handshake(server.context, client, "a.example")
    cipher = theirs.cipher()
    assert cipher is not None
    assert cipher[0].startswith("ECDHE-RSA-")


def test_hardening(authority: Authority, tmp_path: Path) -> None:
    """No context speaks less than TLS 1.2, compresses or renegotiates."""
    pair = authority.issue("a", "a.example")
    for made in (
        server_context(server_tls(pair), tmp_path),
        client_context(ClientTls("", "", "", "", True), tmp_path),
        client_context(ClientTls("", "", "", "", False), tmp_path),
    ):
        context = made.context
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_COMPRESSION
        assert context.options & ssl.OP_NO_RENEGOTIATION
        old = [c["name"] for c in context.get_ciphers() if c["protocol"] != "TLSv1.3"]
        assert old
        assert all(name.startswith("ECDHE-") and ("GCM" in name or "CHACHA20" in name) for name in old)


def damaged(authority: Authority, kind: str) -> ServerTls:
    """Return settings whose files have something wrong with them."""
    pair = authority.issue("a", "a.example")
    other = authority.issue("b", "b.example")
    client_ca = ""
    match kind:
        case "no certificate":
            pair.cert.unlink()
        case "no key":
            pair.key.unlink()
        case "other key":
            pair.key.write_bytes(other.key.read_bytes())
        case "other kind of key":
            pair.key.write_bytes(pem_key(rsa.generate_private_key(65537, 2048)))
        case "encrypted":
            pair.key.write_bytes(pem_key(authority.key, b"secret"))
        case "no PEM":
            pair.cert.write_bytes(b"\x30\x82")
        case "key is no key":
            pair.key.write_text("hello")
        case "no authorities":
            client_ca = "a.key"
        case "huge":
            pair.cert.write_bytes(bytes(2 << 20))
    return server_tls(pair, client_ca=client_ca)


@pytest.mark.parametrize(
    ("kind", "file", "said"),
    [
        ("no certificate", "a.pem", "cannot be read"),
        ("no key", "a.key", "cannot be read"),
        ("other key", "a.key", "is not the private key of"),
        ("other kind of key", "a.key", "is not the private key of"),
        ("encrypted", "a.key", "decrypt it"),
        ("no PEM", "a.pem", "PEM form"),
        ("key is no key", "a.key", "PEM form"),
        ("no authorities", "a.key", "holds no usable certificates"),
        ("huge", "a.pem", "larger than"),
    ],
)
def test_mistakes_name_file_and_remedy(
    authority: Authority, tmp_path: Path, kind: str, file: str, said: str
) -> None:
    """Whatever is wrong with a file, the message names it, and holds nothing of what is in it."""
    with pytest.raises(TlsMistake, match=said) as failure:
        server_context(damaged(authority, kind), tmp_path)
    assert str(tmp_path / file) in str(failure.value)
    assert "PRIVATE KEY" not in str(failure.value)


def touch(path: Path) -> None:
    """Make a file look changed even on a clock with coarse steps."""
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000_000))


def test_a_change_is_taken_up_when_it_is_still(authority: Authority, tmp_path: Path) -> None:
    """The first look sees the change, the second one takes it up; the old context is left alone."""
    pair = authority.issue("a", "a.example", ends_in_days=100_000)
    files = listener_tls("main", server_tls(pair), tmp_path)
    before = files.context
    assert files.look(NOW_S) is None
    pair.replace_by(authority.issue("b", "b.example", ends_in_days=100_000))
    touch(pair.cert)
    assert files.look(NOW_S) is None
    assert files.context is before
    assert files.look(NOW_S) is True
    assert files.context is not before
    assert files.certificates[0].certificate.dns_names == ("b.example",)
    assert files.look(NOW_S) is None


@pytest.mark.parametrize(
    ("days", "starts", "said"), [(1.0, -1.0, "has expired"), (100_000.0, 90_000.0, "not valid yet")]
)
def test_a_change_that_is_not_valid_is_refused(
    authority: Authority, tmp_path: Path, days: float, starts: float, said: str
) -> None:
    """The old context stays, and the reason is kept until a right one comes."""
    pair = authority.issue("a", "a.example", ends_in_days=100_000)
    files = listener_tls("main", server_tls(pair), tmp_path)
    before = files.context
    pair.replace_by(authority.issue("b", "b.example", starts_in_days=starts, ends_in_days=days))
    touch(pair.cert)
    assert [files.look(NOW_S), files.look(NOW_S)] == [None, False]
    assert files.context is before
    assert said in files.mistake
    pair.replace_by(authority.issue("c", "c.example", ends_in_days=100_000))
    touch(pair.key)
    assert [files.look(NOW_S), files.look(NOW_S)] == [None, True]
    assert files.mistake == ""


def test_files_that_were_refused_are_tried_again(authority: Authority, tmp_path: Path) -> None:
    """Time makes a certificate valid, and permissions change, without a trace in the files; a reason that
    stays is said once.
    """
    pair = authority.issue("a", "a.example", ends_in_days=100_000)
    files = listener_tls("main", server_tls(pair), tmp_path)
    pair.replace_by(authority.issue("b", "b.example", starts_in_days=90_000.0, ends_in_days=100_000.0))
    touch(pair.cert)
    assert [files.look(NOW_S), files.look(NOW_S)] == [None, False]
    assert [files.look(NOW_S + 1.0), files.look(NOW_S + 3600.0)] == [None, None]
    assert "not valid yet" in files.mistake
    assert files.look(10e9) is True
    assert files.mistake == ""


def test_clusters_share_contexts_by_their_settings(authority: Authority, tmp_path: Path) -> None:
    """Two clusters that differ only in the expected name share a context; what nobody uses is dropped."""
    assert authority.path.name == "ca.pem"
    contexts = ClusterTls(tmp_path)
    one, two = (ClientTls("ca.pem", "", "", name, True) for name in ("a", "b"))
    three = ClientTls("gone.pem", "", "", "", True)
    assert contexts.prepare([("one", one), ("two", two)]) == []
    (mistake,) = contexts.prepare([("three", three)])
    assert mistake.startswith("clusters[three].tls: ")
    assert "gone.pem" in mistake
    assert contexts.context(one) is contexts.context(two)
    assert len(list(contexts)) == 1
    contexts.keep([])
    assert list(contexts) == []
