"""The document as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.descriptor import MethodDescriptor
from starlette.routing import BaseRoute, Route

from seawall.v1 import admin_events_pb2
from seawall_control.api.http.access import asked_by
from seawall_control.api.http.openapi.paths import ANSWERS, BODIES, QUERIES
from seawall_control.api.http.openapi.schemas import Schema, Schemas, comments, is_plain, said
from seawall_control.api.http.rpc.methods import NDJSON, SSE, changes_nothing
from seawall_control.api.registry import Registry
from seawall_control.api.roles import access_of

VERSION: Final = "3.1.1"
_ERROR: Final = {"$ref": "#/components/responses/Error"}
_TIMEOUTS: Final = [
    {"$ref": "#/components/parameters/seawall-timeout"},
    {"$ref": "#/components/parameters/x-request-id"},
]
_INTRODUCTION: Final = """\
Every RPC of the control plane as JSON over HTTP, and the paths of the error events.

Requests and answers of RPCs follow the proto3 JSON mapping, with the names of the proto. Unknown fields are
refused. Errors have one shape, that of AIP-193 with the reason and the violations beside it."""
_PROBLEM: Final[Schema] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "status", "reason", "message", "violations", "details"],
            "properties": {
                "code": {"type": "integer", "description": "The HTTP status."},
                "status": {"type": "string", "description": "The gRPC code, such as INVALID_ARGUMENT."},
                "reason": {"type": "string", "description": "Stable; what programs go by."},
                "message": {"type": "string", "description": "For people: the place and the remedy."},
                "violations": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "field": {"type": "string"},
                            "message": {"type": "string"},
                            "code": {"type": "string"},
                        },
                    },
                },
                "details": {
                    "type": "array",
                    "description": "Those of google.rpc.Status.",
                    "items": {"type": "object", "properties": {"@type": {"type": "string"}}},
                },
            },
        }
    },
}


def document(served: Registry, routes: Iterable[BaseRoute], version: str) -> dict[str, Any]:
    """Return the description of everything that is served."""
    schemas = Schemas()
    reported: Any = admin_events_pb2.ReportEventsRequest.DESCRIPTOR
    schemas.of(reported)
    paths: dict[str, Any] = {}
    tags = []
    for route in routes:
        if isinstance(route, Route) and not asked_by(route).named_by_path:
            paths.setdefault(route.path_format, {}).update(_by_hand(route))
    for service in served.descriptors():
        tags.append({"name": service.name, **said(service.full_name)})
        for method in service.methods:
            if not method.client_streaming:
                paths[f"/api/v1/{service.full_name}/{method.name}"] = _rpc(method, schemas)
    return {
        "openapi": VERSION,
        "info": {
            "title": "Seawall control plane",
            "version": version,
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": "HTTP", "description": "Paths that are written by hand."}, *tags],
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {"Error": _PROBLEM, **dict(sorted(schemas.found.items()))},
            "responses": {
                "Error": {
                    "description": "What went wrong.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
                }
            },
            "parameters": {
                "seawall-timeout": {
                    "name": "seawall-timeout",
                    "in": "header",
                    "description": "How long the caller waits, such as `1.5s`.",
                    "schema": {"type": "string"},
                },
                "x-request-id": {
                    "name": "x-request-id",
                    "in": "header",
                    "description": "Comes back with the answer, and is in the log.",
                    "schema": {"type": "string", "maxLength": 128},
                },
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


# ------------------------------------------------------------------------------------------------------ RPCs


def _rpc(method: MethodDescriptor, schemas: Schemas) -> dict[str, Any]:
    request = schemas.of(method.input_type)
    posted = {
        "operationId": f"{method.containing_service.name}_{method.name}",
        **_about(method),
        "parameters": list(_TIMEOUTS),
        "requestBody": {"content": {"application/json": {"schema": request}}, "required": False},
        "responses": _responses(method, schemas),
    }
    if not changes_nothing(method):
        return {"post": posted}
    asked = {
        "operationId": f"{method.containing_service.name}_{method.name}_query",
        **_about(method),
        "parameters": [
            *(
                {"name": field.name, "in": "query", "schema": schemas.of_field(field)}
                for field in method.input_type.fields
                if is_plain(field)
            ),
            *_TIMEOUTS,
        ],
        "responses": _responses(method, schemas),
    }
    return {"get": asked, "post": posted}


def _about(method: MethodDescriptor) -> dict[str, Any]:
    text = comments().get(method.full_name, "")
    summary, dot, _ = text.partition(". ")
    return {
        "tags": [method.containing_service.name],
        "summary": summary + dot.strip(),
        "description": text,
        "x-seawall-role": access_of(method).role.name.lower(),
    }


def _responses(method: MethodDescriptor, schemas: Schemas) -> dict[str, Any]:
    answer = schemas.of(method.output_type)
    if not method.server_streaming:
        content = {"application/json": {"schema": answer}}
        return {"200": {"description": "The answer.", "content": content}, "default": _ERROR}
    line = {
        "oneOf": [
            {"type": "object", "required": ["result"], "properties": {"result": answer}},
            {"$ref": "#/components/schemas/Error"},
        ]
    }
    content = {NDJSON: {"schema": line}, SSE: {"schema": {"type": "string"}}}
    text = "A line for each message, or an event for each; the last one may be an error."
    return {"200": {"description": text, "content": content}, "default": _ERROR}


# --------------------------------------------------------------------------------------------------- by hand


def _by_hand(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"}):
        key = f"{method} {route.path_format}"
        text = " ".join((route.endpoint.__doc__ or "").split())
        asked = asked_by(route)
        operation: dict[str, Any] = {
            "operationId": _identifier(key),
            "tags": ["HTTP"],
            "summary": text.partition(". ")[0].partition(": ")[0].rstrip(".") + ".",
            "description": text,
            "parameters": [
                *(
                    {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                    for name in route.param_convertors
                ),
                *(
                    {"name": name, "in": "query", "description": about, "schema": dict(schema)}
                    for name, schema, about in QUERIES.get(key, ())
                ),
                *_TIMEOUTS,
            ],
            "responses": {
                "200": {
                    "description": text,
                    "content": {kind: {} for kind in ANSWERS.get(key, ("application/json",))},
                },
                "default": _ERROR,
            },
        }
        if key in BODIES:
            operation["requestBody"] = {"content": {"application/json": {"schema": dict(BODIES[key])}}}
        if asked.everybody:
            operation["security"] = []
        found[method.lower()] = operation
    return found


def _identifier(key: str) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in key.replace("/api/v1", "")).split()
    return "_".join(word.lower() for word in words)
