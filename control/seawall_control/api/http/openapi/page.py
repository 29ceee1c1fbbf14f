"""Serves the document; it is made at the first request and is the same until the process ends."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from seawall_control.api.http.access import takes
from seawall_control.api.http.answers import guarded, tagged
from seawall_control.api.http.openapi.document import document
from seawall_control.api.http.parts import HttpParts
from seawall_control.api.http.reading import only
from seawall_control.domain.access import Role


class Description:
    """The endpoint."""

    def __init__(self, parts: HttpParts) -> None:
        self._parts = parts
        self._text = b""

    def routes(self) -> list[BaseRoute]:
        """Return the table of routes."""
        return [Route("/api/v1/openapi.json", takes(Role.VIEWER, guarded(self.openapi)))]

    async def openapi(self, request: Request) -> Response:
        """Answer with this description."""
        only(request)
        if not self._text:
            found = document(self._parts.served, request.app.routes, self._parts.version)
            self._text = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
        return tagged(request, self._text)
