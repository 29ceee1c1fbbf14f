"""What surrounds the services: health, reflection, HTTP."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from seawall.v1 import admin_fleet_pb2, admin_policies_pb2
from seawall_control.access import AccessSettings
from seawall_control.api.gate import GatePolicy
from seawall_control.server import ControlPlane, ControlSettings
from seawall_control.store.sqlite import open_store
from tests.integration.control.kit import Proxy, Stubs, document, event, until
from tests.integration.control.test_events import report
from tests.integration.control.web import ask, head, read_head
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration


def _fetch(url: str, method: str, body: Any, headers: dict[str, str]) -> tuple[int, str]:
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        headers = {"content-type": "application/json", **headers}
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def http(
    plane: ControlPlane,
    path: str,
    *,
    method: str = "GET",
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    """Return status and body of a request."""
    url = f"http://{plane.addresses.http}{path}"
    status, text = await asyncio.to_thread(_fetch, url, method, body, headers or {})
    return status, json.loads(text) if text.startswith("{") else text


@pytest.mark.parametrize(("reflection", "code"), [(False, grpc.StatusCode.UNIMPLEMENTED), (True, None)])
async def test_reflection_is_not_for_other_machines_unless_that_is_meant(
    tmp_path: Path, reflection: bool, code: grpc.StatusCode | None
) -> None:
    """It is no map for those who come in by mistake."""
    settings = ControlSettings(
        data_dir=tmp_path / "control",
        grpc_address="0.0.0.0:0",
        http_address="127.0.0.1:0",
        grace_s=1.0,
        access=AccessSettings(gate=GatePolicy(anybody=True), reflection=reflection),
    )
    store = await open_store(settings.data_dir)
    plane = ControlPlane(settings, store)
    await plane.start()
    try:
        port = plane.addresses.grpc.rpartition(":")[2]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call: Any = channel.stream_stream(
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
                response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
            )()
            await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
            await call.done_writing()
            if code is None:
                assert (await call.read()).list_services_response.service
            else:
                assert await call.code() is code
    finally:
        await plane.stop()
        await store.aclose()


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_and_describes_our_services(stubs: Stubs, version: str) -> None:
    """Both names of the reflection service answer: what there is, and what it looks like."""
    call: Any = stubs.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    names = {s.name for s in (await call.read()).list_services_response.service}
    assert {
        "seawall.v1.FleetService",
        "seawall.v1.PolicyService",
        "seawall.v1.EventService",
        "seawall.v1.OperationsService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    } <= names
    await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol="seawall.v1.EventService"))
    assert (await call.read()).file_descriptor_response.file_descriptor_proto
    await call.done_writing()


async def test_standard_health_serves_every_service_and_drains(stubs: Stubs, plane: ControlPlane) -> None:
    """grpc.health.v1 says SERVING for the server and each service, NOT_FOUND for others, NOT_SERVING while
    draining; whoever watches hears of it.
    """
    health = health_pb2_grpc.HealthStub(stubs.channel)
    watched = health.Watch(health_pb2.HealthCheckRequest())
    assert (await watched.read()).status == health_pb2.HealthCheckResponse.SERVING
    for name in ("", "seawall.v1.EventService"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    listed = (await health.List(health_pb2.HealthListRequest())).statuses
    assert {"", "seawall.v1.EventService", "seawall.v1.FleetService"} <= set(listed)
    assert {answer.status for answer in listed.values()} == {health_pb2.HealthCheckResponse.SERVING}
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await health.Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    await plane.listeners.drain()
    answer = await health.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert (await watched.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    listed = (await health.List(health_pb2.HealthListRequest())).statuses
    assert {answer.status for answer in listed.values()} == {health_pb2.HealthCheckResponse.NOT_SERVING}
    watched.cancel()


async def test_system_health_follows_the_rule(stubs: Stubs, plane: ControlPlane) -> None:
    """Degraded with a critical event open, which HTTP answers with 200; healthy again when it is resolved."""
    assert (await http(plane, "/health"))[1]["status"] == "healthy"
    await report(stubs, event(1, severity=4))
    status, body = await http(plane, "/health")
    assert (status, body["status"]) == (200, "degraded")
    assert "critical" in body["components"]["events"]["message"]
    answer = await stubs.operations.GetSystemHealth(admin_fleet_pb2.GetSystemHealthRequest())
    assert answer.status == "degraded" and answer.version
    status, _ = await http(
        plane, f"/api/v1/errors/{event(1).id}/resolve", method="POST", body={"resolution": "done"}
    )
    assert status == 200
    assert (await http(plane, "/health"))[1]["status"] == "healthy"


async def test_refusing_proxy_degrades_health(stubs: Stubs, plane: ControlPlane) -> None:
    """A connected proxy that refused the newest policy shows in health until the content changes."""
    await stubs.policies.ApplyPolicy(admin_policies_pb2.ApplyPolicyRequest(document=document(1)))
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    await proxy.nack((await proxy.hear("policy")).policy, "no")

    async def degraded() -> bool:
        body = (await http(plane, "/health"))[1]
        return bool(body["components"]["proxies"]["status"] == "degraded")

    await until(degraded, what="health tells of the refusal")


async def test_draining_is_unhealthy_and_not_ready(plane: ControlPlane) -> None:
    """While it stops, the control plane answers 503 on both."""
    assert await http(plane, "/ready") == (200, "ready\n")
    plane.health.draining = True
    assert (await http(plane, "/health"))[0] == 503
    assert (await http(plane, "/ready"))[0] == 503


async def test_errors_over_http_have_the_columns_of_the_requirements(plane: ControlPlane) -> None:
    """Report, list by severity and job, read, count and clean up errors as JSON."""
    said = {
        "severity": "HIGH",
        "component": "backup",
        "error_type": "OSError",
        "message": "disk full",
        "job_id": "j1",
    }
    status, body = await http(plane, "/api/v1/errors", method="POST", body=said)
    assert (status, body["stored"]) == (201, 1)
    found = (await http(plane, "/api/v1/errors?severity=HIGH&job_id=j1&resolved=false"))[1]["errors"]
    assert [e["id"] for e in found] == body["ids"]
    columns = {
        "id", "timestamp", "severity", "component", "error_type", "message", "details", "job_id", "job_name",
        "stack_trace", "resolved", "resolved_at",
    }  # fmt: skip
    assert columns <= set(found[0])
    assert (await http(plane, f"/api/v1/errors/{body['ids'][0]}"))[1] == found[0]
    stats = (await http(plane, "/api/v1/errors/stats"))[1]
    assert (stats["total"], stats["unresolved"], stats["recent_24h"], stats["by_severity"]["HIGH"]) == (
        1,
        1,
        1,
        1,
    )
    answer = await http(plane, "/api/v1/errors/resolve", method="POST", body={"filter": "severity = HIGH"})
    assert answer == (200, {"resolved": 1})
    assert (await http(plane, "/api/v1/errors?older_than_days=1", method="DELETE")) == (200, {"deleted": 0})


@pytest.mark.parametrize(
    ("path", "method", "body", "headers", "status", "reason"),
    [
        ("/api/v1/errors?filter=nonsense", "GET", None, {}, 400, "INVALID_FILTER"),
        ("/api/v1/errors/00000000-0000-4000-8000-000000000000", "GET", None, {}, 404, "NOT_FOUND"),
        ("/nowhere", "GET", None, {}, 404, "NOT_FOUND"),
        ("/api/v1/errors", "POST", {"severity": "HUGE", "component": "x"}, {}, 400, "INVALID_REQUEST"),
        ("/api/v1/errors", "POST", {"events": 3}, {}, 400, "INVALID_REQUEST"),
        ("/api/v1/errors", "POST", {}, {"content-type": "text/plain"}, 415, "HTTP_ERROR"),
        ("/api/v1/errors", "POST", {}, {"sec-fetch-site": "cross-site"}, 403, "CROSS_SITE"),
        ("/health", "GET", None, {"host": "evil.example"}, 421, "WRONG_HOST"),
        ("/api/v1/errors", "DELETE", None, {}, 400, "INVALID_REQUEST"),
        ("/api/v1/errors?older_than_days=nan", "DELETE", None, {}, 400, "INVALID_REQUEST"),
        ("/api/v1/errors?page_size=many", "GET", None, {}, 400, "INVALID_REQUEST"),
        ("/api/v1/errors?sevrity=HIGH", "GET", None, {}, 400, "INVALID_REQUEST"),
        ("/api/v1/errors?older_than_days=1&validate_only=1", "DELETE", None, {}, 400, "INVALID_REQUEST"),
        ("/api/v1/errors?older_than_days=1&validate=true", "DELETE", None, {}, 400, "INVALID_REQUEST"),
        (
            *("/api/v1/errors/resolve", "POST", {"filter": "severity = HIGH", "validate_only": "true"}),
            *({}, 400, "INVALID_REQUEST"),
        ),
        ("/api/v1/errors?page_token=x", "GET", None, {}, 400, "INVALID_PAGE_TOKEN"),
    ],
)
async def test_http_errors_have_one_shape(
    plane: ControlPlane, path: str, method: str, body: Any, headers: dict[str, str], status: int, reason: str
) -> None:
    """Every failure is {"error": {"reason", "message", "violations"}} with the status of the table."""
    found, answer = await http(plane, path, method=method, body=body, headers=headers)
    assert (found, answer["error"]["reason"]) == (status, reason)
    assert answer["error"]["message"]


async def test_metrics_are_prometheus_text(stubs: Stubs, plane: ControlPlane) -> None:
    """Every sample has a family with help and type, and the numbers are those of the store."""
    await report(stubs, event(1, severity=3))
    text = (await http(plane, "/metrics"))[1]
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    samples = {
        line.split("{")[0].split()[0] for line in text.splitlines() if line and not line.startswith("#")
    }
    assert samples == families
    assert 'seawall_control_events{severity="HIGH"} 1' in text
    assert "seawall_control_store_up 1" in text


async def test_status_names_the_store_engine_and_proxies(stubs: Stubs, plane: ControlPlane) -> None:
    """/status tells the SQLite version, the file, and every proxy."""
    proxy = Proxy(stubs, "p1")
    await proxy.hello()
    body = (await http(plane, "/status"))[1]
    assert body["store"]["engine"] == "sqlite" and body["store"]["version"].count(".") == 2
    assert [(p["node"], p["connected"]) for p in body["proxies"]] == [("p1", True)]


async def test_answers_on_a_kept_connection_do_not_wait_for_each_other(plane: ControlPlane) -> None:
    """Head and body leave at once; Nagle's algorithm holds all but the first back for 40 ms."""
    host, _, port = plane.addresses.http.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    took = []
    for _ in range(50):
        began = time.perf_counter()
        writer.write(head("GET", "/livez", {"host": plane.addresses.http}))
        _, headers = await read_head(reader)
        await reader.readexactly(int(headers["content-length"]))
        took.append(time.perf_counter() - began)
    writer.close()
    assert min(took[1:]) < 0.035, took


