"""What a call gets: the route, why not another one, and where each number comes from."""

from __future__ import annotations

import pytest

from seawall_policy.descriptors import DescriptorSource
from seawall_policy.explain import (
    CLUSTER_ORDER,
    DEFAULT_SOURCE,
    ORDER,
    WHERE_IT_IS,
    Explanation,
    InCluster,
    Mechanism,
    NotUsable,
    explain,
)
from tests.unit.compile.samples import document, shop_descriptors

TEXT = """
policies:
  base: {extends: builtin/standard, breaker: {open_for: 9s}}
  careful: {extends: base, timeout: 2s, retry: {max_attempts: 3, backoff: {initial: 10ms}}}
  lone: {breaker: {mode: shadow}, retry: {max_attempts: 2}}
routes:
  - {name: all, cluster: shop}
  - {name: gold, match: {service: a.B, method: C, metadata: [{name: x-tier, value: gold}]}, cluster: shop}
  - {name: other, match: {service: x.Y}, cluster: shop, policy: lone}
  - name: c
    match: {service: a.B, method: C}
    backends: [{cluster: shop, weight: 3}, {cluster: backup, weight: 1}]
    policy: careful
    idempotent: true
  - {name: again, match: {service: a.B, method: C}, cluster: shop}
  - {name: b, match: {service: a.B}, cluster: shop}
  - {name: checkout, match: {service: shop.v1.Checkout}, cluster: shop}
"""


def explained(method: str, *metadata: tuple[str, str]) -> Explanation:
    """Explain a call under the policy above."""
    return explain(document(TEXT), method, metadata, DescriptorSource([shop_descriptors()]))


def mechanism(found: Explanation, name: str) -> Mechanism:
    """Return one mechanism."""
    return next(one for one in found.mechanisms if one.name == name)


def numbers_of(inside: InCluster) -> dict[str, tuple[object, str]]:
    """Return value and source of each setting in a cluster."""
    return {one.name: (one.value, one.source) for part in inside.mechanisms for one in part.settings}


def sources(found: Explanation, name: str) -> dict[str, tuple[object, str]]:
    """Return value and source of each setting of a mechanism."""
    return {one.name: (one.value, one.source) for one in mechanism(found, name).settings}


def test_the_route_and_why_not_the_others() -> None:
    """The reasons are those by which the data path chooses."""
    found = explained("/a.B/C")
    assert (found.method, found.route, found.policy) == ("a.B/C", "c", "careful")
    assert {one.route: one.why for one in found.passed_over} == {
        "all": "c is for a.B/C, which is more specific than every service",
        "gold": "metadata: x-tier is not 'gold'",
        "other": "it is for x.Y",
        "again": "c has the same conditions and comes first",
        "b": "c is for a.B/C, which is more specific than a.B",
        "checkout": "it is for shop.v1.Checkout",
    }
    assert found.destinations == (("shop", 0.75), ("backup", 0.25))


def test_metadata_decides() -> None:
    """A route with conditions goes first where they hold."""
    found = explained("a.B/C", ("x-tier", "gold"))
    assert found.route == "gold"
    assert {one.route: one.why for one in found.passed_over}["c"] == "gold has more conditions on metadata"


def test_each_number_has_its_source() -> None:
    """The nearest policy that says it, setting by setting."""
    found = explained("a.B/C")
    assert found.line == ("careful", "base", "builtin/standard")
    retry = sources(found, "retry")
    assert retry["retry.max_attempts"] == (3, "careful")
    assert retry["retry.backoff.initial"] == ("10ms", "careful")
    assert retry["retry.backoff.multiplier"] == (2, "builtin/standard")
    breaker = sources(found, "breaker")
    assert breaker["breaker.open_for"] == ("9s", "base")
    assert breaker["breaker.half_open_calls"][1] == "builtin/standard"
    assert sources(found, "timeout") == {"timeout": ("2s", "careful")}


def test_defaults_are_shown_for_what_is_on() -> None:
    """Numbers that nobody has written are told apart."""
    found = explained("x.Y/Z")
    assert sources(found, "breaker")["breaker.open_for"] == ("5s", DEFAULT_SOURCE)
    assert sources(found, "breaker")["breaker.mode"] == ("shadow", "lone")
    assert sources(found, "retry")["retry.codes"] == (["UNAVAILABLE"], DEFAULT_SOURCE)
    assert "hedge" in found.off
    assert "breaker" not in found.off


