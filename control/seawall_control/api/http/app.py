"""The ASGI application: the routes, and what stands around them."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from seawall_control.api.http.access import Access
from seawall_control.api.http.alerts import Alerts
from seawall_control.api.http.analysis import Analysis
from seawall_control.api.http.answers import http_failure
from seawall_control.api.http.events import Events
from seawall_control.api.http.export import Export
from seawall_control.api.http.guard import Guard
from seawall_control.api.http.headers import CommonHeaders
from seawall_control.api.http.healing import Healing
from seawall_control.api.http.live import Live
from seawall_control.api.http.openapi.page import Description
from seawall_control.api.http.operations import Operations
from seawall_control.api.http.pages import Pages
from seawall_control.api.http.parts import HttpParts
from seawall_control.api.http.rpc.methods import Methods


def routes(parts: HttpParts) -> list[BaseRoute]:
    """Return everything that is served."""
    return [
        *Pages(parts).routes(),
        *Description(parts).routes(),
        # Before the events, whose {id} takes any word.
        *Live(parts).routes(),
        *Operations(parts).routes(),
        *Healing(parts).routes(),
        *Alerts(parts).routes(),
        *Analysis(parts).routes(),
        *Export(parts).routes(),
        *Events(parts).routes(),
        *Methods(parts).routes(),
    ]


def application(parts: HttpParts, hosts: frozenset[str], origins: frozenset[str] = frozenset()) -> ASGIApp:
    """Return the application, wrapped; an empty set of hosts allows every Host header, `origins` are those of
    other sites whose pages may read and change.

    From the inside out: the routes; the gate, which asks who calls, WebSockets too; the guard, which refuses
    before anything is read; the common headers, which refusals carry too.
    """
    served = routes(parts)
    app: ASGIApp = Starlette(routes=served, exception_handlers={HTTPException: http_failure})
    open_paths = frozenset({"/metrics"} if parts.open_metrics else ())
    app = Access(app, served, parts.gate, parts.methods, open_paths)
    app = Guard(app, hosts, origins)
    return CommonHeaders(app)