async def test_a_time_before_1970_is_refused(plane: ControlPlane) -> None:
    """It is a mistake of the reporter's, and must not become "now"."""
    told = {"severity": "HIGH", "component": "c", "timestamp": "1960-01-01T00:00:00Z"}
    status, body = await http(plane, "/api/v1/errors", method="POST", body=told)
    assert (status, body["error"]["violations"][0]["field"]) == (400, "events[0].timestamp")


async def test_cleaning_up_asks_for_days(plane: ControlPlane) -> None:
    """The parameter is called what its caller calls it."""
    for query in ("", "?older_than_days=0", "?older_than_days=-1"):
        status, body = await http(plane, f"/api/v1/errors{query}", method="DELETE")
        assert (status, body["error"]["violations"][0]["field"]) == (400, "older_than_days")


async def test_others_have_their_turn_while_a_large_report_is_read(plane: ControlPlane) -> None:
    """Two megabytes of events take most of a second, for which nobody else has to wait. What counts is the
    work of this thread: it may also wait for a processor that others use.
    """
    one = {"severity": "HIGH", "component": "c", "error_type": "E", "message": "x y 12 " * 500}
    body = json.dumps({"events": [one] * 500}).encode()
    found = []
    for _ in range(3):
        # Whatever else is in this process is collected now, and not meanwhile.
        gc.collect()
        work = asyncio.create_task(ask(plane.addresses.http, "/api/v1/errors", method="POST", body=body))
        turns, longest, last = 0, 0.0, time.thread_time()
        while not work.done():
            await asyncio.sleep(0)
            now = time.thread_time()
            turns, longest, last = turns + 1, max(longest, now - last), now
        assert (await work).status == 201
        found.append((longest, turns))
    longest, turns = min(found)
    assert turns > 50 and longest < 0.25, found


