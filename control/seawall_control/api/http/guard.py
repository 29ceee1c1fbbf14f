"""Refuses what a web page of another site could cause.

Three rules. The Host header names this listener, so that a page of another site does not reach it through
DNS rebinding. Changes, and WebSockets (to which browsers do not apply the same-origin policy), come from no
page or from one of this host. And no other site reads an answer, unless the operator has allowed its origin:
for those, and no others, this is also where CORS is answered.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seawall_control.api.http.answers import failure

_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_ALLOWED: Final = {
    "access-control-allow-methods": "GET, HEAD, POST, PUT, DELETE",
    "access-control-allow-headers": (
        "authorization, content-type, grpc-timeout, if-none-match, last-event-id, seawall-timeout, "
        "x-request-id"
    ),
    "access-control-max-age": "600",
}
_EXPOSED: Final = "etag, retry-after, x-request-id"


class Guard:
    """Stands in front. An empty set of hosts allows every Host header; `origins` are those of other sites
    that may read and change.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], origins: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            if scope["type"] == "websocket":
                # Before it is accepted this is 403 to the peer.
                await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
            else:
                await refusal(scope, receive, send)
            return
        origin = headers.get("origin", "")
        if origin not in self._origins or scope["type"] == "websocket":
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await Response(status_code=204, headers={**_ALLOWED, **_for(origin)})(scope, receive, send)
        else:
            await self._app(scope, receive, _sharing(origin, send))

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
        if self._hosts and name.lower() not in self._hosts:
            return failure(421, "WRONG_HOST", f"this listener does not serve host {name[:100]!r}")
        if scope["type"] == "http" and scope["method"] in _SAFE:
            return None
        origin = headers.get("origin", "")
        if origin in self._origins:
            return None
        # Old browsers send the one header, new ones both; programs send neither.
        other_site = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if other_site or (origin and urlsplit(origin).netloc.lower() != host.lower()):
            return failure(403, "CROSS_SITE", "changes are taken from this site only")
        return None


def _for(origin: str) -> dict[str, str]:
    return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": _EXPOSED,
        "vary": "origin",
    }


def _sharing(origin: str, send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message["headers"]))
            headers.update(_for(origin))
            message = {**message, "headers": headers.raw}
        await send(message)

    return sent
