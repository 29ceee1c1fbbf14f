"""Listeners and the transport settings of clusters: what is read, and what is refused."""

from __future__ import annotations

import pytest

from seawall_policy.compile.listeners import listener_specs
from seawall_policy.transport import IDLE_LIMIT_S, NO_LIMIT, ClientTls, ListenerSpec
from tests.unit.compile.samples import compiled, document

LISTENER = "listeners: [{name: main, address: '127.0.0.1:8080', %s}]\nroutes: [{name: r, cluster: shop}]\n"


def listener(settings: str) -> ListenerSpec:
    """Return the only listener of a document without mistakes."""
    text = LISTENER % settings
    errors = [violation for violation in compiled(text).violations if not violation.warning]
    assert errors == []
    (spec,) = listener_specs(document(text))
    return spec


def client_tls(settings: str) -> ClientTls:
    """Return the TLS settings of a cluster."""
    base = f"version: v1\nclusters: [{{name: shop, endpoints: ['s:1'], {settings}}}]\n"
    result = compiled("routes: [{name: r, cluster: shop}]", base)
    assert result.snapshot is not None, result.violations
    tls = result.snapshot.clusters["shop"].tls
    assert tls is not None
    return tls


def test_defaults() -> None:
    """A listener speaks plaintext, expects no header, and gives connections an hour without calls."""
    spec = listener("")
    assert spec.tls is None
    assert spec.proxy_header is None
    assert not spec.lifetime.ages
    assert spec.lifetime.idle_timeout_s == IDLE_LIMIT_S
    assert spec.socket_mode == 0o660


def test_tls() -> None:
    """All files are kept as they are written, names in lower case."""
    spec = listener(
        "tls: {cert_file: a.pem, key_file: a.key, client_ca_file: ca.pem, handshake_timeout: 3s, "
        "certificates: [{cert_file: b.pem, key_file: b.key, server_names: [Shop.Example., '*.example.org']}]}"
    )
    assert spec.tls is not None
    assert spec.tls.client_ca_file == "ca.pem"
    assert spec.tls.handshake_timeout_s == 3.0
    first, second = spec.tls.certificates
    assert (first.cert_file, first.key_file, first.server_names) == ("a.pem", "a.key", ())
    assert second.server_names == ("shop.example", "*.example.org")


@pytest.mark.parametrize(
    ("settings", "trusted"),
    [
        ("proxy_protocol: true", ()),
        ("proxy_protocol: {trusted: [10.0.0.0/8, '::1']}", ("10.0.0.0/8", "::1/128")),
        ("proxy_protocol: {enabled: false}", None),
        ("proxy_protocol: false", None),
    ],
)
def test_proxy_protocol(settings: str, trusted: tuple[str, ...] | None) -> None:
    """`true` or a mapping turns it on."""
    header = listener(settings).proxy_header
    assert (None if header is None else header.trusted) == trusted


def test_lifetime() -> None:
    """Times and counts are read."""
    lifetime = listener(
        "connection: {max_age: 1h, max_age_jitter: 0.2, max_age_grace: 5m, "
        "idle_timeout: 10m, max_requests: 7}"
    ).lifetime
    assert lifetime.ages
    assert (lifetime.max_age_s, lifetime.max_age_jitter, lifetime.max_age_grace_s) == (3600.0, 0.2, 300.0)
    assert (lifetime.idle_timeout_s, lifetime.max_requests) == (600.0, 7)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ("tls: {}", ""),
        ("tls: {}, authority: 'shop.example:443'", "shop.example"),
        ("tls: {}, authority: '[::1]:443'", "::1"),
        ("tls: {server_name: other.example.}, authority: 'shop.example:443'", "other.example"),
    ],
)
def test_the_name_to_expect(settings: str, name: str) -> None:
    """It is server_name, else the host of the authority; else the dialer takes the endpoint's host."""
    assert client_tls(settings).server_name == name


def test_connections_to_endpoints() -> None:
    """Unset settings have their defaults."""
    base = (
        "version: v1\nclusters: [{name: shop, endpoints: ['s:1'], "
        "connection: {keepalive_interval: 5s, max_connections: 2}}]\n"
    )
    result = compiled("routes: [{name: r, cluster: shop}]", base)
    assert result.snapshot is not None
    options = result.snapshot.clusters["shop"].connection
    assert options.key() == (5.0, 20.0, NO_LIMIT, 2, NO_LIMIT)


