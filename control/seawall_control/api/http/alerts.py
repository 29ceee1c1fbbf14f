"""Thresholds of alerts under the path that the requirements give them.

    GET /api/v1/errors/alerts/thresholds
    PUT /api/v1/errors/alerts/thresholds   {"error_rate": 0.15, "specific_error_count": 20, ...}

They are those of the built-in rules; a key that is left out stays as it is. Rules, channels and what fires
have the paths of their RPCs (http/rpc).
"""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from seawall.v1 import admin_alerts_pb2 as pb
from seawall_control.api.http.access import calls
from seawall_control.api.http.answers import guarded, json_answer
from seawall_control.api.http.parts import HttpParts
from seawall_control.api.http.reading import json_object, only
from seawall_control.api.http.rpc.carrying import called
from seawall_control.api.http.rpc.reading import fill
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.events import Json

_RPC: Final = "/seawall.v1.AlertService"
PATH: Final = "/api/v1/errors/alerts/thresholds"


def thresholds_json(found: pb.Thresholds) -> dict[str, Json]:
    """Return thresholds under the names that the requirements give them."""
    return {
        "error_rate": found.error_rate,
        "specific_error_count": found.specific_error_count,
        "recovery_failure_rate": found.recovery_failure_rate,
    }


class Alerts:
    """The endpoints."""

    def __init__(self, parts: HttpParts) -> None:
        self._parts = parts

    def routes(self) -> list[BaseRoute]:
        """Return the table of routes."""
        return [
            Route(PATH, calls(f"{_RPC}/GetThresholds", guarded(self.show))),
            Route(PATH, calls(f"{_RPC}/UpdateThresholds", guarded(self.change)), methods=["PUT"]),
        ]

    async def show(self, request: Request) -> Response:
        """Answer with the thresholds of the built-in rules."""
        only(request)
        asked = pb.GetThresholdsRequest()
        answer: Any = await called(self._parts, request, "AlertService", "GetThresholds", asked)
        return json_answer(request, thresholds_json(answer.thresholds))

    async def change(self, request: Request) -> Response:
        """Change thresholds of the built-in rules; those that are not named stay."""
        only(request)
        body = await json_object(request)
        if not body:
            raise InvalidRequest("name a threshold: error_rate, specific_error_count, recovery_failure_rate")
        asked = pb.UpdateThresholdsRequest()
        fill(asked.thresholds, body)
        answer: Any = await called(self._parts, request, "AlertService", "UpdateThresholds", asked)
        return json_answer(request, thresholds_json(answer.thresholds))