def test_numbers_of_every_mechanism_that_is_on() -> None:
    """What decides most is there whether a policy says it or not."""
    policies = """
policies:
  p: {limit: {queue: 5}, hedge: {delay: 20ms}, rate_limit: {per_second: 50}, deadline: {hopeless: enforce}}
  q: {limit: {max_in_flight: 7}}
routes: [{name: one, match: {service: a.B}, cluster: shop, policy: p}, {name: all, cluster: shop, policy: q}]
"""
    found = explain(document(policies), "a.B/C")
    assert sources(found, "limit") == {
        "limit.queue": (5, "p"),
        "limit.max_in_flight": (1000, DEFAULT_SOURCE),
        "limit.queue_timeout": ("100ms", DEFAULT_SOURCE),
    }
    assert sources(found, "hedge") == {
        "hedge.delay": ("20ms", "p"),
        "hedge.min_delay": ("1ms", DEFAULT_SOURCE),
        "hedge.max_attempts": (2, DEFAULT_SOURCE),
        "hedge.budget": ("10%", DEFAULT_SOURCE),
        "hedge.non_fatal_codes": (["UNAVAILABLE"], DEFAULT_SOURCE),
        "hedge.only_idempotent": (True, DEFAULT_SOURCE),
    }
    assert sources(found, "rate_limit")["rate_limit.burst"] == (50, DEFAULT_SOURCE)
    assert sources(found, "deadline") == {
        "deadline.hopeless": ("enforce", "p"),
        "deadline.margin": ("0s", DEFAULT_SOURCE),
        "deadline.max_refused": ("20%", DEFAULT_SOURCE),
    }
    assert "limit.queue_timeout" not in sources(explain(document(policies), "x.Y/Z"), "limit")


def test_hopeless_calls_are_counted_unasked() -> None:
    """`deadline` is no mechanism that is off where no policy mentions it."""
    found = explained("a.B/D")
    assert "deadline" not in found.off
    deadline = mechanism(found, "deadline")
    assert ("deadline.hopeless", "shadow") in [(one.name, one.value) for one in deadline.settings]
    assert "counted, and not refused" in deadline.note


def test_what_a_policy_switches_off_says_so() -> None:
    """It is shown with the policy that does it, and does not look as if it were on."""
    text = """
policies:
  quiet:
    extends: builtin/standard
    hedge: {mode: off}
    limit: {mode: off}
    breaker: {mode: off}
    rate_limit: {per_second: 1, mode: off}
    deadline: {hopeless: off}
  margin: {deadline: {hopeless: off, margin: 5ms}}
routes:
  - {name: r, match: {service: a.B}, cluster: shop, policy: quiet}
  - {name: s, cluster: shop, policy: margin}
"""
    found = explain(document(text), "a.B/C")
    for name in ("deadline", "rate_limit", "limit", "hedge", "breaker"):
        assert mechanism(found, name).note == "switched off"
    assert mechanism(explain(document(text), "x.Y/Z"), "deadline").note == ""


def test_shadow_modes_say_that_they_do_nothing() -> None:
    """Each of them counts only."""
    text = """
policies:
  tried:
    hedge: {delay: 1ms, mode: shadow, only_idempotent: false}
    limit: {mode: shadow}
    rate_limit: {per_second: 1, mode: shadow}
    fault: {abort: {code: UNAVAILABLE, percent: 1%}, until: 2099-01-01T00:00:00Z,
            metadata: [{name: x-chaos, value: "1"}]}
routes: [{name: r, cluster: shop, policy: tried}]
"""
    found = explain(document(text), "a.B/C")
    assert mechanism(found, "hedge").note == "counts only: it sends nothing"
    assert mechanism(found, "limit").note == "counts only: it refuses nothing"
    assert mechanism(found, "rate_limit").note == "counts only: it refuses nothing"
    assert mechanism(found, "fault").note == "only for calls with the metadata that it names"
    assert "retry" in found.off


