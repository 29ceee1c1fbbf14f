"""What runs beside the calls of a control plane goes on, whatever happens to it."""

from __future__ import annotations

import asyncio

import pytest

from seawall.v1 import admin_events_pb2, event_pb2
from seawall_control.server import ControlPlane
from tests.integration.control.kit import Stubs, until
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration


async def test_an_unexpected_error_ends_no_loop(
    plane: ControlPlane, stubs: Stubs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The store answers in a way that no part foresees, and well again afterwards; each failure is an event
    that says which loop and why.
    """
    asked = 0

    async def fails() -> bool:
        nonlocal asked
        asked += 1
        raise ZeroDivisionError("nobody expected this")

    def failed() -> set[object]:
        fields = [record.__dict__.get("fields") for record in caplog.records if record.exc_info]
        return {found.get("loop") for found in fields if isinstance(found, dict)}

    with monkeypatch.context() as patched:
        patched.setattr(plane.store, "leads", fails)
        patched.setattr(plane.store, "report_state", fails)
        async with asyncio.timeout(PATIENCE_S):
            while not {"leadership", "store-watch"} <= failed():  # noqa: ASYNC110 - loops write the log
                await asyncio.sleep(0.05)
    running = {task.get_name() for task in plane._tasks if not task.done()}
    assert {"seawall-leadership", "seawall-store-watch", "seawall-alert-rules"} <= running
    async with asyncio.timeout(PATIENCE_S):
        while not plane.leads():  # noqa: ASYNC110 - the loop asks again by itself
            await asyncio.sleep(0.05)
    request = admin_events_pb2.ListEventsRequest(filter="error_type = loop_failed")
    found: dict[object, event_pb2.ErrorEvent] = {}

    async def recorded() -> bool:
        events = (await stubs.events.ListEvents(request)).events
        found.update({event.details["loop"]: event for event in events})
        return {"leadership", "store-watch"} <= set(found)

    await until(recorded, what="both failures are recorded")
    event = found["leadership"]
    assert (event.severity, event.component) == (event_pb2.SEVERITY_HIGH, "control")
    assert event.message == (
        "The loop leadership of the control plane ended by our fault and began anew: "
        "ZeroDivisionError: nobody expected this"
    )
