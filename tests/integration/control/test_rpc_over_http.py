"""Every RPC as JSON over HTTP: what it is asked, what it answers, and how it fails."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import Any

import pytest
from google.protobuf.message import Message

from seawall_control.api.http import streaming as streaming_answers
from seawall_control.api.http.rpc import methods
from seawall_control.api.http.rpc.methods import as_json
from seawall_control.server import ControlPlane
from tests.integration.control.kit import Stubs, document, event, until
from tests.integration.control.test_events import report
from tests.integration.control.web import ask, streaming
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration

EVENTS = "/api/v1/seawall.v1.EventService"
POLICIES = "/api/v1/seawall.v1.PolicyService"
OPERATIONS = "/api/v1/seawall.v1.OperationsService"


async def test_a_change_with_post_and_a_look_with_get(plane: ControlPlane) -> None:
    """What one RPC stores another reads, under the names of the proto; lowerCamelCase is read too."""
    at = plane.addresses.http
    said = {"events": [{"severity": "SEVERITY_HIGH", "component": "backup", "errorType": "OSError"}]}
    stored = await ask(at, f"{EVENTS}/ReportEvents", method="POST", body=said)
    assert (stored.status, stored.json["stored"]) == (200, 1)
    found = await ask(at, f"{EVENTS}/ListEvents?filter=severity+%3D+HIGH&page_size=5")
    (first,) = found.json["events"]
    assert (first["id"], first["error_type"]) == (stored.json["ids"][0], "OSError")
    assert found.json["next_page_token"] == ""
    posted = await ask(at, f"{EVENTS}/ListEvents", method="POST", body={"pageSize": 1})
    assert posted.json["events"] == [first]


async def test_a_policy_goes_through_with_its_own_messages(plane: ControlPlane, stubs: Stubs) -> None:
    """Nested messages, durations and 64-bit numbers are those of proto3 JSON."""
    from google.protobuf.json_format import MessageToDict

    at = plane.addresses.http
    body = {"document": MessageToDict(document(3)), "message": "first"}
    applied = await ask(at, f"{POLICIES}/ApplyPolicy", method="POST", body=body)
    assert (applied.json["changed"], applied.json["revision"]["revision"]) == (True, "1")
    got = await ask(at, f"{POLICIES}/GetRevision?revision=1")
    assert got.json["revision"]["document"]["policies"]["standard"]["timeout"] == "3s"
    # The same call over gRPC finds it, and an etag that is not the newest is refused with HTTP's number.
    stale = await ask(at, f"{POLICIES}/ApplyPolicy", method="POST", body={**body, "etag": "somebody else's"})
    assert (stale.status, stale.json["error"]["reason"]) == (412, "ETAG_MISMATCH")
    assert (stale.json["error"]["status"], stale.json["error"]["code"]) == ("ABORTED", 412)


@pytest.mark.parametrize(
    ("path", "method", "body", "status", "reason", "words"),
    [
        (f"{EVENTS}/Nothing", "POST", {}, 404, "NOT_FOUND", "it has ReportEvents"),
        ("/api/v1/seawall.v1.Nobody/Nothing", "POST", {}, 404, "NOT_FOUND", "seawall.v1.EventService"),
        (f"{EVENTS}/ListEvents", "PUT", {}, 405, "HTTP_ERROR", "use"),
        (f"{EVENTS}/ResolveEvents", "GET", None, 405, "HTTP_ERROR", "use POST"),
        (f"{EVENTS}/ListEvents?page_sise=1", "GET", None, 400, "INVALID_REQUEST", "page_sise"),
        (f"{EVENTS}/ListEvents?page_size=many", "GET", None, 400, "INVALID_REQUEST", "page_size"),
        (f"{EVENTS}/ListEvents?page_size=1", "POST", {}, 400, "INVALID_REQUEST", "there is none"),
        (f"{EVENTS}/ListEvents?filter=nonsense", "GET", None, 400, "INVALID_FILTER", ""),
        (f"{EVENTS}/GetEvent?id=nobody", "GET", None, 404, "NOT_FOUND", ""),
        (f"{EVENTS}/ResolveEvents", "POST", {"filter": "x", "ids": ["a"]}, 400, "INVALID_REQUEST", "either"),
        (f"{EVENTS}/ListEvents", "POST", b"[]", 400, "INVALID_REQUEST", "JSON object"),
        (f"{EVENTS}/ListEvents", "POST", b"{", 400, "INVALID_REQUEST", "not JSON"),
        (f"{EVENTS}/ListEvents", "POST", b'{"filter":"a","filter":"b"}', 400, "INVALID_REQUEST", "twice"),
        (f"{EVENTS}/ListEvents", "POST", b"[" * 100_000, 400, "INVALID_REQUEST", "nested"),
        (f"{EVENTS}/ListEvents", "POST", b'{"filter": NaN}', 400, "INVALID_REQUEST", "NaN"),
        ("/api/v1/seawall.v1.FleetService/Connect", "POST", {}, 501, "UNIMPLEMENTED", "gRPC"),
        (f"{EVENTS}/ListEvents", "POST", b"x" * (methods.MAX_BODY_BYTES + 1), 413, "HTTP_ERROR", "longer"),
    ],
)
async def test_failures(
    plane: ControlPlane, path: str, method: str, body: object, status: int, reason: str, words: str
) -> None:
    """Every failure has the status and the reason of the table, and says what to do."""
    answer = await ask(plane.addresses.http, path, method=method, body=body)
    assert (answer.status, answer.json["error"]["reason"]) == (status, reason)
    assert words in answer.json["error"]["message"]
    assert answer.json["error"]["details"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"


async def test_unknown_fields_are_named_with_their_paths(plane: ControlPlane) -> None:
    """All of them, and a value that does not fit with its place."""
    body = {"events": [{"severity": "SEVERITY_LOW"}, {"severty": 1, "attempts": [{"cod": "X"}]}], "more": 1}
    answer = await ask(plane.addresses.http, f"{EVENTS}/ReportEvents", method="POST", body=body)
    error = answer.json["error"]
    assert [v["field"] for v in error["violations"]] == [
        "events[1].severty",
        "events[1].attempts[0].cod",
        "more",
    ]
    assert "severity" in error["violations"][0]["message"]
    body = {"events": [{"severity": "HUGE"}]}
    answer = await ask(plane.addresses.http, f"{EVENTS}/ReportEvents", method="POST", body=body)
    assert [v["field"] for v in answer.json["error"]["violations"]] == ["events[0].severity"]


async def test_options_and_head(plane: ControlPlane) -> None:
    """OPTIONS names the methods, HEAD answers without a body, and starts no stream."""
    at = plane.addresses.http
    for path, allowed in (
        (f"{EVENTS}/ListEvents", "GET, HEAD, OPTIONS, POST"),
        (f"{EVENTS}/ResolveEvents", "OPTIONS, POST"),
        ("/api/v1/errors", "DELETE, GET, HEAD, OPTIONS, POST"),
        ("/health", "GET, HEAD, OPTIONS"),
    ):
        answer = await ask(at, path, method="OPTIONS")
        assert (answer.status, answer.headers["allow"], answer.body) == (204, allowed, b"")
    for path, kind in ((f"{EVENTS}/GetEventStats", "application/json"), (f"{EVENTS}/TailEvents", "x-ndjson")):
        answer = await ask(at, path, method="HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert kind in answer.headers["content-type"]
    assert len(plane.hub) == 0


async def test_a_stream_as_lines(plane: ControlPlane, stubs: Stubs) -> None:
    """Each message is a line of its own as it comes; leaving ends the call."""
    await report(stubs, event(1))
    async with streaming(
        plane.addresses.http, f"{EVENTS}/TailEvents", method="POST", body={"backlog": 5}
    ) as stream:
        assert stream.headers["content-type"] == "application/x-ndjson"
        assert (await stream.line())["result"]["event"]["id"] == event(1).id
        await report(stubs, event(2))
        assert (await stream.line())["result"]["event"]["id"] == event(2).id

    async def left() -> bool:
        return len(plane.hub) == 0

    await until(left, what="the follower is gone")


async def test_a_stream_as_events_ends_with_the_reason(plane: ControlPlane, stubs: Stubs) -> None:
    """Server-sent events when they are asked for; the end of the stream says why, in the same shape."""
    asked = {"accept": "text/event-stream"}
    async with streaming(plane.addresses.http, f"{EVENTS}/TailEvents?backlog=1", headers=asked) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        await report(stubs, event(1))
        assert event(1).id in (await stream.event())["data"]
        await plane.stop()
        last = await stream.event()
        assert last["event"] == "error" and "DRAINING" in last["data"]


async def test_a_stream_that_fails_at_once_has_a_status(plane: ControlPlane) -> None:
    """A bad filter is 400, as for any other request, and not a stream of one error."""
    answer = await ask(plane.addresses.http, f"{EVENTS}/TailEvents?filter=nonsense")
    assert (answer.status, answer.json["error"]["reason"]) == (400, "INVALID_FILTER")


async def test_the_caller_s_deadline(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both headers end a call in time, in the head or in the stream; a wrong one is refused."""
    at = plane.addresses.http
    # Longer before the head of a stream is sent than the caller waits, then the other way round.
    with monkeypatch.context() as patched:
        patched.setattr(streaming_answers, "PATIENCE_S", 600.0)
        for name, value in (("grpc-timeout", "80m"), ("seawall-timeout", "0.08s")):
            async with asyncio.timeout(PATIENCE_S):
                answer = await ask(at, f"{EVENTS}/TailEvents", headers={name: value})
            assert (answer.status, answer.json["error"]["reason"]) == (504, "DEADLINE_EXCEEDED")
    async with streaming(at, f"{EVENTS}/TailEvents", headers={"seawall-timeout": "3s"}) as stream:
        assert stream.status == 200
        assert (await stream.line())["error"]["status"] == "DEADLINE_EXCEEDED"
    answer = await ask(at, f"{EVENTS}/GetEventStats", headers={"grpc-timeout": "soon"})
    assert (answer.status, "grpc-timeout" in answer.json["error"]["message"]) == (400, True)


async def test_a_large_answer_does_not_hold_up_others(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of long events is written in a thread; a short one is not worth one."""
    where: list[bool] = []
    main = threading.current_thread()

    def noted(message: Message) -> dict[str, Any]:
        where.append(threading.current_thread() is main)
        return as_json(message)

    monkeypatch.setattr(methods, "as_json", noted)
    batch = [event(n) for n in range(100)]
    for item in batch:
        item.message = "x" * 1000
    await report(stubs, *batch)
    answer = await ask(plane.addresses.http, f"{EVENTS}/ListEvents?page_size=1000")
    assert len(answer.json["events"]) == 100
    await ask(plane.addresses.http, f"{EVENTS}/ListEvents?page_size=1")
    assert where == [False, True]


async def test_request_ids(plane: ControlPlane) -> None:
    """The caller's id comes back when it is fit for a log, and a new one otherwise, on errors too."""
    at = plane.addresses.http
    answer = await ask(at, "/health", headers={"x-request-id": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    for path in ("/health", "/nowhere"):
        answer = await ask(at, path, headers={"x-request-id": "x" * 200})
        assert len(answer.headers["x-request-id"]) == 36
    assert not math.isnan(len(answer.body))
