"""The description of the HTTP API is valid, complete, and says what the .proto files say."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from seawall_control.api.http import routes
from seawall_control.api.http.openapi.paths import ANSWERS, BODIES, QUERIES
from seawall_control.api.http.openapi.schemas import Schemas
from seawall_control.server import ControlPlane
from tests.integration.control.web import ask

pytestmark = pytest.mark.integration


async def described(plane: ControlPlane) -> Any:
    """Return the document as it is served."""
    return (await ask(plane.addresses.http, "/api/v1/openapi.json")).json


async def test_it_is_valid(plane: ControlPlane) -> None:
    """By the schema of OpenAPI 3.1, references and all."""
    found = await described(plane)
    assert found["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(found).validate()


async def test_it_is_complete(plane: ControlPlane) -> None:
    """Every RPC that HTTP serves and every path that is written by hand, and nothing else."""
    found = await described(plane)
    rpcs = {
        f"/api/v1/{service.full_name}/{method.name}"
        for service in plane.served.descriptors()
        for method in service.methods
        if not method.client_streaming
    }
    by_hand: dict[str, set[str]] = {}
    for route in routes(plane.parts):
        if isinstance(route, Route) and "{service}" not in route.path:
            methods = {method.lower() for method in route.methods or ()} - {"head", "options"}
            by_hand[route.path_format] = by_hand.get(route.path_format, set()) | methods
    assert set(found["paths"]) == rpcs | set(by_hand)
    for path, methods in by_hand.items():
        assert set(found["paths"][path]) == methods, path
    assert len(rpcs) > 30
    named = {f"{method.upper()} {path}" for path, methods in by_hand.items() for method in methods}
    assert set(QUERIES) | set(BODIES) | set(ANSWERS) <= named


async def test_it_says_what_the_protos_say(plane: ControlPlane) -> None:
    """Comments, roles, enumerations, units of the mapping."""
    found = await described(plane)
    listing = found["paths"]["/api/v1/seawall.v1.EventService/ListEvents"]
    assert listing["post"]["summary"] == "Events, newest first."
    assert listing["get"]["x-seawall-role"] == "viewer"
    asked = {parameter.get("name"): parameter for parameter in listing["get"]["parameters"]}
    assert asked["page_size"]["schema"]["type"] == "integer"
    assert "AIP-160" in asked["filter"]["schema"]["description"]
    reset = found["paths"]["/api/v1/seawall.v1.OperationsService/ResetBreaker"]
    assert set(reset) == {"post"} and reset["post"]["x-seawall-role"] == "operator"
    schemas = found["components"]["schemas"]
    event = schemas["seawall.v1.ErrorEvent"]["properties"]
    assert event["timestamp"]["format"] == "date-time"
    assert event["severity"] == {
        "$ref": "#/components/schemas/seawall.v1.Severity",
        "description": event["severity"]["description"],
    }
    assert "SEVERITY_HIGH" in schemas["seawall.v1.Severity"]["enum"]
    tail = found["paths"]["/api/v1/seawall.v1.EventService/TailEvents"]["get"]["responses"]["200"]
    assert set(tail["content"]) == {"application/x-ndjson", "text/event-stream"}
    assert found["paths"]["/health"]["get"]["security"] == []


async def test_answers_are_as_described(plane: ControlPlane) -> None:
    """An event that was stored and read again fits its schema, and so does an error."""
    from jsonschema import Draft202012Validator

    at = plane.addresses.http
    found = await described(plane)
    said = {
        "severity": "SEVERITY_HIGH",
        "component": "c",
        "error_type": "E",
        "message": "m",
        "details": {"a": [1]},
    }
    await ask(at, "/api/v1/seawall.v1.EventService/ReportEvents", method="POST", body={"events": [said]})
    listed = (await ask(at, "/api/v1/seawall.v1.EventService/ListEvents")).json
    refused = (await ask(at, "/api/v1/seawall.v1.EventService/ListEvents?filter=x")).json
    for name, value in (("seawall.v1.ListEventsResponse", listed), ("Error", refused)):
        schema = {"$ref": f"#/components/schemas/{name}", "components": found["components"]}
        Draft202012Validator(schema).validate(value)


def test_messages_that_contain_themselves() -> None:
    """A schema refers to itself instead of being written for ever."""
    from google.protobuf import descriptor_pb2

    schemas = Schemas()
    schemas.of(descriptor_pb2.DescriptorProto.DESCRIPTOR)
    nested = schemas.found["google.protobuf.DescriptorProto"]["properties"]["nested_type"]
    assert nested["items"] == {"$ref": "#/components/schemas/google.protobuf.DescriptorProto"}
