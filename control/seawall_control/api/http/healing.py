"""Self-healing under the paths that the requirements give it.

    GET  /api/v1/errors/self-healing/stats       how many cases ended how
    POST /api/v1/errors/self-healing/diagnose    look at everything now; nothing is done

Everything else of it has the paths of its RPCs (http/rpc).
"""

from __future__ import annotations

from typing import Final

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from seawall.v1 import admin_healing_pb2
from seawall_control.api.http.access import calls
from seawall_control.api.http.answers import guarded, json_answer
from seawall_control.api.http.parts import HttpParts
from seawall_control.api.http.reading import json_object, only
from seawall_control.api.http.rpc.carrying import called
from seawall_control.api.http.rpc.methods import as_json
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.events import Json

_RPC: Final = "/seawall.v1.HealingService"


def stats_json(stats: Message) -> dict[str, Json]:
    """Return how many cases ended how; every key is always there, also while nothing was judged."""
    return {"effectiveness": None, **as_json(stats)}


class Healing:
    """The endpoints."""

    def __init__(self, parts: HttpParts) -> None:
        self._parts = parts

    def routes(self) -> list[BaseRoute]:
        """Return the table of routes."""
        return [
            Route("/api/v1/errors/self-healing/stats", calls(f"{_RPC}/GetHealingStats", guarded(self.stats))),
            Route(
                "/api/v1/errors/self-healing/diagnose",
                calls(f"{_RPC}/Diagnose", guarded(self.diagnose)),
                methods=["POST"],
            ),
        ]

    async def stats(self, request: Request) -> Response:
        """Answer with how many cases ended how."""
        only(request)
        asked = admin_healing_pb2.GetHealingStatsRequest()
        answer = await called(self._parts, request, "HealingService", "GetHealingStats", asked)
        return json_answer(request, stats_json(answer))

    async def diagnose(self, request: Request) -> Response:
        """Answer with what is measured now, and which runbooks care."""
        only(request)
        if await json_object(request, optional=True):
            raise InvalidRequest("diagnose takes no fields: it looks at everything")
        asked = admin_healing_pb2.DiagnoseRequest()
        answer = await called(self._parts, request, "HealingService", "Diagnose", asked)
        return json_answer(request, as_json(answer))
