"""Warnings: each for what it is about, and silence for what is meant."""

from __future__ import annotations

import pytest

from seawall_policy.descriptors import DescriptorSource
from tests.unit.compile.samples import compiled, errors, policy_of, shop_descriptors, warnings

RETRY = "max_attempts: 3, only_idempotent: false"


@pytest.mark.parametrize(
    ("settings", "field", "code"),
    [
        (f"{{timeout: 1s, per_try_timeout: 500ms, retry: {{{RETRY}}}}}", "per_try_timeout", "SW0501"),
        ("{timeout: 1s, per_try_timeout: 1s}", "per_try_timeout", "SW0509"),
        (f"{{retry: {{{RETRY}, codes: [NOT_FOUND]}}}}", "retry.codes[0]", "SW0502"),
        ("{retry: {codes: [UNAVAILABLE]}}", "retry.codes", "SW0507"),
        ("{retry: {max_attempts: 1, budget: {}}}", "retry.budget", "SW0507"),
        (f"{{retry: {{{RETRY}, budget: {{percent: 100}}}}}}", "retry.budget.percent", "SW0508"),
        (
            f"{{retry: {{{RETRY}, backoff: {{kind: constant, multiplier: 3}}}}}}",
            "retry.backoff.multiplier",
            "SW0512",
        ),
        (f"{{retry: {{{RETRY}, backoff: {{initial: 2s}}}}}}", "retry.backoff.initial", "SW0512"),
        ("{breaker: {min_calls: 101}}", "breaker.min_calls", "SW0504"),
        ("{breaker: {min_calls: 11, window: {size: 10}}}", "breaker.min_calls", "SW0504"),
        ("{breaker: {window: {kind: time, size: 5}}}", "breaker.window.size", "SW0512"),
        ("{breaker: {window: {duration: 5s}}}", "breaker.window.duration", "SW0512"),
        ("{breaker: {slow_call: {rate: 50%}}}", "breaker.slow_call", "SW0512"),
        ("{timeout: 1s, breaker: {slow_call: {duration: 1s}}}", "breaker.slow_call.duration", "SW0512"),
        ("{breaker: {open_for_max: 30s}}", "breaker.open_for_max", "SW0512"),
        ("{breaker: {open_for: 9s, open_multiplier: 2, open_for_max: 8s}}", "breaker.open_for_max", "SW0512"),
        ("{breaker: {failure_codes: [CANCELLED]}}", "breaker.failure_codes[0]", "SW0516"),
        ("{fallback: [{when: any, cluster: shop}]}", "", "SW0505"),
    ],
)
def test_warned_about(settings: str, field: str, code: str) -> None:
    """Each of these is allowed, and warned about once and at its own place."""
    result = policy_of(settings)
    place = f"policies.p.{field}" if field else "routes[0].policy"
    assert errors(result) == []
    assert warnings(result) == [(place, code)]


@pytest.mark.parametrize(
    "settings",
    [
        f"{{timeout: 1500ms, per_try_timeout: 500ms, retry: {{{RETRY}}}}}",
        "{timeout: 1s, per_try_timeout: 999ms}",
        f"{{retry: {{{RETRY}, codes: [UNAVAILABLE, ABORTED, RESOURCE_EXHAUSTED, INTERNAL]}}}}",
        f"{{retry: {{{RETRY}, codes: [UNKNOWN, DATA_LOSS]}}}}",
        "{retry: {max_attempts: 1}}",
        f"{{retry: {{{RETRY}, budget: {{percent: 99}}}}}}",
        f"{{retry: {{{RETRY}, backoff: {{multiplier: 3}}}}}}",
        f"{{retry: {{{RETRY}, backoff: {{initial: 1s}}}}}}",
        "{breaker: {min_calls: 100}}",
        "{breaker: {min_calls: 500, window: {kind: time, duration: 5s}}}",
        "{breaker: {window: {size: 10}}}",  # the default of min_calls is nobody's slip
        "{timeout: 1s, breaker: {slow_call: {duration: 999ms}}}",
        "{breaker: {open_multiplier: 2, open_for_max: 30s}}",
        "{fallback: [{when: any, cluster: backup}]}",
        "{extends: builtin/read}",
        "{extends: builtin/latency-critical}",
        "{extends: builtin/streaming, breaker: {open_multiplier: 2, open_for_max: 30s}}",
    ],
)
def test_not_warned_about(settings: str) -> None:
    """What is meant passes in silence."""
    result = policy_of(settings)
    assert errors(result) == []
    assert warnings(result) == []