def test_keys_that_the_server_honours_make_calls_repeatable() -> None:
    """Those that come with one, or all of them where one is made."""
    text = """
policies:
  keyed: {retry: {max_attempts: 2}, idempotency: {key: x-key, server_honours: true}}
  made: {extends: keyed, idempotency: {generate: true}}
routes:
  - {name: r, match: {service: a.B}, cluster: shop, policy: keyed}
  - {name: s, cluster: shop, policy: made}
"""
    note = mechanism(explain(document(text), "a.B/C"), "retry").note
    assert note == "only for calls with x-key, which the server honours"
    note = mechanism(explain(document(text), "x.Y/Z"), "retry").note
    assert note == "this call may be repeated (the server honours its idempotency key)"


def test_notes_say_what_it_means_for_this_call() -> None:
    """Whether the call may be repeated, and by whose word."""
    assert "may be repeated (route c says so)" in mechanism(explained("a.B/C"), "retry").note
    assert "not for this call" in mechanism(explained("x.Y/Z"), "retry").note
    assert "rejects nothing" in mechanism(explained("x.Y/Z"), "breaker").note
    assert explained("shop.v1.Checkout/GetOrder").idempotent == "the method's descriptor says so"
    assert explained("shop.v1.Checkout/PlaceOrder").idempotent == ""


def test_the_standard_policy_shows_everything_that_is_on() -> None:
    """Without a word in the document: limit, hedge, retry, breaker, and the outliers of the cluster."""
    found = explained("a.B/D")
    assert (found.route, found.policy) == ("b", "builtin/standard")
    assert [one.name for one in found.mechanisms] == ["deadline", "limit", "hedge", "retry", "breaker"]
    assert "not for this call" in mechanism(found, "hedge").note
    (inside,) = found.clusters
    assert (inside.cluster, inside.fallback) == ("shop", False)
    assert [one.name for one in inside.mechanisms] == [
        "max_in_flight",
        "outlier",
        "balance",
        "connect_timeout",
    ]
    numbers = numbers_of(inside)
    assert numbers["connect_timeout"] == ("5s", DEFAULT_SOURCE)
    assert numbers["max_in_flight"] == (1024, DEFAULT_SOURCE)
    assert numbers["balance"] == ("round_robin", DEFAULT_SOURCE)
    assert numbers["outlier.consecutive"] == (5, DEFAULT_SOURCE)


def test_what_a_cluster_says() -> None:
    """Its own settings beside the defaults, and what they mean here."""
    text = """
clusters:
  - {name: one, endpoints: ["127.0.0.1:1"], max_in_flight_per_endpoint: 9}
  - {name: off, endpoints: ["127.0.0.1:1", "127.0.0.1:2"], outlier: {mode: off}, slow_start: 30s}
  - {name: watched, endpoints: ["127.0.0.1:1", "127.0.0.1:2"], outlier: {mode: shadow, consecutive: 7}}
routes:
  - name: all
    backends: [{cluster: one, weight: 1}, {cluster: off, weight: 1}, {cluster: watched, weight: 1}]
"""
    found = explain(document(text, base="version: v1\n"), "a.B/C")
    inside = {one.cluster: one.mechanisms for one in found.clusters}
    assert {one.name: one.note for one in inside["one"]} == {
        "max_in_flight": "",
        "outlier": "not here: one endpoint cannot be compared with others",
        "balance": "",
        "max_in_flight_per_endpoint": "",
        "connect_timeout": "",
    }
    assert {one.name: one.note for one in inside["off"]} == {
        "max_in_flight": "",
        "outlier": "switched off",
        "balance": "",
        "slow_start": "",
        "connect_timeout": "",
    }
    watched = next(one for one in inside["watched"] if one.name == "outlier")
    assert "leaves nobody out" in watched.note
    assert ("outlier.consecutive", 7, "cluster watched") in [
        (one.name, one.value, one.source) for one in watched.settings
    ]


