"""The shadow policy of a route."""

from __future__ import annotations

from tests.unit.compile.samples import compiled, errors, warnings

POLICIES = "policies: {p: {retry: {max_attempts: 1}}, tried: {breaker: {min_calls: 3}}}\n"


def test_it_arrives() -> None:
    """The route has both policies, and a policy that is only tried is used."""
    result = compiled(POLICIES + "routes: [{name: r, cluster: shop, policy: p, shadow_policy: tried}]")
    assert result.snapshot is not None
    [route] = result.snapshot.routes
    assert route.shadow is not None
    assert (route.policy.name, route.shadow.name) == ("p", "tried")
    assert route.shadow.breaker is not None
    assert route.shadow.breaker.min_calls == 3
    assert not [one for one in result.violations if one.code == "SW0511"]


def test_none() -> None:
    """Without one the route has none."""
    result = compiled("routes: [{name: r, cluster: shop}]")
    assert result.snapshot is not None
    assert result.snapshot.routes[0].shadow is None


def test_mistakes() -> None:
    """A name that is none, and a shadow that is the policy itself."""
    unknown = compiled(POLICIES + "routes: [{name: r, cluster: shop, shadow_policy: tryed}]")
    assert errors(unknown) == [("routes[0].shadow_policy", "SW0203")]
    same = compiled("routes: [{name: r, cluster: shop, shadow_policy: builtin/standard}]")
    assert warnings(same) == [("routes[0].shadow_policy", "SW0512")]
