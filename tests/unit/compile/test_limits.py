"""Reading limits and rate limits: defaults, ranges, mistakes with their place, and warnings."""

from __future__ import annotations

import pytest

from seawall.v1 import policy_pb2
from seawall_policy import rate
from seawall_policy.compile import codes
from seawall_policy.compile.document import compile_document
from seawall_policy.limit import options as limits
from seawall_policy.model import Policy
from tests.unit.compile import samples


def document(**settings: object) -> policy_pb2.PolicyDocument:
    """A document whose only route has a policy with these settings."""
    made = policy_pb2.PolicyDocument(version="v1")
    made.clusters.add(name="main").endpoints.add(address="127.0.0.1:50051")
    made.policies["p"].MergeFrom(policy_pb2.Policy(**settings))  # type: ignore[arg-type]
    made.routes.add(name="all", cluster="main", policy="p")
    return made


def compiled(**settings: object) -> Policy:
    """Return the policy."""
    result = compile_document(document(**settings))
    assert result.snapshot is not None, result.violations
    return result.snapshot.routes[0].policy


def found(**settings: object) -> list[tuple[str, str]]:
    """Return what is said about the settings: code and place."""
    return [
        (violation.code, violation.field) for violation in compile_document(document(**settings)).violations
    ]


def test_nothing_is_limited_unless_said() -> None:
    """A policy without the messages has neither."""
    policy = compiled()
    assert policy.limit is None
    assert policy.rate_limit is None


def test_defaults_of_a_limit() -> None:
    """As the schema tells them."""
    limit = compiled(limit=policy_pb2.Limit()).limit
    assert limit is not None
    assert (limit.kind, limit.max_in_flight, limit.min_in_flight, limit.initial) == (
        limits.NONE,
        1000,
        4,
        100,
    )
    assert (limit.queue, limit.queue_timeout_s, limit.header) == (0, 0.1, b"")
    assert (limit.criticality, limit.shares, limit.mode) == (
        limits.CRITICAL,
        limits.NO_SHARES,
        limits.ENFORCE,
    )


def test_every_setting_of_a_limit() -> None:
    """Each arrives where it belongs."""
    settings = policy_pb2.Limit(
        adaptive=policy_pb2.LIMIT_KIND_KNEE, max_in_flight=50, min_in_flight=2, initial=20, queue=7,
        criticality_header="x-crit", criticality=policy_pb2.CRITICALITY_SHEDDABLE, shares=[share(1, 25)],
        mode=policy_pb2.MODE_SHADOW,
    )  # fmt: skip
    settings.queue_timeout.FromMilliseconds(250)
    limit = compiled(limit=settings).limit
    assert limit is not None
    assert (limit.kind, limit.max_in_flight, limit.min_in_flight, limit.initial) == (limits.KNEE, 50, 2, 20)
    assert (limit.queue, limit.queue_timeout_s, limit.header) == (7, 0.25, b"x-crit")
    assert (limit.criticality, limit.mode) == (limits.SHEDDABLE, limits.SHADOW)
    assert limit.shares == (0.25, 0.0, 0.0, 0.0)


def test_every_setting_of_a_rate_limit() -> None:
    """Each arrives where it belongs; the defaults are those of the schema."""
    limited = compiled(
        rate_limit=policy_pb2.RateLimit(per_second=5, key=["peer", "metadata:x-tenant"])
    ).rate_limit
    assert limited is not None
    assert (limited.per_second, limited.burst, limited.max_keys, limited.mode) == (
        5.0,
        5,
        10_000,
        rate.ENFORCE,
    )
    assert limited.key == ("peer", "metadata:x-tenant")
    settings = policy_pb2.RateLimit(
        per_second=5, burst=9, key=["method"], max_keys=3, mode=policy_pb2.MODE_OFF
    )
    limited = compiled(rate_limit=settings).rate_limit
    assert limited is not None
    assert (limited.burst, limited.max_keys, limited.mode) == (9, 3, rate.OFF)


