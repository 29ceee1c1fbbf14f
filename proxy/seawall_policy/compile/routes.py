"""Reading routes: conditions, destinations, and the policy that applies."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from seawall.v1 import policy_pb2
from seawall_policy.builtin import DEFAULT
from seawall_policy.compile import codes
from seawall_policy.compile.clusters import check_name, check_unique
from seawall_policy.compile.route_extras import read_headers, read_mirrors
from seawall_policy.compile.scope import Scope
from seawall_policy.model import MetadataCondition, Policy, Route
from seawall_policy.suggest import did_you_mean, quoted

MAX_ROUTES: Final = 10_000
MAX_CONDITIONS: Final = 16
"""Metadata conditions of one route; each is compared for every call."""

MAX_BACKENDS: Final = 64
MAX_WEIGHT: Final = 1_000_000

_SERVICE: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)
_METHOD: Final = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_KEY: Final = re.compile(r"[a-z0-9_.-]+", re.ASCII)
_VALUE: Final = re.compile(r"[\x20-\x7e]*")
_MAX_TEXT: Final = 1024


class Place:
    """A compiled route with its place in the document."""

    def __init__(self, route: Route, scope: Scope) -> None:
        self.route: Route = route
        self.scope: Scope = scope


def read_routes(
    scope: Scope,
    routes: Iterable[policy_pb2.Route],
    clusters: Collection[str],
    policies: Mapping[str, Policy],
) -> list[Place]:
    """Return the routes in the order of the document."""
    found: list[Place] = []
    names: set[str] = set()
    for index, route in enumerate(routes):
        place = scope.at(index)
        if index >= MAX_ROUTES:
            scope.error(codes.TOO_MANY, f"at most {MAX_ROUTES} routes are allowed")
            break
        if check_name(place, route.name, "route"):
            check_unique(place, route.name, names, "route")
        found.append(Place(_read_route(place, route, clusters, policies), place))
    return found


def _read_route(
    scope: Scope, route: policy_pb2.Route, clusters: Collection[str], policies: Mapping[str, Policy]
) -> Route:
    name = route.policy or DEFAULT
    if name not in policies:
        (scope / "policy").error(
            codes.NO_SUCH_POLICY, f"there is no policy {quoted(name)}.{did_you_mean(name, policies)}"
        )
        name = DEFAULT
    _check_method(scope / "match", route.match)
    request_headers, response_headers = read_headers(scope, route)
    return Route(
        route.name,
        route.match.service,
        route.match.method,
        read_conditions(scope / "match" / "metadata", route.match.metadata),
        _read_backends(scope, route, clusters),
        policies[name],
        route.idempotent,
        request_headers,
        response_headers,
        read_mirrors(scope, route, clusters),
        _read_shadow(scope / "shadow_policy", route, name, policies),
        route.optional,
    )


def _read_shadow(
    scope: Scope, route: policy_pb2.Route, active: str, policies: Mapping[str, Policy]
) -> Policy | None:
    name = route.shadow_policy
    if not name:
        return None
    if name not in policies:
        scope.error(codes.NO_SUCH_POLICY, f"there is no policy {quoted(name)}.{did_you_mean(name, policies)}")
        return None
    if name == active:
        scope.warn(codes.NO_EFFECT, "is the policy in force: it would do the same; remove it")
    return policies[name]


def _check_method(scope: Scope, match: policy_pb2.RouteMatch) -> None:
    service, method = match.service, match.method
    if service and (len(service) > _MAX_TEXT or not _SERVICE.fullmatch(service)):
        hint = ""
        head, slash, tail = service.strip("/").partition("/")
        if slash and _SERVICE.fullmatch(head) and _METHOD.fullmatch(tail):
            hint = f"; write `service: {head}, method: {tail}`"
        (scope / "service").error(
            codes.BAD_METHOD, f"{quoted(service)} is no service name such as shop.v1.Checkout{hint}"
        )
    if method and (len(method) > _MAX_TEXT or not _METHOD.fullmatch(method)):
        (scope / "method").error(codes.BAD_METHOD, f"{quoted(method)} is no method name such as PlaceOrder")
    if method and not service:
        (scope / "method").error(
            codes.MISSING, "a method is matched within its service; add `service: package.Service`"
        )


def read_conditions(
    scope: Scope, metadata: Sequence[policy_pb2.MetadataMatch]
) -> tuple[MetadataCondition, ...]:
    """Return conditions on metadata, each once."""
    if len(metadata) > MAX_CONDITIONS:
        scope.error(codes.TOO_MANY, f"has {len(metadata)} conditions; at most {MAX_CONDITIONS} are allowed")
    conditions: dict[tuple[str, str], MetadataCondition] = {}
    for index, entry in enumerate(metadata[:MAX_CONDITIONS]):
        place = scope.at(index)
        mistake = _key_mistake(entry.name)
        if mistake:
            (place / "name").error(codes.MISSING if not entry.name else codes.BAD_METADATA, mistake)
        if len(entry.value) > _MAX_TEXT or not _VALUE.fullmatch(entry.value):
            (place / "value").error(
                codes.BAD_METADATA, f"must be printable ASCII of at most {_MAX_TEXT} characters"
            )
        elif entry.value != entry.value.strip(" "):
            (place / "value").error(
                codes.BAD_METADATA, "starts or ends with a space, which no metadata value can; remove it"
            )
        if (entry.name, entry.value) in conditions:
            place.warn(
                codes.REPEATED, f"the condition on {quoted(entry.name)} is already in the list; remove it"
            )
        conditions[entry.name, entry.value] = MetadataCondition(
            entry.name.encode("ascii", "replace"), entry.value.encode("ascii", "replace")
        )
    return tuple(conditions.values())


def _key_mistake(key: str) -> str:
    if not key:
        return "a metadata condition needs the key's name; add `name: x-tier`"
    if key.casefold() != key:
        return f"{quoted(key)} is not lower case; metadata keys are, write {quoted(key.casefold())}"
    if key.startswith(":"):
        return f"{quoted(key)} is no metadata; match `service` and `method` instead"
    if len(key) > _MAX_TEXT or not _KEY.fullmatch(key):
        return f"{quoted(key)} is no metadata key; use lower-case letters, digits, `_`, `-` and `.`"
    if key.endswith("-bin"):
        return f"{quoted(key)} is a binary key; conditions compare text only"
    if key.startswith("grpc-"):
        return f"{quoted(key)} is reserved for the protocol; use a key of your own"
    return ""


def _read_backends(
    scope: Scope, route: policy_pb2.Route, clusters: Collection[str]
) -> tuple[tuple[str, int], ...]:
    if route.cluster and route.backends:
        scope.error(codes.EXCLUSIVE, "has both `cluster` and `backends`; keep one of them")
    if not route.cluster and not route.backends:
        (scope / "cluster").error(codes.MISSING, "says nowhere to send calls; add `cluster: NAME`")
    if route.cluster:
        _check_cluster(scope / "cluster", route.cluster, clusters)
        return ((route.cluster, 1),)
    if len(route.backends) > MAX_BACKENDS:
        (scope / "backends").error(
            codes.TOO_MANY, f"has {len(route.backends)} backends; at most {MAX_BACKENDS} are allowed"
        )
    return _read_weights(scope / "backends", route.backends[:MAX_BACKENDS], clusters)


def _read_weights(
    scope: Scope, backends: Iterable[policy_pb2.Backend], clusters: Collection[str]
) -> tuple[tuple[str, int], ...]:
    """Return cumulative weights; a backend of weight 0 is never drawn and left out."""
    total = 0
    given = False
    seen: set[str] = set()
    cumulative: list[tuple[str, int]] = []
    for index, backend in enumerate(backends):
        given = True
        place = scope.at(index)
        if backend.cluster:
            _check_cluster(place / "cluster", backend.cluster, clusters)
        else:
            (place / "cluster").error(codes.MISSING, "a backend needs a cluster; add `cluster: NAME`")
        if backend.cluster in seen:
            (place / "cluster").warn(
                codes.REPEATED,
                f"cluster {quoted(backend.cluster)} is already in the list; add the weights up",
            )
        seen.add(backend.cluster)
        weight = (place / "weight").integer(
            backend.weight if backend.HasField("weight") else None, 0, MAX_WEIGHT, 1
        )
        total += weight
        if weight:
            cumulative.append((backend.cluster, total))
    if given and total == 0:
        scope.error(codes.OUT_OF_RANGE, "every weight is 0, so no call could be sent; raise one of them")
    return tuple(cumulative)


def _check_cluster(scope: Scope, name: str, clusters: Collection[str]) -> None:
    if name not in clusters:
        scope.error(
            codes.NO_SUCH_CLUSTER, f"there is no cluster {quoted(name)}.{did_you_mean(name, clusters)}"
        )
