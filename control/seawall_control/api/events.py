"""EventService: decode, call the use case, encode."""

from __future__ import annotations

from contextlib import aclosing
from typing import Final

from seawall.v1 import admin_events_pb2 as pb
from seawall.v1 import admin_events_pb2_grpc, event_pb2
from seawall_control.api import codec
from seawall_control.api.errors import Context, abort, answered
from seawall_control.domain.errors import FieldProblem, InvalidRequest
from seawall_control.domain.events import MICROS, EventChange, Outcome, Severity
from seawall_control.domain.export import Format
from seawall_control.services.event_intake import MAX_REPORT_BYTES
from seawall_control.services.event_views import EventViews, shown
from seawall_control.services.events import EventService

_MASK: Final = ("severity", "job_id", "job_name", "details", "resolved", "resolution")


def change_of(request: pb.UpdateEventRequest) -> EventChange:
    """Decode a change by its mask. Raise `InvalidRequest` for unknown paths or an unusable value."""
    paths = list(request.update_mask.paths)
    if not paths:
        raise InvalidRequest(
            f"update_mask is empty; name fields of {', '.join(_MASK)}, or `*` for all of them"
        )
    unknown = [path for path in paths if path != "*" and path not in _MASK]
    if unknown:
        raise InvalidRequest(
            "update_mask names fields that cannot be changed",
            tuple(
                FieldProblem("update_mask", f"{path[:64]!r} is none of {', '.join(_MASK)}")
                for path in unknown[:20]
            ),
        )
    wanted = set(_MASK if "*" in paths else paths)
    event = request.event
    number = int(event.severity)
    if "severity" in wanted and not 1 <= number <= 4:
        raise InvalidRequest("event.severity must be set to change it")
    has_details = event.HasField("details")
    return EventChange(
        severity=Severity(number) if "severity" in wanted else None,
        job_id=event.job_id if "job_id" in wanted else None,
        job_name=event.job_name if "job_name" in wanted else None,
        details=codec.details_of(event.details) if "details" in wanted and has_details else None,
        clear_details="details" in wanted and not has_details,
        resolved=event.resolved if "resolved" in wanted else None,
        resolution=event.resolution if "resolution" in wanted else None,
    )


