"""Which limits a route of a new document has, and which of them it goes on with.

What a service can bear is the service's, so routes whose first cluster and settings are equal share one
limit, as they share a retry budget. A limit lives on under the next document: unchanged, or with other
numbers, as long as it is of the same kind; calls that are at work or wait give their places back where they
took them. A rate limit belongs to its route, and lives on as long as its key is made of the same parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seawall_policy import rate
from seawall_policy.limit import options as limits
from seawall_policy.limit.options import LimitOptions
from seawall_policy.model import Route
from seawall_policy.rate import RateLimiter
from seawall_proxy.call.admission import Admission, Guards

if TYPE_CHECKING:
    from seawall_proxy.call.routing import RouteState


def guards_of(
    route: Route, old: RouteState | None, admissions: dict[tuple[str, str], Admission]
) -> Guards | None:
    """Return a route's limits; `old` is its state under the last document, `admissions` those of the new one,
    extended here.
    """
    before = None if old is None else old.guards
    admission = _admission(route, before, admissions)
    limiter = _limiter(route, before)
    return None if admission is None and limiter is None else Guards(admission, limiter)


def _admission(
    route: Route, before: Guards | None, admissions: dict[tuple[str, str], Admission]
) -> Admission | None:
    options: LimitOptions | None = route.policy.limit
    if options is None or options.mode == limits.OFF:
        return None
    cluster = route.backends[0][0]
    key = (cluster, options.numbers())
    admission = admissions.get(key)
    if admission is not None:
        return admission
    kept = None if before is None else before.admission
    if kept is not None and kept.cluster == cluster and kept.gate.options.key() == options.key():
        taken = False
        for other in admissions.values():
            if other is kept:
                # The routes that shared it have parted; the first one has it.
                taken = True
        if not taken:
            kept.resize(options)
            admissions[key] = kept
            return kept
    admission = Admission(options, cluster)
    admissions[key] = admission
    return admission


def _limiter(route: Route, before: Guards | None) -> RateLimiter | None:
    options = route.policy.rate_limit
    if options is None or options.mode == rate.OFF:
        return None
    kept = None if before is None else before.rate
    if kept is not None and kept.options.key == options.key:
        kept.resize(options)
        return kept
    return RateLimiter(options)
