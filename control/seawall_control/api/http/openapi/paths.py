"""What the paths that are written by hand take, beside what their routes say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from seawall_control.api.http.events import FILTERS
from seawall_control.api.http.export import MEDIA
from seawall_control.api.http.export import PATHS as EXPORTS

_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "number"}
_SWITCH: Final = {"type": "boolean"}
_FILTER: Final = ("filter", _TEXT, "AIP-160 filter, as in ListEvents.")
_CONDITIONS: Final = (
    _FILTER,
    *((name, _TEXT, f"Only events with this `{name}`; joined with the others by AND.") for name in FILTERS),
)
_PAGE: Final = (
    ("page_size", {"type": "integer"}, "Most events to return; default 50, at most 1000."),
    ("page_token", _TEXT, "`next_page_token` of the last answer."),
)
_BACKLOG: Final = ("backlog", {"type": "integer"}, "So many of the newest events first; at most 1000.")
_PROXY: Final = ("proxy", _TEXT, "Only this proxy.")

Query = tuple[tuple[str, Mapping[str, Any], str], ...]

QUERIES: Final[Mapping[str, Query]] = {
    "GET /metrics": (
        ("aliases", {"type": "string", "enum": ["error_recovery"]}, "Names of an older system as well."),
    ),
    "GET /api/v1/errors": (
        *_CONDITIONS,
        *_PAGE,
        ("limit", {"type": "integer"}, "Another name of `page_size`."),
        ("order_by", {"type": "string", "enum": ["timestamp desc", "timestamp"]}, "Default: newest first."),
    ),
    **{
        f"GET {path}": (
            (
                "format",
                {"type": "string", "enum": ["ndjson", "csv", "json"]},
                "Default: by `Accept`, else ndjson.",
            ),
            ("limit", {"type": "integer"}, "Most events; 0 means all."),
            *_CONDITIONS,
        )
        for path in EXPORTS
    },
    "DELETE /api/v1/errors": (
        ("older_than_days", _NUMBER, "Delete resolved events older than this."),
        ("validate_only", _SWITCH, "Count only."),
    ),
    "GET /api/v1/errors/stream": (
        *_CONDITIONS,
        _BACKLOG,
        ("last_event_id", _TEXT, "Go on after this id; the header `Last-Event-ID` wins."),
    ),
    "GET /api/v1/errors/analysis": (
        ("window_minutes", _NUMBER, "Length of the window, 5 minutes to 30 days; default 60."),
    ),
    "GET /api/v1/errors/task/{task_id}/history": _PAGE,
    "GET /api/v1/errors/circuit-breakers": (_PROXY,),
    "GET /api/v1/errors/circuit-breakers/{name}": (_PROXY,),
    "GET /api/v1/errors/recovery/stats": (
        ("window_minutes", _NUMBER, "Length of the window; default 5, at most 10."),
        _PROXY,
    ),
}
"""Parameters, by method and path."""

BODIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "POST /api/v1/errors": {
        "description": "One event, or `events` with up to 500, all or none.",
        "oneOf": [
            {"$ref": "#/components/schemas/seawall.v1.ErrorEvent"},
            {"$ref": "#/components/schemas/seawall.v1.ReportEventsRequest"},
        ],
    },
    "POST /api/v1/errors/{id}/resolve": {"type": "object", "properties": {"resolution": _TEXT}},
    "POST /api/v1/errors/resolve": {
        "type": "object",
        "properties": {
            "ids": {"type": "array", "items": _TEXT, "maxItems": 1000},
            "filter": _TEXT,
            "resolution": _TEXT,
            "validate_only": _SWITCH,
        },
    },
    "POST /api/v1/errors/circuit-breakers/{name}/reset": {
        "type": "object",
        "properties": {"proxy": _TEXT, "reason": _TEXT},
    },
    "PUT /api/v1/errors/alerts/thresholds": {"$ref": "#/components/schemas/seawall.v1.Thresholds"},
    "POST /api/v1/errors/self-healing/diagnose": {"type": "object", "maxProperties": 0},
}
"""Schemas of bodies, by method and path."""

ANSWERS: Final[Mapping[str, tuple[str, ...]]] = {
    "GET /livez": ("text/plain",),
    "GET /ready": ("text/plain",),
    "GET /readyz": ("text/plain",),
    "GET /metrics": ("text/plain",),
    "GET /api/v1/errors/stream": ("text/event-stream",),
    **{f"GET {path}": tuple(kind.partition(";")[0] for kind in MEDIA.values()) for path in EXPORTS},
}
"""What is not answered with JSON."""
