"""What every test run shares: it says which form of the code it tests, refuses an outdated one."""

from __future__ import annotations

import pytest
from hypothesis import settings

from seawall_policy._native import build_info

# One server for the whole run, for whoever asks for it.
from tests.kit.postgres import postgres_server  # noqa: F401


def pytest_report_header() -> str:
    """Name the form of the hot modules at the head of the output."""
    return f"seawall: {build_info()}"


def pytest_configure() -> None:
    """Stop when compiled modules would hide the sources that they were made from."""
    info = build_info()
    if info.stale:
        message = f"seawall: {info}. Run `make build`, or set SEAWALL_INTERPRETED=1."
        raise pytest.UsageError(message)
    # How long one example takes says how busy the machine is, not whether the code is right.
    settings.register_profile("seawall", deadline=None)
    settings.load_profile("seawall")
