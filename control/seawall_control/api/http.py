"""HTTP of the control plane: health, readiness, metrics, status, and the error events as JSON.

    GET  /health /ready /metrics /status
    GET  /api/v1/errors            ?filter= &page_size= &page_token= &order_by=
                                   or plainly severity, component, job_id, resolved, route, proxy, code
    GET  /api/v1/errors/stats
    GET  /api/v1/errors/{id}
    POST /api/v1/errors            {"severity": "HIGH", "component": "...", ...} or {"events": [...]}
    POST /api/v1/errors/{id}/resolve   {"resolution": "..."}
    POST /api/v1/errors/resolve    {"ids": [...]} or {"filter": "..."}
    DELETE /api/v1/errors          ?older_than_days=30 : deletes resolved ones

Errors have one shape: {"error": {"reason", "message", "violations"}}. Two guards stand in front: a Host
header that names this listener (a page of another site must not reach it through DNS rebinding), and for
changes JSON as content type from the same site.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from seawall.v1 import event_pb2
from seawall_control.api import codec, metrics
from seawall_control.api.errors import http_status, message_of, reason_of, retry_after_s
from seawall_control.api.event_json import counts_json, event_json, iso
from seawall_control.domain.errors import ControlError, InvalidRequest
from seawall_control.domain.events import MICROS, EventChange, Json
from seawall_control.domain.fleet import is_drifted
from seawall_control.domain.health import Status
from seawall_control.services.edge import Clock
from seawall_control.services.events import EventService
from seawall_control.services.fleet import Fleet
from seawall_control.services.health import HealthService
from seawall_control.services.tail import Hub

MAX_BODY_BYTES: Final = 2 * 1024 * 1024
FILTERS: Final = ("severity", "component", "job_id", "resolved", "route", "proxy", "code")
"""Fields that a query may name plainly, beside `filter`."""
_WAL_NOTE: Final = (
    "one connection writes and checkpoints, which keeps clear of SQLite's WAL-reset bug (before 3.51.3)"
)

_log = logging.getLogger("seawall.control.http")

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class HttpParts:
    """What the endpoints use."""

    events: EventService
    fleet: Fleet
    health: HealthService
    hub: Hub
    clock: Clock
    version: str


def _failure(
    status: int, reason: str, message: str, violations: list[dict[str, Json]] | None = None
) -> JSONResponse:
    return JSONResponse(
        {"error": {"reason": reason, "message": message, "violations": violations or []}}, status
    )


def error_response(error: BaseException) -> JSONResponse:
    """Return the response for an error."""
    if not isinstance(error, ControlError):
        _log.error("a request failed by our fault", exc_info=error)
    problems = error.problems if isinstance(error, InvalidRequest) else ()
    violations: list[dict[str, Json]] = [
        {"field": p.field, "message": p.message, "code": p.code} for p in problems
    ]
    response = _failure(http_status(error), reason_of(error), message_of(error), violations)
    if retry_after_s(error):
        response.headers["retry-after"] = str(max(1, int(retry_after_s(error))))
    return response


def _guarded(endpoint: Endpoint) -> Endpoint:
    async def call(request: Request) -> Response:
        try:
            return await endpoint(request)
        except HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - the table decides
            return error_response(error)

    return call


async def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send JSON, with content-type application/json")
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise HTTPException(413, f"the body is longer than {MAX_BODY_BYTES} bytes")
    try:
        found = json.loads(bytes(raw) or b"{}")
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidRequest("the body must be a JSON object")
    return found


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key, "")
    if not isinstance(value, str):
        raise InvalidRequest(f"{key} must be a string")
    return value


def _switch(body: Mapping[str, Any], key: str) -> bool:
    value = body.get(key, False)
    if not isinstance(value, bool):
        raise InvalidRequest(f"{key} must be true or false")
    return value


def _flag(request: Request, key: str) -> bool:
    """Return a switch of the query; what is neither true nor false must not pass for false."""
    value = request.query_params.get(key, "false")
    if value not in {"true", "false"}:
        raise InvalidRequest(f"{key} must be true or false")
    return value == "true"


def _only(request: Request, *known: str) -> None:
    """Refuse a query parameter that is none of ours: a misspelt condition must not select everything."""
    for key in request.query_params:
        if key not in known:
            raise InvalidRequest(f"there is no parameter {key[:64]!r} here; known are {', '.join(known)}")


def _number(request: Request, key: str, default: float) -> float:
    try:
        found = float(request.query_params.get(key, default))
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise InvalidRequest(f"{key} must be a number")
    return found


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _filter(request: Request) -> str:
    """Return the filter of the query: `filter=`, and the plain parameters that the requirements name."""
    parts = [f"({request.query_params['filter']})"] if request.query_params.get("filter", "").strip() else []
    parts += [
        f"{key} = {_quoted(request.query_params[key])}" for key in FILTERS if request.query_params.get(key)
    ]
    return " AND ".join(parts)


def _event(raw: Mapping[str, Any]) -> event_pb2.ErrorEvent:
    value = dict(raw)
    for key, prefix in (
        ("severity", "SEVERITY_"),
        ("kind", "EVENT_KIND_"),
        ("category", "CATEGORY_"),
        ("outcome", "OUTCOME_"),
    ):
        name = value.get(key)
        if isinstance(name, str) and not name.upper().startswith(prefix):
            value[key] = prefix + name.upper()
    try:
        return json_format.ParseDict(value, event_pb2.ErrorEvent())
    except json_format.ParseError as error:
        raise InvalidRequest(f"the event cannot be read: {error}") from None


class Endpoints:
    """The endpoints."""

    def __init__(self, parts: HttpParts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        """Return the table of routes."""
        return [
            Route("/health", _guarded(self.health)),
            Route("/ready", _guarded(self.ready)),
            Route("/metrics", _guarded(self.metrics)),
            Route("/status", _guarded(self.status)),
            Route("/api/v1/errors", _guarded(self.list)),
            Route("/api/v1/errors", _guarded(self.report), methods=["POST"]),
            Route("/api/v1/errors", _guarded(self.delete), methods=["DELETE"]),
            Route("/api/v1/errors/stats", _guarded(self.stats)),
            Route("/api/v1/errors/resolve", _guarded(self.resolve_many), methods=["POST"]),
            Route("/api/v1/errors/{id}", _guarded(self.get)),
            Route("/api/v1/errors/{id}/resolve", _guarded(self.resolve), methods=["POST"]),
        ]

    async def health(self, request: Request) -> Response:
        """Answer 200 while people may at most want to look, 503 when traffic should go elsewhere."""
        report = await self._parts.health.report()
        return JSONResponse(
            {
                "status": report.status.label,
                "version": self._parts.version,
                "uptime_seconds": round(report.uptime_s, 3),
                "components": {
                    c.name: {"status": c.status.label, "message": c.message} for c in report.components
                },
                "errors": None if report.counts is None else counts_json(report.counts),
            },
            503 if report.status is Status.UNHEALTHY else 200,
        )

    async def ready(self, request: Request) -> Response:
        """Answer 200 when changes can be stored."""
        ready = await self._parts.health.is_ready()
        return PlainTextResponse("ready\n" if ready else "not ready\n", 200 if ready else 503)

    async def metrics(self, request: Request) -> Response:
        """Answer with Prometheus' text format."""
        parts = self._parts
        text = metrics.render(
            await parts.health.report(), parts.events, parts.fleet, parts.hub, parts.version
        )
        return Response(text, headers={"content-type": metrics.CONTENT_TYPE})

    async def status(self, request: Request) -> Response:
        """Answer with everything an operator wants at a glance."""
        parts = self._parts
        report = await parts.health.report()
        fleet, store = parts.fleet, report.store
        return JSONResponse(
            {
                "version": parts.version,
                "status": report.status.label,
                "uptime_seconds": round(report.uptime_s, 3),
                "store": {
                    "engine": store.engine,
                    "version": store.version,
                    "state": store.state,
                    "detail": store.detail,
                    "path": store.path,
                    "size_bytes": store.size_bytes,
                    "wal_bytes": store.wal_bytes,
                    "commits": store.commits,
                    "note": _WAL_NOTE if store.engine == "sqlite" else "",
                },
                "proxies": [
                    {
                        "node": p.node,
                        "connected": fleet.is_connected(p.node),
                        "version": p.version,
                        "policy_set": p.policy_set,
                        "applied_revision": p.applied_revision,
                        "drifted": is_drifted(p, fleet.newest_hash(p.policy_set)),
                        "last_seen": iso(p.last_seen_us),
                        "last_verdict": p.last_verdict.name,
                        "reasons": list(p.reasons),
                    }
                    for p in fleet.known()
                ],
                "tail": {"followers": len(parts.hub), "skipped": parts.hub.skipped},
            }
        )

    async def list(self, request: Request) -> Response:
        """Answer with a page of events."""
        _only(request, "filter", *FILTERS, "page_size", "limit", "page_token", "order_by")
        query = request.query_params
        size = _number(request, "page_size", _number(request, "limit", 0))
        page = await self._parts.events.page(
            filter_text=_filter(request),
            size=int(max(-1.0, min(size, 1e6))),
            token=query.get("page_token", ""),
            order_by=query.get("order_by", ""),
        )
        return JSONResponse(
            {"errors": [event_json(event) for event in page.events], "next_page_token": page.next_token}
        )

    async def report(self, request: Request) -> Response:
        """Store one event, or several."""
        body = await _body(request)
        raws = body.get("events", [body])
        if not isinstance(raws, list) or not all(isinstance(raw, dict) for raw in raws):
            raise InvalidRequest("events must be a list of objects")
        ids, stored = await self._parts.events.report([codec.event_of(_event(raw)) for raw in raws])
        return JSONResponse({"ids": ids, "stored": stored}, 201 if stored else 200)

    async def stats(self, request: Request) -> Response:
        """Answer with the counts."""
        return JSONResponse(counts_json(await self._parts.events.counts()))

    async def get(self, request: Request) -> Response:
        """Answer with one event."""
        return JSONResponse(event_json(await self._parts.events.get(request.path_params["id"])))

    async def resolve(self, request: Request) -> Response:
        """Mark one event as dealt with."""
        body = await _body(request)
        event = await self._parts.events.update(
            request.path_params["id"],
            EventChange(resolved=True, resolution=_text(body, "resolution") or None),
        )
        return JSONResponse(event_json(event))

    async def resolve_many(self, request: Request) -> Response:
        """Mark events as dealt with, by ids or by a filter."""
        body = await _body(request)
        ids = body.get("ids", [])
        if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
            raise InvalidRequest("ids must be a list of strings")
        number = await self._parts.events.resolve(
            ids=ids,
            filter_text=_text(body, "filter"),
            resolution=_text(body, "resolution"),
            validate_only=_switch(body, "validate_only"),
        )
        return JSONResponse({"resolved": number})

    async def delete(self, request: Request) -> Response:
        """Delete resolved events older than some days."""
        _only(request, "older_than_days", "validate_only")
        days = _number(request, "older_than_days", 0)
        number = await self._parts.events.delete_resolved(
            older_than_us=int(min(days, 1e6) * 86400 * MICROS),
            validate_only=_flag(request, "validate_only"),
        )
        return JSONResponse({"deleted": number})


