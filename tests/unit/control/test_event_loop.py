"""The control plane runs on the fastest event loop that there is."""

from __future__ import annotations

import asyncio
import sys

import pytest

from seawall_control.event_loop import run_on_loop


async def _module() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


def test_uvloop_is_used_where_it_is() -> None:
    """And what is run on it is answered."""
    pytest.importorskip("uvloop", reason="uvloop has no wheel for this platform")
    assert run_on_loop(_module()) == "uvloop"


def test_asyncio_s_own_is_used_without_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning, since it is slower."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert run_on_loop(_module()) == "asyncio"
    assert [record.levelname for record in caplog.records if "uvloop" in record.message] == ["WARNING"]
