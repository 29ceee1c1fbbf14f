"""The allocator's limits are set once, and never over an operator's own."""

from __future__ import annotations

import ctypes
import os

import pytest

from seawall_proxy.runtime.heap import keep_heap


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the allocator's settings out of the environment."""
    for name in list(os.environ):
        if name.startswith("MALLOC_") or name == "GLIBC_TUNABLES":
            monkeypatch.delenv(name)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this C library has no mallopt")
def test_limits_are_taken() -> None:
    """All of them are accepted by glibc."""
    assert keep_heap()


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES"])
def test_an_operators_settings_stay(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets the allocator by the environment decides."""
    monkeypatch.setenv(name, "1")
    assert not keep_heap()
