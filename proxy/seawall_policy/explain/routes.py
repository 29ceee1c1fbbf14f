"""Which route a call takes, and why not another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seawall_policy.explain.explanation import PassedOver
from seawall_policy.limit import options as limits
from seawall_policy.match import RouteTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seawall_policy.model import Route, Snapshot


def choose(
    snapshot: Snapshot, path: str, metadata: Mapping[bytes, list[bytes]]
) -> tuple[Route | None, tuple[PassedOver, ...]]:
    """Return the route of a call and those it does not take; `path` is `/package.Service/Method`."""
    candidates = RouteTable(snapshot.routes).candidates(path.encode())
    chosen = next((route for route in candidates if not _unmet(route, metadata)), None)
    passed = [
        PassedOver(route.name, _why_not(route, chosen, candidates, metadata))
        for route in snapshot.routes
        if route is not chosen
    ]
    return chosen, tuple(passed)


def destinations(route: Route) -> tuple[tuple[str, float], ...]:
    """Return the clusters of a route with their shares of its calls, 0 to 1."""
    total = route.backends[-1][1]
    found = []
    before = 0
    for cluster, upto in route.backends:
        found.append((cluster, (upto - before) / total))
        before = upto
    return tuple(found)


def idempotent(snapshot: Snapshot, route: Route, path: str) -> str:
    """Return who says that a call may be carried out twice; empty when nobody does."""
    if route.idempotent:
        return f"route {route.name} says so"
    info = snapshot.methods.get(path.encode())
    return "the method's descriptor says so" if info is not None and info.idempotent else ""


def _unmet(route: Route, metadata: Mapping[bytes, list[bytes]]) -> list[str]:
    return [
        f"{condition.name.decode()} is not {condition.value.decode()!r}"
        for condition in route.metadata
        if condition.value not in metadata.get(condition.name, ())
    ]


def _why_not(
    route: Route, chosen: Route | None, candidates: Sequence[Route], metadata: Mapping[bytes, list[bytes]]
) -> str:
    if route not in candidates:
        return f"it is for {_target(route)}"
    unmet = _unmet(route, metadata)
    if unmet:
        return "metadata: " + ", ".join(unmet)
    assert chosen is not None
    if _rank(route) != _rank(chosen):
        return f"{chosen.name} is for {_target(chosen)}, which is more specific than {_target(route)}"
    if len(route.metadata) != len(chosen.metadata):
        return f"{chosen.name} has more conditions on metadata"
    return f"{chosen.name} has the same conditions and comes first"


def _rank(route: Route) -> int:
    return bool(route.service) + bool(route.method)


def _target(route: Route) -> str:
    if route.method:
        return f"{route.service}/{route.method}"
    return route.service or "every service"


def optional(route: Route) -> str:
    """Return what it means for a call that its route is optional; empty when it is not."""
    if not route.optional:
        return ""
    options = route.policy.limit
    if options is None or options.mode != limits.ENFORCE:
        return "no limit is enforced, so it makes no difference"
    return f"refused first, from {options.brownout * 100.0:g} % of the limit on and while others wait"