def share(criticality: int, percent: float | None = None) -> policy_pb2.CriticalityShare:
    """What a class is sure of."""
    return policy_pb2.CriticalityShare(criticality=criticality, share=percent)  # type: ignore[arg-type]


def of_kind(kind: int, initial: int | None = None) -> policy_pb2.Limit:
    """A limit of a kind."""
    return policy_pb2.Limit(adaptive=kind, initial=initial)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "code", "place"),
    [
        (policy_pb2.Limit(max_in_flight=0), codes.OUT_OF_RANGE, "max_in_flight"),
        (policy_pb2.Limit(min_in_flight=9, max_in_flight=8), codes.LIMIT_RANGE, "min_in_flight"),
        (policy_pb2.Limit(queue=100_001), codes.OUT_OF_RANGE, "queue"),
        (policy_pb2.Limit(criticality_header="X-Crit"), codes.BAD_METADATA, "criticality_header"),
        (policy_pb2.Limit(criticality_header="crit-bin"), codes.BAD_METADATA, "criticality_header"),
        (of_kind(99), codes.NEWER, "adaptive"),
        (policy_pb2.Limit(shares=[share(0, 1)]), codes.MISSING, "shares[0].criticality"),
        (policy_pb2.Limit(shares=[share(1)]), codes.MISSING, "shares[0].share"),
        (
            policy_pb2.Limit(shares=[share(1, 2)] * 2),
            codes.DUPLICATE_NAME, "shares[1].criticality",
        ),
        (
            policy_pb2.Limit(shares=[share(1, 60), share(2, 60)]),
            codes.SHARES_TOO_LARGE, "shares",
        ),
        (policy_pb2.Limit(initial=5), codes.NO_EFFECT, "initial"),
        (policy_pb2.Limit(min_in_flight=5), codes.NO_EFFECT, "min_in_flight"),
        (of_kind(6, 2), codes.NO_EFFECT, "initial"),
        (of_kind(3), codes.ADAPTIVE_WITHOUT_QUEUE, "adaptive"),
        (policy_pb2.Limit(criticality_header="x-crit"), codes.CRITICALITY_UNUSED, "criticality_header"),
    ],
)  # fmt: skip
def test_mistakes_of_a_limit(settings: policy_pb2.Limit, code: str, place: str) -> None:
    """Each is told once, where it is."""
    assert (code, f"policies.p.limit.{place}") in found(limit=settings)


@pytest.mark.parametrize(
    ("settings", "code", "place"),
    [
        (policy_pb2.RateLimit(), codes.MISSING, "per_second"),
        (policy_pb2.RateLimit(per_second=0), codes.OUT_OF_RANGE, "per_second"),
        (policy_pb2.RateLimit(per_second=1, burst=0), codes.OUT_OF_RANGE, "burst"),
        (policy_pb2.RateLimit(per_second=1, key=["metadata:"]), codes.BAD_RATE_KEY, "key[0]"),
        (policy_pb2.RateLimit(per_second=1, key=["metadata:x-bin"]), codes.BAD_RATE_KEY, "key[0]"),
        (policy_pb2.RateLimit(per_second=1, key=["peer", "peer"]), codes.REPEATED, "key[1]"),
        (policy_pb2.RateLimit(per_second=1, key=["peer"] * 9), codes.TOO_MANY, "key"),
        (policy_pb2.RateLimit(per_second=5000, burst=4), codes.BURST_TOO_SMALL, "burst"),
        (policy_pb2.RateLimit(per_second=1, max_keys=4), codes.NO_EFFECT, "max_keys"),
    ],
)
def test_mistakes_of_a_rate_limit(settings: policy_pb2.RateLimit, code: str, place: str) -> None:
    """Each is told once, where it is."""
    assert (code, f"policies.p.rate_limit.{place}") in found(rate_limit=settings)