PAIR = "cert_file: a, key_file: b"


@pytest.mark.parametrize(
    ("settings", "place", "code"),
    [
        ("tls: {}", "tls.cert_file", "SW0107"),
        ("tls: {cert_file: a}", "tls.key_file", "SW0107"),
        (f"tls: {{{PAIR}, certificates: [{{key_file: b}}]}}", "tls.certificates[0].cert_file", "SW0107"),
        (f"tls: {{{PAIR}, handshake_timeout: 10ms}}", "tls.handshake_timeout", "SW0102"),
        (
            f"tls: {{{PAIR}, certificates: [{{{PAIR}, server_names: ['a b']}}]}}",
            "tls.certificates[0].server_names[0]",
            "SW0105",
        ),
        (
            f"tls: {{{PAIR}, certificates: [{{{PAIR}, server_names: [a]}}, {{{PAIR}, server_names: [A]}}]}}",
            "tls.certificates[1].server_names[0]",
            "SW0201",
        ),
        (
            f"tls: {{{PAIR}, certificates: [{', '.join(['{' + PAIR + '}'] * 65)}]}}",
            "tls.certificates",
            "SW0113",
        ),
        ("proxy_protocol: {trusted: [10.0.0.1/8]}", "proxy_protocol.trusted[0]", "SW0105"),
        ("proxy_protocol: {timeout: 1ms}", "proxy_protocol.timeout", "SW0102"),
        ("connection: {max_age: 10ms}", "connection.max_age", "SW0102"),
        ("connection: {max_age: 1m, max_age_jitter: 1.5}", "connection.max_age_jitter", "SW0102"),
        ("connection: {max_age_jitter: 0.5}", "connection.max_age_jitter", "SW0512"),
        ("connection: {max_age_grace: 1s}", "connection.max_age_grace", "SW0512"),
        ("connection: {max_requests: 0}", "connection.max_requests", "SW0102"),
        ("socket_mode: '660'", "socket_mode", "SW0512"),
        ("socket_mode: rw", "socket_mode", "SW0102"),
    ],
)
def test_mistakes(settings: str, place: str, code: str) -> None:
    """Each is reported at its place."""
    found = {(violation.field, violation.code) for violation in compiled(LISTENER % settings).violations}
    assert (f"listeners[0].{place}", code) in found


@pytest.mark.parametrize(
    ("settings", "place", "code"),
    [
        ("tls: {cert_file: a}", "tls.key_file", "SW0107"),
        ("tls: {key_file: a}", "tls.cert_file", "SW0107"),
        ("tls: {server_name: 'a:443'}", "tls.server_name", "SW0105"),
        ("tls: {insecure_skip_verify: true}", "tls.insecure_skip_verify", "SW0531"),
        ("tls: {insecure_skip_verify: true, ca_file: a}", "tls.ca_file", "SW0512"),
        ("connection: {keepalive_interval: 1ms}", "connection.keepalive_interval", "SW0102"),
        ("connection: {keepalive_timeout: 1ms}", "connection.keepalive_timeout", "SW0102"),
        ("connection: {idle_timeout: 1ms}", "connection.idle_timeout", "SW0102"),
        ("connection: {max_connections: 0}", "connection.max_connections", "SW0102"),
        ("connection: {max_age: 1ms}", "connection.max_age", "SW0102"),
    ],
)
def test_mistakes_of_clusters(settings: str, place: str, code: str) -> None:
    """Each is reported at its place."""
    base = f"version: v1\nclusters: [{{name: shop, endpoints: ['s:1'], {settings}}}]\n"
    violations = compiled("routes: [{name: r, cluster: shop}]", base).violations
    assert (f"clusters[0].{place}", code) in {(v.field, v.code) for v in violations}


def test_addresses_of_listeners_differ() -> None:
    """The same address twice is a mistake, except with port 0; a Unix socket is an address."""
    twice = "listeners: [{name: a, address: '%s'}, {name: b, address: '%s'}]\n"
    for address, wrong in (("unix:///run/a.sock", True), ("127.0.0.1:1", True), ("127.0.0.1:0", False)):
        violations = compiled(twice % (address, address)).violations
        assert any(v.code == "SW0201" for v in violations) == wrong