class EventServicer(admin_events_pb2_grpc.EventServiceServicer):
    """seawall.v1.EventService."""

    def __init__(self, events: EventService, views: EventViews) -> None:
        self._events = events
        self._views = views

    async def ReportEvents(
        self, request: pb.ReportEventsRequest, context: Context
    ) -> pb.ReportEventsResponse:
        """Store events."""

        async def work() -> pb.ReportEventsResponse:
            if request.ByteSize() > MAX_REPORT_BYTES:
                raise InvalidRequest(
                    f"the request has {request.ByteSize()} bytes; at most {MAX_REPORT_BYTES} are allowed"
                )
            ids, stored = await self._events.report([codec.event_of(event) for event in request.events])
            return pb.ReportEventsResponse(ids=ids, stored=stored)

        return await answered(context, work())

    async def GetEvent(self, request: pb.GetEventRequest, context: Context) -> pb.GetEventResponse:
        """Return one event."""

        async def work() -> pb.GetEventResponse:
            return pb.GetEventResponse(event=codec.event_message(await self._events.get(request.id)))

        return await answered(context, work())

    async def ListEvents(self, request: pb.ListEventsRequest, context: Context) -> pb.ListEventsResponse:
        """Return a page of events."""

        async def work() -> pb.ListEventsResponse:
            page = await self._events.page(
                filter_text=request.filter,
                size=request.page_size,
                token=request.page_token,
                order_by=request.order_by,
            )
            return pb.ListEventsResponse(
                events=[codec.event_message(event) for event in page.events], next_page_token=page.next_token
            )

        return await answered(context, work())

    async def UpdateEvent(self, request: pb.UpdateEventRequest, context: Context) -> pb.UpdateEventResponse:
        """Change an event."""

        async def work() -> pb.UpdateEventResponse:
            event = await self._events.update(request.event.id, change_of(request))
            return pb.UpdateEventResponse(event=codec.event_message(event))

        return await answered(context, work())

    async def ResolveEvents(
        self, request: pb.ResolveEventsRequest, context: Context
    ) -> pb.ResolveEventsResponse:
        """Mark events as dealt with."""

        async def work() -> pb.ResolveEventsResponse:
            number = await self._events.resolve(
                ids=list(request.ids),
                filter_text=request.filter,
                resolution=request.resolution,
                validate_only=request.validate_only,
            )
            return pb.ResolveEventsResponse(resolved=number)

        return await answered(context, work())

    async def GetEventStats(
        self, request: pb.GetEventStatsRequest, context: Context
    ) -> pb.GetEventStatsResponse:
        """Return the counts."""

        async def work() -> pb.GetEventStatsResponse:
            counts = await self._events.counts()
            return pb.GetEventStatsResponse(
                total=counts.total,
                unresolved=counts.unresolved,
                recent_24h=counts.recent_24h,
                by_severity={s.name: n for s, n in counts.by_severity.items()},
                unresolved_by_severity={s.name: n for s, n in counts.unresolved_by_severity.items()},
            )

        return await answered(context, work())

    async def DeleteResolvedEvents(
        self, request: pb.DeleteResolvedEventsRequest, context: Context
    ) -> pb.DeleteResolvedEventsResponse:
        """Delete resolved events older than an age."""

        async def work() -> pb.DeleteResolvedEventsResponse:
            deleted = await self._events.delete_resolved(
                older_than_us=codec.duration_us(request.older_than), validate_only=request.validate_only
            )
            return pb.DeleteResolvedEventsResponse(deleted=deleted)

        return await answered(context, work())

    async def GetEntityHistory(
        self, request: pb.GetEntityHistoryRequest, context: Context
    ) -> pb.GetEntityHistoryResponse:
        """Return what happened to a job or in a trace."""

        async def work() -> pb.GetEntityHistoryResponse:
            field = request.WhichOneof("entity") or "job_id"
            found = await self._views.history(
                field, getattr(request, field), size=request.page_size, token=request.page_token
            )
            last = found.events[-1].outcome if found.events else Outcome.UNSPECIFIED
            return pb.GetEntityHistoryResponse(
                events=[codec.event_message(event) for event in found.events],
                next_page_token=found.next_token,
                by_outcome=found.by_outcome,
                last_outcome=codec.enum(event_pb2.Outcome, last),
            )

        return await answered(context, work())

    async def GetEventTimeline(
        self, request: pb.GetEventTimelineRequest, context: Context
    ) -> pb.GetEventTimelineResponse:
        """Return counts over time."""

        async def work() -> pb.GetEventTimelineResponse:
            by = list(dict.fromkeys(request.group_by))
            found = await self._views.timeline(
                window_s=codec.duration_us(request.window) // MICROS,
                step_s=codec.duration_us(request.step) // MICROS,
                by=by,
                route=request.route,
                severity=int(request.severity),
            )
            rows = [
                pb.TimelineRow(
                    start=codec.timestamp(row.start * MICROS),
                    values={field: shown(field, value) for field, value in zip(by, row.values, strict=True)},
                    events=row.events,
                )
                for row in found.rows
            ]
            return pb.GetEventTimelineResponse(rows=rows, step=codec.seconds(int(found.width)))

        return await answered(context, work())

    async def ExportEvents(self, request: pb.ExportEventsRequest, context: Context) -> None:
        """Write a file in parts."""
        try:
            if int(request.format) not in range(4):
                raise InvalidRequest(
                    "format is EXPORT_FORMAT_NDJSON, EXPORT_FORMAT_CSV or EXPORT_FORMAT_JSON"
                )
            form = Format(int(request.format) or Format.NDJSON)
            parts = self._views.export(filter_text=request.filter, form=form, limit=request.limit)
            async with aclosing(parts) as chunks:
                async for chunk, number in chunks:
                    await context.write(pb.ExportEventsResponse(chunk=chunk, events=number))
        except Exception as error:  # noqa: BLE001 - the table decides
            await abort(context, error)

    async def TailEvents(self, request: pb.TailEventsRequest, context: Context) -> None:
        """Follow new events."""
        try:
            async with aclosing(
                self._events.tail(filter_text=request.filter, backlog=request.backlog)
            ) as events:
                async for event, skipped in events:
                    await context.write(
                        pb.TailEventsResponse(event=codec.event_message(event), skipped=skipped)
                    )
        except Exception as error:  # noqa: BLE001 - the table decides
            await abort(context, error)
