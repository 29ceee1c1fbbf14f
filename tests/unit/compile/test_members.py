"""What a cluster says about its members: read in range, or told off where it stands."""

from __future__ import annotations

import pytest

from seawall_policy.compile import compile_document
from seawall_policy.compile.document import digest
from seawall_policy.health import KIND_TCP
from seawall_policy.model import BALANCE_PEAK_EWMA, BALANCE_RANDOM, BALANCE_RING_HASH, ClusterSpec
from seawall_proxy.config import load_text


def read(cluster: str) -> tuple[ClusterSpec | None, list[str]]:
    """Return the cluster `c` of a document with these settings, and what is wrong, as `field code`."""
    text = (
        f"version: v1\nclusters: [{{name: c, {cluster}}}]\nroutes: [{{name: r, match: {{}}, cluster: c}}]\n"
    )
    loaded = load_text(text)
    problems = [f"{v.field} {v.code}" for v in loaded.violations]
    result = compile_document(loaded.document)
    problems += [f"{v.field.removeprefix('clusters[0].')} {v.code}" for v in result.violations]
    return (None if result.snapshot is None else result.snapshot.clusters["c"]), problems


def good(cluster: str) -> ClusterSpec:
    """Return a cluster without mistakes."""
    spec, problems = read(cluster)
    assert problems == []
    assert spec is not None
    return spec


ENDPOINTS = "endpoints: ['a:1']"


def test_defaults() -> None:
    """What is not said is off, or as documented."""
    spec = good(ENDPOINTS)
    assert (spec.dns, spec.health_check, spec.slow_start, spec.hashing) == (None, None, None, None)
    assert spec.panic_threshold == 0.5
    assert spec.traits_of("a:1").key() == (1, "", 0)


def test_traits() -> None:
    """Weight, zone and priority are kept by address."""
    spec = good("endpoints: ['a:1', {address: 'b:1', weight: 7, zone: eu-1a, priority: 2}]")
    assert spec.endpoints == ("a:1", "b:1")
    assert spec.traits_of("b:1").key() == (7, "eu-1a", 2)


@pytest.mark.parametrize(
    ("name", "number"),
    [("random", BALANCE_RANDOM), ("peak_ewma", BALANCE_PEAK_EWMA)],
)
def test_balances(name: str, number: int) -> None:
    """By their names."""
    assert good(f"{ENDPOINTS}, balance: {name}").balance == number


def test_ring_hash() -> None:
    """The key may stand alone; the ring's size has bounds."""
    spec = good(f"{ENDPOINTS}, balance: ring_hash, hash: x-user")
    assert spec.balance == BALANCE_RING_HASH
    assert spec.hashing is not None
    assert spec.hashing.key() == (b"x-user", 1024, 4096)
    small = good(f"{ENDPOINTS}, balance: ring_hash, hash: {{metadata: x-user, max_ring: 100}}")
    assert small.hashing is not None
    assert small.hashing.key() == (b"x-user", 100, 100)


@pytest.mark.parametrize(
    ("target", "host", "port"),
    [
        ("dns:///shop:50051", "shop", 50051),
        ("dns:///[::1]:1", "::1", 1),
        ("dns:///10.0.0.1:7", "10.0.0.1", 7),
    ],
)
def test_targets(target: str, host: str, port: int) -> None:
    """A host and a port, with how often they are looked up."""
    spec = good(f"target: '{target}', dns: {{interval: 10s, min_interval: 200ms, timeout: 1s}}")
    assert spec.dns is not None
    assert spec.dns.key() == (host, port, 10.0, 0.2, 1.0)
    assert spec.endpoints == ()


def test_the_name_in_the_target_is_what_certificates_are_for() -> None:
    """Unless something else is said."""
    spec = good("target: 'dns:///shop:50051', tls: {}")
    assert spec.tls is not None
    assert spec.tls.server_name == "shop"


def test_health_checks() -> None:
    """Every setting, and what follows from others."""
    spec = good(
        f"{ENDPOINTS}, health_check: {{kind: tcp, interval: 2s, timeout: 300ms, unhealthy_after: 3, "
        "healthy_after: 4, jitter: 0, no_traffic_interval: 1m}"
    )
    assert spec.health_check is not None
    assert spec.health_check.key() == (KIND_TCP, 2.0, 0.3, 3, 4, "", 0.0, 60.0, True)
    plain = good(
        f"{ENDPOINTS}, health_check: {{interval: 3s, service: shop.v1.Shop, watch: false}}"
    ).health_check
    assert plain is not None
    assert plain.key() == (1, 3.0, 1.0, 2, 1, "shop.v1.Shop", 0.1, 3.0, False)


