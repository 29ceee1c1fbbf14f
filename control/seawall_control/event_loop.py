"""The event loop of the control plane."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")

_log = logging.getLogger("seawall.control")


def run_on_loop(work: Coroutine[None, None, T]) -> T:
    """Run something on the fastest event loop that there is."""
    try:
        import uvloop  # noqa: PLC0415 - absent on platforms that it does not support
    except ImportError:
        _log.warning("uvloop is not installed, using asyncio's own event loop (slower)")
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
