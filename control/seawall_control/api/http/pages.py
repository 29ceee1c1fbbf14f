"""Health, readiness, metrics and status."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from seawall_control.api import access_metrics, metric_aliases, metrics
from seawall_control.api.event_json import counts_json, iso
from seawall_control.api.http.access import open_to_all, takes
from seawall_control.api.http.answers import guarded
from seawall_control.api.http.parts import HttpParts
from seawall_control.api.http.reading import only
from seawall_control.domain.access import Role
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.fleet import is_drifted
from seawall_control.domain.health import Status

_WAL_NOTE: Final = (
    "one connection writes and checkpoints, which keeps clear of SQLite's WAL-reset bug (before 3.51.3)"
)


class Pages:
    """What tells how the control plane is."""

    def __init__(self, parts: HttpParts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        """Return the table of routes."""
        return [
            Route("/health", open_to_all(guarded(self.health))),
            Route("/api/v1/errors/health", open_to_all(guarded(self.health))),
            Route("/livez", open_to_all(guarded(self.live))),
            Route("/ready", open_to_all(guarded(self.ready))),
            Route("/readyz", open_to_all(guarded(self.ready))),
            Route("/metrics", takes(Role.VIEWER, guarded(self.metrics))),
            Route("/status", takes(Role.VIEWER, guarded(self.status))),
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

    async def live(self, request: Request) -> Response:
        """Answer 200: whoever hears it knows that the process works through its requests."""
        return PlainTextResponse("live\n")

    async def ready(self, request: Request) -> Response:
        """Answer 200 when changes can be stored."""
        ready = await self._parts.health.is_ready()
        return PlainTextResponse("ready\n" if ready else "not ready\n", 200 if ready else 503)

    async def metrics(self, request: Request) -> Response:
        """Answer with Prometheus' text format."""
        only(request, "aliases")
        asked = request.query_params.get("aliases", "")
        if asked not in ("", metric_aliases.SET):
            raise InvalidRequest(f"aliases must be {metric_aliases.SET}")
        parts = self._parts
        report = await parts.health.report()
        firing = parts.firing()
        text = metrics.render(
            report,
            parts.events,
            parts.fleet,
            parts.hub,
            parts.version,
            firing=firing,
            feed_readers=len(parts.feed),
        )
        text += access_metrics.render(
            parts.gate.numbers, parts.gate.audit.numbers, parts.gate.requests.repeated
        )
        text += parts.changes()
        if asked:
            text += metric_aliases.render(report, parts.fleet, firing)
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
                        "connected": fleet.is_online(p.node),
                        "version": p.version,
                        "policy_set": p.policy_set,
                        "applied_revision": p.applied_revision,
                        "drifted": is_drifted(p, fleet.pushes.wanted_hash(p)),
                        "last_seen": iso(p.last_seen_us),
                        "last_verdict": p.last_verdict.name,
                        "reasons": list(p.reasons),
                    }
                    for p in fleet.known()
                ],
                "tail": {"followers": len(parts.hub), "skipped": parts.hub.skipped},
            }
        )