class Guard:
    """Refuses requests that a web page of another site could cause."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] == "http" and (refusal := self._refusal(scope)) is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
        if self._hosts and name.lower() not in self._hosts:
            return _failure(421, "WRONG_HOST", f"this listener does not serve host {name[:100]!r}")
        if scope["method"] not in ("GET", "HEAD") and headers.get("sec-fetch-site", "none") not in (
            "none",
            "same-origin",
        ):
            return _failure(403, "CROSS_SITE", "changes are taken from this site only")
        return None


async def _http_failure(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else "internal error"
    if status == 404:
        detail = "no such page; there are /health, /ready, /metrics, /status and /api/v1/errors"
    return _failure(status, "HTTP_ERROR" if status != 404 else "NOT_FOUND", detail)


def application(parts: HttpParts, hosts: frozenset[str]) -> ASGIApp:
    """Return the application; an empty set of hosts allows every Host header."""
    app = Starlette(routes=Endpoints(parts).routes(), exception_handlers={HTTPException: _http_failure})
    return Guard(app, hosts)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the process has one owner."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


def bind(address: str) -> socket.socket:
    """Return a listening socket for `host:port`. Raise OSError."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, int(port)))
        sock.set_inheritable(False)
    except BaseException:
        sock.close()
        raise
    return sock


LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


class HttpServer:
    """The HTTP side of the control plane."""

    def __init__(self, parts: HttpParts, sock: socket.socket) -> None:
        self._sock = sock
        host, self._port = sock.getsockname()[:2]
        self._host = f"[{host}]" if ":" in host else host
        hosts = LOOPBACK if self._host in LOOPBACK or host.startswith("127.") else frozenset()
        config = uvicorn.Config(
            application(parts, hosts),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http="h11",
            loop="none",
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=5,
            limit_concurrency=512,
            h11_max_incomplete_event_size=64 * 1024,
        )
        self._server = _Server(config)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{self._host}:{self._port}"

    async def run(self) -> None:
        """Serve until `stop`."""
        await self._server.serve(sockets=[self._sock])

    def stop(self) -> None:
        """Finish what runs and end."""
        self._server.should_exit = True
