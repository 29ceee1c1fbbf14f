"""A part that ends ends the process: half a control plane looks well to whoever does not ask that half."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from seawall_control.server import ControlSettings, plane, run_control
from seawall_control.server.running import EXIT_OK, EXIT_PART_ENDED
from tests.kit.processes import PATIENCE_S

pytestmark = pytest.mark.integration


def settings(directory: Path) -> ControlSettings:
    """A control plane on free ports."""
    return ControlSettings(
        data_dir=directory, grpc_address="127.0.0.1:0", http_address="127.0.0.1:0", grace_s=1.0
    )


def ended_parts(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """What the log calls ended, and by which error."""
    return [
        (record.__dict__["fields"]["part"], str(record.exc_info[1]) if record.exc_info else "")
        for record in caplog.records
        if record.levelname == "CRITICAL"
    ]


@pytest.mark.parametrize("how", ["fails", "returns"])
async def test_http_that_ends_ends_the_process(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The gRPC ports would go on otherwise, and the health page would answer nobody, for ever."""

    async def main_loop(self: uvicorn.Server) -> None:
        await asyncio.sleep(0.05)
        if how == "fails":
            raise OSError("the listener is gone")

    monkeypatch.setattr(uvicorn.Server, "main_loop", main_loop)
    async with asyncio.timeout(PATIENCE_S):
        assert await run_control(settings(tmp_path)) == EXIT_PART_ENDED
    assert ended_parts(caplog) == [("http", "the listener is gone" if how == "fails" else "")]


async def test_a_loop_that_cannot_be_kept_going_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What keeps loops going may itself be at fault."""

    async def lost(name: str, loop: Callable[[], Coroutine[Any, Any, None]], **_: object) -> None:
        if name == "alert-rules":
            raise RuntimeError("lost")
        await loop()

    monkeypatch.setattr(plane, "kept_going", lost)
    async with asyncio.timeout(PATIENCE_S):
        assert await run_control(settings(tmp_path)) == EXIT_PART_ENDED
    assert ended_parts(caplog) == [("alert-rules", "lost")]


async def test_parts_that_end_since_they_are_stopped_are_no_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The ordinary end says nothing."""
    stop = asyncio.Event()
    async with asyncio.timeout(PATIENCE_S):
        assert await run_control(settings(tmp_path), ready=lambda _: stop.set(), stop=stop) == EXIT_OK
    assert ended_parts(caplog) == []
