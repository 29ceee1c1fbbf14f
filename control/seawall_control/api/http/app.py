"""The ASGI application: the routes, and what stands around them."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp

from seawall_control.api.http.answers import http_failure
from seawall_control.api.http.events import Events
from seawall_control.api.http.guard import Guard
from seawall_control.api.http.pages import Pages
from seawall_control.api.http.parts import HttpParts


def routes(parts: HttpParts) -> list[Route]:
    """Return everything that is served."""
    return [*Pages(parts).routes(), *Events(parts).routes()]


def application(parts: HttpParts, hosts: frozenset[str]) -> ASGIApp:
    """Return the application; an empty set of hosts allows every Host header."""
    app = Starlette(routes=routes(parts), exception_handlers={HTTPException: http_failure})
    return Guard(app, hosts)