def test_slow_start_and_panic() -> None:
    """Percentages become shares; the window may stand alone."""
    spec = good(
        f"{ENDPOINTS}, slow_start: {{window: 5s, aggression: 2, min_weight: 25%}}, panic_threshold: 0%"
    )
    assert spec.slow_start is not None
    assert (spec.slow_start.window_s, spec.slow_start.aggression, spec.slow_start.min_weight) == (
        5.0,
        2.0,
        0.25,
    )
    assert spec.panic_threshold == 0.0
    alone = good(f"{ENDPOINTS}, slow_start: 7s").slow_start
    assert alone is not None
    assert alone.window_s == 7.0


@pytest.mark.parametrize(
    ("cluster", "problem"),
    [
        ("endpoints: [{address: 'a:1', weight: 0}]", "endpoints[0].weight SW0102"),
        ("endpoints: [{address: 'a:1', weight: 1000001}]", "endpoints[0].weight SW0102"),
        ("endpoints: [{address: 'a:1', priority: 128}]", "endpoints[0].priority SW0102"),
        ("endpoints: [{address: 'a:1', zone: 'a b'}]", "endpoints[0].zone SW0106"),
        ("target: 'shop:50051'", "target SW0105"),
        ("target: 'dns:///shop'", "target SW0105"),
        ("target: 'dns://8.8.8.8/shop:1'", "target SW0105"),
        (f"target: 'dns:///shop:1', {ENDPOINTS}", "target SW0108"),
        ("max_in_flight: 1", "endpoints SW0107"),
        (f"{ENDPOINTS}, dns: {{interval: 5s}}", "dns SW0512"),
        ("target: 'dns:///shop:1', dns: {interval: 10ms}", "dns.interval SW0102"),
        ("target: 'dns:///shop:1', dns: {min_interval: 10ms}", "dns.min_interval SW0102"),
        ("endpoints: ['dns:///a:1']", "endpoints[0] SW0105"),
        (f"{ENDPOINTS}, balance: ring_hash", "hash SW0107"),
        (f"{ENDPOINTS}, hash: x-user", "hash SW0512"),
        (f"{ENDPOINTS}, balance: ring_hash, hash: X-User", "hash.metadata SW0111"),
        (f"{ENDPOINTS}, balance: ring_hash, hash: x-bin", "hash.metadata SW0111"),
        (f"{ENDPOINTS}, balance: ring_hash, hash: {{metadata: x, min_ring: 70000}}", "hash.min_ring SW0102"),
        (
            f"{ENDPOINTS}, balance: ring_hash, hash: {{metadata: x, min_ring: 9, max_ring: 8}}",
            "hash.min_ring SW0102",
        ),
        (f"{ENDPOINTS}, balance: ring_hash, hash: x, slow_start: 5s", "slow_start SW0512"),
        (f"{ENDPOINTS}, slow_start: {{aggression: 0}}", "slow_start.aggression SW0102"),
        (f"{ENDPOINTS}, slow_start: {{min_weight: 0%}}", "slow_start.min_weight SW0102"),
        (f"{ENDPOINTS}, slow_start: {{window: 2h}}", "slow_start.window SW0102"),
        (f"{ENDPOINTS}, health_check: {{interval: 1ms}}", "health_check.interval SW0102"),
        (f"{ENDPOINTS}, health_check: {{timeout: 6m}}", "health_check.timeout SW0102"),
        (f"{ENDPOINTS}, health_check: {{unhealthy_after: 0}}", "health_check.unhealthy_after SW0102"),
        (f"{ENDPOINTS}, health_check: {{healthy_after: 101}}", "health_check.healthy_after SW0102"),
        (f"{ENDPOINTS}, health_check: {{jitter: 1.5}}", "health_check.jitter SW0102"),
        (f"{ENDPOINTS}, health_check: {{service: 'a b'}}", "health_check.service SW0106"),
        (f"{ENDPOINTS}, health_check: {{kind: tcp, watch: true}}", "health_check SW0512"),
    ],
)
def test_mistakes(cluster: str, problem: str) -> None:
    """Each mistake is reported once, at its place."""
    assert read(cluster)[1] == [problem]


def test_the_zone_is_the_proxys_own() -> None:
    """It is checked, and no part of what a revision is."""
    base = (
        f"version: v1\nclusters: [{{name: c, {ENDPOINTS}}}]\nroutes: [{{name: r, match: {{}}, cluster: c}}]\n"
    )
    plain, zoned = load_text(base).document, load_text(base + "zone: a\n").document
    assert digest(plain) == digest(zoned)
    assert zoned.zone == "a"
    assert [v.field for v in compile_document(load_text(base + "zone: 'a b'\n").document).violations] == [
        "zone"
    ]