async def test_a_request_that_does_not_end_is_told_of_a_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever is still sending when the time is up gets an answer that says why, and the log no traceback."""
    settings = ControlSettings(
        data_dir=tmp_path, grpc_address="127.0.0.1:0", http_address="127.0.0.1:0", grace_s=0.5
    )
    store = await open_store(settings.data_dir)
    control = ControlPlane(settings, store)
    await control.start()
    host, _, port = control.addresses.http.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    sent = {"host": control.addresses.http, "content-type": "application/json", "content-length": "100"}
    writer.write(head("POST", "/api/v1/errors", {**sent, "expect": "100-continue"}))
    assert (await read_head(reader))[0] == 100, "it is asked for the rest"
    writer.write(b'{"severity"')
    await control.stop()
    status, headers = await read_head(reader)
    body = json.loads(await reader.readexactly(int(headers["content-length"])))
    await store.aclose()
    writer.close()
    assert (status, body["error"]["reason"]) == (503, "DRAINING")
    assert not [record for record in caplog.records if record.exc_info]


async def test_what_nobody_reads_is_refused(plane: ControlPlane, stubs: Stubs) -> None:
    """A misspelt `validate_only` would do what was only to be tried."""
    await report(stubs, event(1))
    for path, body, field in (
        ("/api/v1/errors/resolve", {"filter": "resolved = false", "validateonly": True}, "validateonly"),
        ("/api/v1/errors/x/resolve", {"resolutoin": "done"}, "resolutoin"),
        ("/api/v1/errors/circuit-breakers/pay/reset", {"porxy": "p1"}, "porxy"),
    ):
        status, answer = await http(plane, path, method="POST", body=body)
        assert (status, answer["error"]["violations"][0]["field"]) == (400, field)
    for path, body in (
        ("/api/v1/errors/resolve?validate_only=true", {"filter": "resolved = false"}),
        ("/api/v1/errors?validate_only=true", {"severity": "HIGH", "component": "c"}),
        ("/api/v1/errors", {"events": [{"severity": "HIGH", "component": "c"}], "validate_only": True}),
    ):
        assert (await http(plane, path, method="POST", body=body))[0] == 400
    for path in ("/api/v1/errors/stats?severity=HIGH", "/api/v1/errors/x?fields=id"):
        assert (await http(plane, path))[0] == 400
    counts = await plane.events.counts()
    assert (counts.total, counts.unresolved) == (1, 1)