def test_waiting_and_the_timeout() -> None:
    """Waiting as long as the call may last, or without a queue, is not meant."""
    waits = policy_pb2.Limit(queue=5)
    waits.queue_timeout.FromSeconds(2)
    policy = policy_pb2.Policy(limit=waits)
    policy.timeout.FromSeconds(1)
    assert (codes.WAITS_OUTLAST_CALL, "policies.p.limit.queue_timeout") in found(
        limit=waits, timeout=policy.timeout
    )
    waits.queue = 0
    assert (codes.NO_EFFECT, "policies.p.limit.queue_timeout") in found(limit=waits)


@pytest.mark.parametrize("name", ["standard", "read", "write", "batch", "latency-critical"])
def test_the_built_in_limits(name: str) -> None:
    """They are adaptive, and let calls wait; streams have none."""
    made = document(extends=f"builtin/{name}")
    result = compile_document(made)
    assert result.snapshot is not None
    limit = result.snapshot.routes[0].policy.limit
    assert limit is not None
    assert limit.kind == limits.KNEE
    assert limit.queue > 0
    assert compiled(extends="builtin/streaming").limit is None


def test_fair_shares() -> None:
    """One part or several, a bound, and the threshold of brownouts."""
    limit = compiled(
        limit=policy_pb2.Limit(
            queue=5, brownout=55, fair_share=policy_pb2.FairShare(key=["peer", "metadata:x-t"], max_tenants=7)
        )
    ).limit
    assert limit is not None
    assert limit.fair is not None
    assert limit.fair.parts == ("peer", "metadata:x-t")
    assert (limit.max_tenants, round(limit.brownout, 6)) == (7, 0.55)
    plain = compiled(limit=policy_pb2.Limit()).limit
    assert plain is not None
    assert (plain.fair, plain.max_tenants, plain.brownout) == (None, 1000, 0.8)


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({}, "policies.p.limit.fair_share.key"),
        ({"key": ["x-tenant"]}, "policies.p.limit.fair_share.key[0]"),
        ({"key": ["peer"], "max_tenants": 0}, "policies.p.limit.fair_share.max_tenants"),
    ],
)
def test_wrong_fair_shares(settings: dict[str, object], place: str) -> None:
    """Each mistake is told at its place."""
    fair = policy_pb2.FairShare(**settings)  # type: ignore[arg-type]
    assert [at for _, at in found(limit=policy_pb2.Limit(queue=5, fair_share=fair))] == [place]


def test_fair_shares_need_a_queue() -> None:
    """Where nobody waits nobody is chosen."""
    fair = policy_pb2.FairShare(key=["peer"])
    assert found(limit=policy_pb2.Limit(fair_share=fair))[0][1] == "policies.p.limit.fair_share"
    assert found(limit=policy_pb2.Limit(fair_share=fair, queue=1)) == []


def test_optional_routes() -> None:
    """They need a limit, and one that they share with those that they make room for."""
    base = "routes: [{name: get, match: {method: Get, service: a.B}, cluster: shop, policy: p}, %s]"

    def told(policies: str, route: str) -> list[tuple[str, str]]:
        result = samples.compiled(f"policies: {{{policies}}}\n" + base % route)
        assert result.snapshot is not None, result.violations
        return [entry for entry in samples.warnings(result) if "optional" in entry[0]]

    limited = "p: {limit: {max_in_flight: 5, queue: 5}}"
    rest = "{name: rest, cluster: shop, policy: %s, optional: true}"
    assert told(limited, rest % "p") == []
    less = f"{limited}, q: {{extends: p, limit: {{criticality: sheddable, brownout: 50%}}}}"
    assert told(less, rest % "q") == []
    none = told("p: {limit: {max_in_flight: 5}}, q: {timeout: 1s}", rest % "q")
    assert none == [("routes[1].optional", "SW0512")]
    other = "p: {limit: {max_in_flight: 5}}, q: {extends: p, limit: {max_in_flight: 6}}"
    assert told(other, rest % "q") == [("routes[1].optional", "SW0553")]
    off = "p: {limit: {mode: off}}"
    assert [place for place, _ in told(off, rest % "p")] == ["routes[1].optional"]
