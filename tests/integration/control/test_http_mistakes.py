"""What is wrong with a request is said with its place and what belongs there, on the paths of errors too."""

from __future__ import annotations

from typing import Any

import pytest

from seawall_control.server import ControlPlane
from tests.integration.control.web import ask

pytestmark = pytest.mark.integration

ERRORS = "/api/v1/errors"
GOOD = {"severity": "HIGH", "component": "billing", "error_type": "ValueError"}


@pytest.mark.parametrize(
    ("path", "method", "body", "field", "words"),
    [
        (ERRORS, "POST", {**GOOD, "severity": "BAD"}, "events[0].severity", "must be one of"),
        (ERRORS, "POST", {**GOOD, "timestamp": "yesterday"}, "events[0].timestamp", "RFC 3339"),
        (
            ERRORS,
            "POST",
            {**GOOD, "nosuch": 1},
            "events[0].nosuch",
            "it has attempts, category, code, component",
        ),
        (ERRORS, "POST", {"events": [GOOD, {**GOOD, "message": 1}]}, "events[1].message", "must be a string"),
        (ERRORS, "POST", {"severity": "HIGH"}, "events[0].component", "must name the part"),
        (f"{ERRORS}?page_size=-5", "GET", None, "page_size", "whole number from 0 on, not '-5'"),
        (f"{ERRORS}?page_size=1.5", "GET", None, "page_size", "whole number from 0 on, not '1.5'"),
        (f"{ERRORS}/task/x/history?page_size=x", "GET", None, "page_size", "whole number"),
        (f"{ERRORS}/stream?backlog=-1", "GET", None, "backlog", "whole number"),
        (f"{ERRORS}/alerts/thresholds", "PUT", {"error_rate": "high"}, "error_rate", "must be a number"),
    ],
)
async def test_a_mistake_has_its_place(
    plane: ControlPlane, path: str, method: str, body: Any, field: str, words: str
) -> None:
    """In the message and as a violation, in the words of the contract."""
    got = await ask(plane.addresses.http, path, method=method, body=body)
    error = got.json["error"]
    assert (got.status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    (violation,) = error["violations"]
    assert violation["field"] == field
    assert words in violation["message"]
    assert field in error["message"]
    assert words in error["message"]


async def test_the_path_of_the_socket_says_so(plane: ControlPlane) -> None:
    """Asked for as a page, it was taken for an event named ws."""
    got = await ask(plane.addresses.http, f"{ERRORS}/ws")
    assert (got.status, got.headers["upgrade"]) == (426, "websocket")
    assert "/api/v1/errors/stream" in got.json["error"]["message"]
