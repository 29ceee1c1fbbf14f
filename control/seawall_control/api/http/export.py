"""All events that match as a plain file, to be saved: `curl -OJ` and a browser's link do it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from seawall_control.api.http.access import calls
from seawall_control.api.http.answers import error_response, guarded
from seawall_control.api.http.events import FILTERS, filter_of
from seawall_control.api.http.parts import HttpParts
from seawall_control.api.http.reading import only, whole
from seawall_control.api.http.streaming import Emit, Streaming
from seawall_control.domain import filters
from seawall_control.domain.errors import FieldProblem, InvalidRequest
from seawall_control.domain.events import MICROS
from seawall_control.domain.export import Format

PATHS: Final = ("/api/v1/errors/export", "/api/v1/events:export")
"""Among the other paths of errors, and as AIP-136 spells a verb."""
MEDIA: Final[Mapping[Format, str]] = {
    Format.NDJSON: "application/x-ndjson",
    Format.CSV: "text/csv; charset=utf-8; header=present",
    Format.JSON: "application/json",
}
"""RFC 4180 and RFC 8259; NDJSON has a custom."""
MAX_LIMIT: Final = 2**62


class Export:
    """The file."""

    def __init__(self, parts: HttpParts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        """Return the table of routes."""
        endpoint = calls("/seawall.v1.EventService/ExportEvents", guarded(self.export))
        return [Route(path, endpoint) for path in PATHS]

    async def export(self, request: Request) -> Response:
        """Answer with every event that matches, newest first, as a file. It is sent while it is read; one
        that ends early (the store is away) is cut off, so that half of it does not pass for the whole.
        """
        only(request, "format", "limit", "filter", *FILTERS)
        form = _format(request)
        limit = whole(request.query_params, "limit", most=MAX_LIMIT)
        filter_text = filter_of(request.query_params)
        filters.parse(filter_text)
        made = datetime.fromtimestamp(self._parts.clock.now_us() // MICROS, UTC)
        name = f"seawall-events-{made:%Y%m%dT%H%M%SZ}.{form.name.lower()}"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        if request.method == "HEAD":
            found = Response(media_type=MEDIA[form], headers=headers)
            del found.headers["content-length"]
            return found

        async def produce(emit: Emit) -> None:
            parts = self._parts.event_views.export(filter_text=filter_text, form=form, limit=limit)
            async with aclosing(parts) as chunks:
                async for chunk, _ in chunks:
                    await emit(chunk)

        return Streaming(
            produce, media_type=MEDIA[form], failed=error_response, last_words=None, headers=headers
        )


def _format(request: Request) -> Format:
    """Return what `format` names, else what the reader accepts first, else NDJSON."""
    given = request.query_params.get("format", "")
    if given:
        try:
            return Format[given.upper()]
        except KeyError:
            known = ", ".join(form.name.lower() for form in Format)
            problem = FieldProblem("format", f"{given[:64]!r} is none of {known}")
            raise InvalidRequest(f"format: {problem.message}", (problem,)) from None
    for part in request.headers.get("accept", "").split(","):
        kind = part.partition(";")[0].strip().lower()
        for form, media in MEDIA.items():
            if media.partition(";")[0] == kind:
                return form
    return Format.NDJSON