def test_health_checks_and_hashing() -> None:
    """Their numbers, and the threshold below which checks are ignored."""
    text = """
clusters:
  - name: shop
    endpoints: ["127.0.0.1:1", "127.0.0.1:2"]
    balance: ring_hash
    hash: x-user
    health_check: {interval: 3s}
routes: [{name: all, cluster: shop}]
"""
    (inside,) = explain(document(text, base="version: v1\n"), "a.B/C").clusters
    numbers = numbers_of(inside)
    assert numbers["health_check.interval"] == ("3s", "cluster shop")
    assert numbers["health_check.unhealthy_after"] == (2, DEFAULT_SOURCE)
    assert numbers["panic_threshold"] == ("50%", DEFAULT_SOURCE)
    assert numbers["balance"] == ("ring_hash", "cluster shop")
    assert numbers["hash.metadata"] == ("x-user", "cluster shop")
    order = [name for name, _ in CLUSTER_ORDER]
    assert [one.name for one in inside.mechanisms] == [
        name for name in order if name in numbers or any(number.startswith(f"{name}.") for number in numbers)
    ]


def test_the_cluster_of_a_fallback() -> None:
    """Calls that it answers meet that cluster's limits, and its endpoints."""
    text = """
policies:
  p: {fallback: [{when: any, cluster: backup}, {when: any, cluster: shop}]}
routes: [{name: all, cluster: shop, policy: p}]
"""
    found = explain(document(text), "a.B/C").clusters
    assert [(one.cluster, one.fallback) for one in found] == [("shop", False), ("backup", True)]
    assert numbers_of(found[1])["max_in_flight"] == (1024, DEFAULT_SOURCE)


def test_every_setting_of_a_cluster_has_a_place() -> None:
    """It decides on attempts, or says where the cluster is."""
    from seawall.v1.policy_pb2 import Cluster

    assert {name for name, _ in CLUSTER_ORDER} | WHERE_IT_IS == set(Cluster.DESCRIPTOR.fields_by_name)


def test_the_order_is_that_of_the_mechanisms() -> None:
    """Outermost first, and every setting of a policy has its place."""
    names = [one.name for one in explained("a.B/C").mechanisms]
    order = [name for name, _ in ORDER]
    assert names == sorted(names, key=order.index)


def test_every_setting_has_a_place() -> None:
    """A new setting of a policy is added to the order."""
    from seawall.v1.policy_pb2 import Policy

    assert {name for name, _ in ORDER} == set(Policy.DESCRIPTOR.fields_by_name) - {"extends"}


def test_no_route() -> None:
    """Every route is told why it does not take the call."""
    text = TEXT.replace("  - {name: all, cluster: shop}\n", "")
    found = explain(document(text), "q.Q/R")
    assert found.route == ""
    assert len(found.passed_over) == 6


def test_a_document_with_mistakes() -> None:
    """It is not guessed at."""
    with pytest.raises(NotUsable, match="mistakes"):
        explain(document("routes: [{name: r, cluster: nope}]"), "a.B/C")


@pytest.mark.parametrize(
    ("limit", "wanted"),
    [
        ("{}", "refused first, from 80 % of the limit on and while others wait"),
        ("{brownout: 50%}", "refused first, from 50 % of the limit on and while others wait"),
        ("{mode: shadow}", "no limit is enforced, so it makes no difference"),
    ],
)
def test_what_an_optional_route_is_in_for(limit: str, wanted: str) -> None:
    """It says from where on its calls are refused, or that nobody refuses them."""
    text = f"""
policies: {{p: {{limit: {limit}}}}}
routes:
  - {{name: extra, match: {{service: a.B}}, cluster: shop, policy: p, optional: true}}
  - {{name: rest, cluster: shop, policy: p}}
"""
    assert explain(document(text), "a.B/C").optional == wanted
    assert explain(document(text), "x.Y/Z").optional == ""


def test_fair_shares_and_fallbacks_in_shadow() -> None:
    """Notes say what they come to."""
    text = """
policies:
  p:
    limit: {queue: 10, fair_share: {key: "metadata:x-tenant"}}
    fault: {abort: {code: ABORTED, percent: 1%}, until: 2030-01-01T00:00:00Z, mode: shadow}
routes: [{name: all, cluster: shop, policy: p}]
"""
    found = explain(document(text), "a.B/C")
    assert mechanism(found, "limit").note == (
        "when calls wait, each tenant (metadata:x-tenant) gets the same share"
    )
    assert mechanism(found, "fault").note == "counts only: it breaks nothing"
