"""What a policy says of its breaker: ramp, scope, jitter, modes, and the warnings about them."""

from __future__ import annotations

import pytest

from seawall_policy.breaker import ENFORCE, OBSERVE_ONLY, PER_ENDPOINT, PER_METHOD, PER_ROUTE, BreakerOptions
from tests.unit.compile.samples import compiled, errors, policy_of


def options_of(settings: str) -> BreakerOptions:
    """Return the options of a policy that must be valid."""
    result = policy_of(f"{{breaker: {settings}}}")
    assert result.snapshot is not None, result.violations
    options = result.snapshot.routes[0].policy.breaker
    assert options is not None
    return options


def test_everything_has_a_default_and_a_setting() -> None:
    """What is not said is off."""
    plain = options_of("{}")
    assert (plain.scope, plain.mode, plain.ramp_for_s, plain.open_jitter) == (PER_ROUTE, ENFORCE, 0.0, 0.0)
    said = options_of("{per: method, mode: metrics_only, open_jitter: 0.3}")
    assert (said.scope, said.mode, said.open_jitter) == (PER_METHOD, OBSERVE_ONLY, 0.3)
    assert options_of("{per: endpoint}").scope == PER_ENDPOINT


@pytest.mark.parametrize(
    ("ramp", "duration_s", "first"),
    [
        ("{}", 10.0, 10.0),
        ("5s", 5.0, 10.0),
        ("{duration: 1m, from: 25%}", 60.0, 25.0),
        ("{from: 1}", 10.0, 1.0),
    ],
)
def test_a_ramp_is_a_duration_or_more(ramp: str, duration_s: float, first: float) -> None:
    """`ramp: {}` has the defaults, `ramp: 5s` says the duration."""
    options = options_of(f"{{ramp: {ramp}}}")
    assert (options.ramp_for_s, options.ramp_from) == (duration_s, first)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ("{ramp: {duration: 50ms}}", "ramp.duration"),
        ("{ramp: {duration: 2h}}", "ramp.duration"),
        ("{ramp: {from: 0.5%}}", "ramp.from"),
        ("{ramp: {from: 101%}}", "ramp.from"),
        ("{open_jitter: 1.5}", "open_jitter"),
    ],
)
def test_what_is_out_of_range_is_refused_with_its_place(settings: str, field: str) -> None:
    """Each with the code for a value."""
    assert errors(policy_of(f"{{breaker: {settings}}}")) == [(f"policies.p.breaker.{field}", "SW0102")]


def warned(text: str, base: str | None = None) -> list[tuple[str, str]]:
    """Return field and code of the warnings that are about breakers."""
    result = compiled(text) if base is None else compiled(text, base)
    mine = ("SW0550", "SW0551", "SW0552", "SW0512")
    return [(v.field, v.code) for v in result.violations if v.warning and v.code in mine]


TWO = """
version: v1
clusters:
  - {name: shop, endpoints: ["127.0.0.1:1", "127.0.0.1:2"]%s}
"""
ROUTE = "routes: [{name: r, cluster: shop, policy: p}]"


def test_jitter_and_ramps_without_sense_are_warned_about() -> None:
    """Once, where they were written."""
    assert warned(f"policies: {{p: {{breaker: {{open_jitter: 0.95}}}}}}\n{ROUTE}") == [
        ("policies.p.breaker.open_jitter", "SW0550")
    ]
    assert warned(f"policies: {{p: {{breaker: {{open_jitter: 0.5}}}}}}\n{ROUTE}") == []
    assert warned(f"policies: {{p: {{breaker: {{mode: metrics_only, ramp: 5s}}}}}}\n{ROUTE}") == [
        ("policies.p.breaker.ramp", "SW0512")
    ]


def test_endpoints_with_breakers_that_do_not_fit_the_cluster_are_warned_about() -> None:
    """One endpoint, or outlier detection as well."""
    text = f"policies: {{p: {{breaker: {{per: endpoint}}}}}}\n{ROUTE}"
    assert warned(text) == [("routes[0].policy", "SW0551")]
    assert warned(text, TWO % "") == []
    assert warned(text, TWO % ", outlier: {consecutive: 5}") == [("routes[0].policy", "SW0552")]
