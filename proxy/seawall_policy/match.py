"""Which routes a call may take, most specific first.

Precedence is that of the Gateway API's GRPCRoute: a route for the service and method goes before one for the
service, that one before one for every service; among equals the one with more metadata conditions goes first,
then document order. The table knows paths only; whether a call's metadata fulfils a candidate's conditions is
asked of the call.
"""

from __future__ import annotations

from seawall_policy.model import Route


class RouteTable:
    """Routes by the path of a call. Never changes after it was made."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._by_path: dict[bytes, list[Route]] = {}
        self._by_service: dict[bytes, list[Route]] = {}
        self._any: list[Route] = []
        names: set[bytes] = set()
        for route in by_precedence(routes):
            for condition in route.metadata:
                names.add(condition.name)
            self._bucket(route).append(route)
        self.metadata_names: frozenset[bytes] = frozenset(names)
        """Every metadata key that some route has a condition on."""

    def _bucket(self, route: Route) -> list[Route]:
        if route.service == "":
            return self._any
        service = route.service.encode("ascii")
        if route.method == "":
            return self._by_service.setdefault(service, [])
        return self._by_path.setdefault(b"/" + service + b"/" + route.method.encode("ascii"), [])

    def candidates(self, path: bytes) -> tuple[Route, ...]:
        """Return the routes for a call to `path` (`/package.Service/Method`) in the order in which to try
        them.

        A path of another shape can only match routes for every service.
        """
        found: list[Route] = list(self._by_path.get(path, ()))
        cut = path.rfind(b"/")
        if cut > 1 and path[0] == 0x2F:
            found.extend(self._by_service.get(path[1:cut], ()))
        found.extend(self._any)
        return tuple(found)


def by_precedence(routes: tuple[Route, ...]) -> list[Route]:
    """Return the routes with more metadata conditions first, in document order among equals."""
    return sorted(routes, key=_fewest_last)


def _fewest_last(route: Route) -> int:
    return -len(route.metadata)
