"""What every answer carries: the id of the request, and headers that keep browsers from guessing.

A caller's `x-request-id` comes back; without one there is a new one. The log names it where a request fails
by our fault.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seawall_control.api import request_id

DEFAULTS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""What an answer says itself wins."""


class CommonHeaders:
    """Adds them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on under its id."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        found = request_id.taken(Headers(scope=scope).get("x-request-id", ""))

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))
                for name, value in DEFAULTS.items():
                    headers.setdefault(name, value)
                headers["x-request-id"] = found
                message = {**message, "headers": headers.raw}
            await send(message)

        token = request_id.CURRENT.set(found)
        try:
            await self._app(scope, receive, sent)
        finally:
            request_id.CURRENT.reset(token)