def test_inherited_settings_count_and_are_not_blamed_twice() -> None:
    """A rule on settings together sees the parent's; a child that says nothing of them is left in peace."""
    result = compiled("""
policies:
  parent: {timeout: 1s, retry: {max_attempts: 3, only_idempotent: false}}
  child: {extends: parent, per_try_timeout: 900ms}
  quiet: {extends: child}
routes:
  - {name: a, cluster: shop, policy: child}
  - {name: b, cluster: shop, policy: quiet, match: {service: s}}
""")
    assert warnings(result) == [("policies.child.per_try_timeout", "SW0501")]


def test_retry_that_never_happens() -> None:
    """Asking for retries without declaring any method idempotent is warned about; each way of declaring
    one is enough.
    """
    asked = "policies: {p: {retry: {max_attempts: 2}}}\n"
    match = "match: {service: shop.v1.Checkout, method: %s}"
    silent = asked + f"routes: [{{name: r, cluster: shop, policy: p, {match % 'PlaceOrder'}}}]"
    declared = asked + "routes: [{name: r, cluster: shop, policy: p, idempotent: true}]"
    described = asked + f"routes: [{{name: r, cluster: shop, policy: p, {match % 'GetOrder'}}}]"
    source = DescriptorSource([shop_descriptors()])
    assert warnings(compiled(silent)) == [("routes[0]", "SW0503")]
    assert warnings(compiled(silent, descriptors=source)) == [("routes[0]", "SW0503")]
    assert warnings(compiled(declared)) == []
    assert warnings(compiled(described, descriptors=source)) == []
    assert warnings(compiled("routes: [{name: r, cluster: shop, policy: builtin/standard}]")) == []


def test_shadowed_routes() -> None:
    """Only a route with exactly the conditions of an earlier one is never reached."""
    result = compiled("""
routes:
  - {name: a, cluster: shop, match: {service: s, metadata: [{name: x, value: "1"}, {name: y, value: "2"}]}}
  - {name: b, cluster: shop, match: {service: s, metadata: [{name: y, value: "2"}, {name: x, value: "1"}]}}
  - {name: c, cluster: shop, match: {service: s, metadata: [{name: x, value: "1"}]}}
  - {name: d, cluster: shop, match: {service: s, method: m}}
  - {name: e, cluster: shop, match: {service: s}}
  - {name: f, cluster: shop}
  - {name: g, cluster: shop}
""")
    assert warnings(result) == [("routes[1]", "SW0506"), ("routes[6]", "SW0506")]


def test_fallback_to_self_needs_all_backends_to_be_the_same() -> None:
    """A fallback to one of several backends still asks others."""
    result = compiled("""
policies: {p: {fallback: [{when: any, cluster: backup}]}}
routes: [{name: a, backends: [{cluster: shop}, {cluster: backup}], policy: p},
         {name: b, match: {service: s}, backends: [{cluster: shop, weight: 0}, {cluster: backup}], policy: p}]
""")
    assert warnings(result) == [("routes[1].policy", "SW0505")]


def test_unused_clusters_and_policies() -> None:
    """What nothing refers to is probably forgotten; what a fallback or another policy refers to is not."""
    result = compiled(
        """
clusters: [{name: a, endpoints: ['a:1']}, {name: b, endpoints: ['b:1']}, {name: c, endpoints: ['c:1']}]
policies: {base: {}, p: {extends: base, fallback: [{when: any, cluster: b}]}, lost: {}}
routes: [{name: r, cluster: a, policy: p}]
""",
        base="version: v1",
    )
    assert [(v.field, v.code) for v in result.violations] == [
        ("policies.lost", "SW0511"),
        ("clusters[2]", "SW0510"),
    ]


@pytest.mark.parametrize(
    ("listener", "endpoint", "own"),
    [
        ("127.0.0.1:8080", "127.0.0.1:8080", True),
        ("127.0.0.1:8080", "localhost:8080", True),
        ("0.0.0.0:8080", "127.0.0.1:8080", True),
        ("[::]:8080", "[::1]:8080", True),
        ("127.0.0.1:8080", "127.0.0.1:8081", False),
        ("127.0.0.1:8080", "10.0.0.1:8080", False),
    ],
)
def test_clusters_that_send_to_the_proxy_itself(listener: str, endpoint: str, own: bool) -> None:
    """An endpoint that is one of our listeners would send calls round in circles."""
    result = compiled(
        f"listeners: [{{name: l, address: '{listener}'}}]\nclusters: "
        f"[{{name: c, endpoints: ['{endpoint}']}}]\n"
        "routes: [{name: r, cluster: c}]",
        base="version: v1\n",
    )
    assert warnings(result) == ([("clusters[0].endpoints[0]", "SW0514")] if own else [])
