"""Breakers and recovery of the fleet, under the paths and names that the requirements give them.

    GET  /api/v1/errors/circuit-breakers
    GET  /api/v1/errors/circuit-breakers/{name}
    POST /api/v1/errors/circuit-breakers/{name}/reset   {"reason": "...", "proxy": "..."}, or no body
    GET  /api/v1/errors/recovery/stats                  ?window_minutes= &proxy=

A name is that of a breaker, `route`, `route/package.Service/Method` or `route@address`; slashes stay as they
are. A reset goes through the RPC of that name, so it is checked and recorded like any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from seawall.v1 import admin_fleet_pb2, stats_pb2
from seawall_control.api.http.access import calls
from seawall_control.api.http.answers import guarded, json_answer
from seawall_control.api.http.parts import HttpParts
from seawall_control.api.http.reading import json_fields, number, only, text_of
from seawall_control.api.http.rpc.carrying import called
from seawall_control.api.http.rpc.methods import as_json
from seawall_control.api.operations import worst
from seawall_control.domain.errors import InvalidRequest, NotFound
from seawall_control.domain.events import Json
from seawall_control.domain.recovery import Recovery, recovery_of
from seawall_control.domain.statistics import total_of

_RPC: Final = "/seawall.v1.OperationsService"
_PREFIX: Final = "BREAKER_STATE_"
_LONGEST_MINUTES: Final = 10.0
"""What the control plane remembers of statistics."""


def _state(state: stats_pb2.BreakerState) -> str:
    return stats_pb2.BreakerState.Name(state).removeprefix(_PREFIX).lower()


def _of_proxy(breaker: stats_pb2.BreakerStatus) -> dict[str, Json]:
    found = as_json(breaker)
    del found["name"], found["route"]
    return {**found, "state": _state(breaker.state)}


def breakers_json(breakers: Iterable[stats_pb2.BreakerStatus]) -> dict[str, Json]:
    """Return breakers by name: the worst state of any proxy, and what each proxy says."""
    grouped: dict[str, list[stats_pb2.BreakerStatus]] = {}
    for breaker in breakers:
        grouped.setdefault(breaker.name, []).append(breaker)
    return {
        name: {
            "route": some[0].route,
            "state": _state(worst([breaker.state for breaker in some])),
            "proxies": [_of_proxy(breaker) for breaker in some],
        }
        for name, some in grouped.items()
    }


def recovery_json(recovery: Recovery) -> dict[str, Json]:
    """Return numbers of recovery under the names of the API."""
    return {
        "recovery_attempts": recovery.retries + recovery.hedges + recovery.fallbacks,
        "successful_recoveries": recovery.successful,
        "failed_calls": recovery.failed,
        "success_rate": round(recovery.success_rate, 6),
        "by_strategy": {
            "retry": {"attempts": recovery.retries, "successful": recovery.recovered},
            "hedge": {"attempts": recovery.hedges, "successful": recovery.hedges_won},
            "fallback": {"attempts": recovery.fallbacks, "successful": recovery.fallbacks},
        },
    }


class Operations:
    """The endpoints."""

    def __init__(self, parts: HttpParts) -> None:
        self._parts = parts

    def routes(self) -> list[BaseRoute]:
        """Return the table of routes."""
        return [
            Route("/api/v1/errors/circuit-breakers", calls(f"{_RPC}/ListBreakers", guarded(self.breakers))),
            Route(
                "/api/v1/errors/circuit-breakers/{name:path}/reset",
                calls(f"{_RPC}/ResetBreaker", guarded(self.reset)),
                methods=["POST"],
            ),
            Route(
                "/api/v1/errors/circuit-breakers/{name:path}",
                calls(f"{_RPC}/ListBreakers", guarded(self.breaker)),
            ),
            Route("/api/v1/errors/recovery/stats", calls(f"{_RPC}/ListRouteStats", guarded(self.recovery))),
        ]

    def _breakers(self, request: Request) -> dict[str, Json]:
        fleet = self._parts.fleet
        proxy = request.query_params.get("proxy", "")
        return breakers_json(fleet.view.breakers(proxy))

    async def breakers(self, request: Request) -> Response:
        """Answer with the breakers of connected proxies."""
        only(request, "proxy")
        return json_answer(request, {"circuit_breakers": self._breakers(request)})

    async def breaker(self, request: Request) -> Response:
        """Answer with one breaker."""
        only(request, "proxy")
        name = request.path_params["name"]
        return json_answer(request, {name: self._known(request, name)})

    def _known(self, request: Request, name: str) -> Json:
        found = self._breakers(request).get(name)
        if found is None:
            raise NotFound(f"no connected proxy has a breaker {name[:128]!r}")
        return found

    async def reset(self, request: Request) -> Response:
        """Close a breaker, on every connected proxy or on one."""
        name = request.path_params["name"]
        body = await json_fields(request, "proxy", "reason", optional=True)
        self._known(request, name)
        asked = admin_fleet_pb2.ResetBreakerRequest(
            breaker=name, proxy=text_of(body, "proxy"), reason=text_of(body, "reason")
        )
        answer = await called(self._parts, request, "OperationsService", "ResetBreaker", asked)
        return json_answer(request, as_json(answer))

    async def recovery(self, request: Request) -> Response:
        """Answer with what became of calls that got into trouble, lately and since the proxies started."""
        only(request, "window_minutes", "proxy")
        minutes = number(request, "window_minutes", 5.0)
        if not 1 / 60 <= minutes <= _LONGEST_MINUTES:
            raise InvalidRequest(f"window_minutes must be from 1/60 to {_LONGEST_MINUTES:g}")
        fleet = self._parts.fleet
        proxy = request.query_params.get("proxy", "")
        lately = fleet.view.lately(minutes * 60, proxy)
        total = total_of(fleet.view.totals(proxy).values())
        return json_answer(
            request,
            {
                "window_minutes": minutes,
                **recovery_json(recovery_of(total_of(lately.values()))),
                "routes": {name: recovery_json(recovery_of(lately[name])) for name in sorted(lately)},
                "since_start": recovery_json(recovery_of(total)),
            },
        )
