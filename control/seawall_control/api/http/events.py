"""Error events as JSON: report, list, read, count, resolve, clean up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from seawall.v1 import admin_events_pb2, event_pb2
from seawall.v1 import admin_events_pb2 as pb
from seawall_control.api import codec
from seawall_control.api.event_json import counts_json, event_json
from seawall_control.api.http.access import calls
from seawall_control.api.http.answers import guarded, json_answer
from seawall_control.api.http.parts import HttpParts
from seawall_control.api.http.reading import (
    LARGE_BYTES,
    flag,
    json_body,
    json_fields,
    number,
    only,
    parse_json,
    switch_of,
    text_of,
    whole,
)
from seawall_control.api.http.rpc.carrying import changed
from seawall_control.api.http.rpc.reading import fill
from seawall_control.domain.errors import FieldProblem, InvalidRequest
from seawall_control.domain.events import MICROS, EventChange
from seawall_control.services.event_intake import Reported

FILTERS: Final = ("severity", "component", "job_id", "resolved", "route", "proxy", "code")
"""Fields that a query may name plainly, beside `filter`."""
_RPC: Final = "/seawall.v1.EventService"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def filter_of(query: QueryParams) -> str:
    """Return the filter of a query: `filter=`, and the plain parameters that the requirements name.

    A filter that stands alone is left as it is, so that messages about it count positions as its writer does.
    """
    given = query.get("filter", "")
    plain = [f"{key} = {_quoted(query[key])}" for key in FILTERS if query.get(key)]
    if not given.strip():
        return " AND ".join(plain)
    return " AND ".join([f"({given})", *plain]) if plain else given


def _spelled_out(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event with the prefixes of the contract, which people leave out: HIGH is SEVERITY_HIGH."""
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
    return value


def _reported(raw: bytes) -> list[Reported]:
    """Return the events of a body. Raise `InvalidRequest`."""
    body = parse_json(raw)
    raws = body.get("events", [body])
    if "events" in body and len(body) > 1:
        raise InvalidRequest("beside events there is no field; one event alone is sent without them")
    if not isinstance(raws, list) or not all(isinstance(raw, dict) for raw in raws):
        raise InvalidRequest("events must be a list of objects")
    message = admin_events_pb2.ReportEventsRequest()
    fill(message, {"events": [_spelled_out(raw) for raw in raws]})
    return [codec.event_of(event) for event in message.events]


class Events:
    """The error events."""

    def __init__(self, parts: HttpParts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        """Return the table of routes."""
        return [
            Route("/api/v1/errors", calls(f"{_RPC}/ListEvents", guarded(self.list))),
            Route("/api/v1/errors", calls(f"{_RPC}/ReportEvents", guarded(self.report)), methods=["POST"]),
            Route(
                "/api/v1/errors",
                calls(f"{_RPC}/DeleteResolvedEvents", guarded(self.delete)),
                methods=["DELETE"],
            ),
            Route("/api/v1/errors/stats", calls(f"{_RPC}/GetEventStats", guarded(self.stats))),
            Route(
                "/api/v1/errors/resolve",
                calls(f"{_RPC}/ResolveEvents", guarded(self.resolve_many)),
                methods=["POST"],
            ),
            Route(
                "/api/v1/errors/task/{task_id:path}/history",
                calls(f"{_RPC}/ListEvents", guarded(self.history)),
            ),
            Route("/api/v1/errors/{id}", calls(f"{_RPC}/GetEvent", guarded(self.get))),
            Route(
                "/api/v1/errors/{id}/resolve",
                calls(f"{_RPC}/UpdateEvent", guarded(self.resolve)),
                methods=["POST"],
            ),
        ]

    async def list(self, request: Request) -> Response:
        """Answer with a page of events."""
        only(request, "filter", *FILTERS, "page_size", "limit", "page_token", "order_by")
        query = request.query_params
        size = whole(query, "page_size", default=whole(query, "limit"))
        page = await self._parts.events.page(
            filter_text=filter_of(query),
            size=size,
            token=query.get("page_token", ""),
            order_by=query.get("order_by", ""),
        )
        return json_answer(
            request,
            {"errors": [event_json(event) for event in page.events], "next_page_token": page.next_token},
        )

    async def history(self, request: Request) -> Response:
        """Answer with the events of one task, the oldest first."""
        only(request, "page_size", "page_token")
        task = request.path_params["task_id"]
        page = await self._parts.events.page(
            filter_text=f"job_id = {_quoted(task)}",
            size=whole(request.query_params, "page_size"),
            token=request.query_params.get("page_token", ""),
            order_by="timestamp",
        )
        return json_answer(
            request,
            {
                "task_id": task,
                "errors": [event_json(event) for event in page.events],
                "next_page_token": page.next_token,
            },
        )

    async def report(self, request: Request) -> Response:
        """Store one event, or several."""
        only(request)
        raw = await json_body(request)
        # A large one is read beside the event loop, where others go on.
        events = await asyncio.to_thread(_reported, raw) if len(raw) > LARGE_BYTES else _reported(raw)
        ids, stored = await self._parts.events.report(events)
        return JSONResponse({"ids": ids, "stored": stored}, 201 if stored else 200)

    async def stats(self, request: Request) -> Response:
        """Answer with the counts."""
        only(request)
        return json_answer(request, counts_json(await self._parts.events.counts()))

    async def get(self, request: Request) -> Response:
        """Answer with one event."""
        only(request)
        return json_answer(request, event_json(await self._parts.events.get(request.path_params["id"])))

    async def resolve(self, request: Request) -> Response:
        """Mark one event as dealt with."""
        body = await json_fields(request, "resolution")
        event_id = request.path_params["id"]
        change = EventChange(resolved=True, resolution=text_of(body, "resolution") or None)
        asked = pb.UpdateEventRequest(event=event_pb2.ErrorEvent(id=event_id))
        event = await changed(self._parts.gate, asked, self._parts.events.update(event_id, change))
        return JSONResponse(event_json(event))

    async def resolve_many(self, request: Request) -> Response:
        """Mark events as dealt with, by ids or by a filter."""
        body = await json_fields(request, "ids", "filter", "resolution", "validate_only")
        ids = body.get("ids", [])
        if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
            raise InvalidRequest("ids must be a list of strings")
        asked = pb.ResolveEventsRequest(
            ids=ids,
            filter=text_of(body, "filter"),
            resolution=text_of(body, "resolution"),
            validate_only=switch_of(body, "validate_only"),
        )
        work = self._parts.events.resolve(
            ids=ids,
            filter_text=asked.filter,
            resolution=asked.resolution,
            validate_only=asked.validate_only,
        )
        count = await changed(self._parts.gate, asked, work)
        return JSONResponse({"resolved": count})

    async def delete(self, request: Request) -> Response:
        """Delete resolved events older than some days."""
        only(request, "older_than_days", "validate_only")
        days = number(request, "older_than_days", 0)
        if days <= 0:
            raise InvalidRequest.of([FieldProblem("older_than_days", "must be a number above 0")])
        asked = pb.DeleteResolvedEventsRequest(validate_only=flag(request, "validate_only"))
        work = self._parts.events.delete_resolved(
            older_than_us=int(min(days, 1e6) * 86400 * MICROS), validate_only=asked.validate_only
        )
        count = await changed(self._parts.gate, asked, work)
        return JSONResponse({"deleted": count})
