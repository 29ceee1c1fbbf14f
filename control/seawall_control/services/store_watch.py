"""Tells when the store's state changes: full, failed, well again."""

from __future__ import annotations

import asyncio
from typing import Final

from seawall_control.domain.events import Severity
from seawall_control.services.edge import Clock
from seawall_control.services.notices import Notice, NoticeKind, Notices
from seawall_control.store.port import Store

EVERY_S: Final = 1.0


async def run(store: Store, notices: Notices, clock: Clock, *, every_s: float = EVERY_S) -> None:
    """Compare the state with the one before, once a second, until cancelled. A store is taken to be well at
    the start.
    """
    before = "ok"
    while True:
        report = await store.report_state()
        if report.state != before:
            notices.publish(
                Notice(
                    NoticeKind.STORE_STATE,
                    clock.now_us(),
                    "store",
                    Severity.LOW if report.state == "ok" else Severity.CRITICAL,
                    {
                        "state": report.state,
                        "before": before,
                        "detail": report.detail,
                        "engine": report.engine,
                    },
                )
            )
            before = report.state
        await asyncio.sleep(every_s)
