"""Following the policy file: reading it at the start, and again when it has changed or SIGHUP says so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final

from seawall_proxy.config import LintReport, lint_file, render_violations
from seawall_proxy.runtime.file_watch import FileWatch
from seawall_proxy.runtime.notify import notify, reloading
from seawall_proxy.runtime.places import StartFailed
from seawall_proxy.runtime.plane import Plane
from seawall_proxy.runtime.policy_holder import FROM_FILE
from seawall_proxy.telemetry.counters import ProxyCounters
from seawall_proxy.telemetry.events import SystemRecord, policy_refused

log = logging.getLogger("seawall.proxy")

LOOK_S: Final = 1.0

_AT_START: Final = ("listeners", "admin", "control", "workers", "overload", "access_log", "serve", "zone")
"""Parts of the file that only a start takes up."""


def read_at_start(path: Path) -> LintReport:
    """Return the policy file; raise StartFailed when it has mistakes."""
    report = lint_file(path)
    if not report.ok:
        raise StartFailed(render_violations(report).rstrip("\n"))
    for finding in report.warnings:
        log.warning("%s: %s", finding.violation.field, finding.violation.message)
    return report


class FollowedFile:
    """The policy file of a running proxy; a version with mistakes changes nothing."""

    def __init__(
        self,
        path: Path,
        report: LintReport,
        plane: Plane,
        counters: ProxyCounters,
        record: Callable[[SystemRecord], None],
        *,
        decides: bool,
    ) -> None:
        self._path: Path = path
        self._report: LintReport = report
        self._plane: Plane = plane
        self._counters: ProxyCounters = counters
        self._record: Callable[[SystemRecord], None] = record
        self._decides: bool = decides
        """False under a control plane."""
        self._watch: FileWatch = FileWatch(path)
        self._turn: asyncio.Lock = asyncio.Lock()
        self._waits: bool = False

    async def run(self, spawn: Callable[[str], None]) -> None:
        """Look until cancelled; `spawn(why)` has `reload` run beside."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                if self._watch.changed():
                    # Not awaited: a reload may have to wait for an upstream's reflection.
                    spawn("the file has changed")
            except Exception:
                log.exception("looking at the policy file failed")

    async def reload(self, why: str) -> None:
        """Read the policy file again; a file with mistakes changes nothing. One at a time, so that what was
        read last is in force last; one that waits for its turn stands for all who ask meanwhile.
        """
        if self._waits:
            return
        self._waits = True
        async with self._turn:
            self._waits = False
            notify(reloading())
            try:
                await self._reload(why)
            finally:
                # Whatever came of it: a service manager that was told of a reload waits for its end.
                notify("READY=1")

    async def _reload(self, why: str) -> None:
        self._watch.accept()
        report = await asyncio.to_thread(lint_file, self._path)
        if not report.ok:
            self._counters.policy_refused += 1
            refused = [f"{finding.violation.field}: {finding.violation.message}" for finding in report.errors]
            self._plane.policy.refused = refused
            log.error(
                "%s: not reloaded, the policy in force stays:\n%s",
                why,
                render_violations(report).rstrip("\n"),
            )
            self._record(policy_refused(0, refused, monotonic()))
            return
        if not self._decides:
            log.info(
                "%s: the control plane decides about the policy; `seawall apply` makes this file a revision",
                why,
            )
            return
        refused = await self._plane.apply(report.document, revision=0, source=FROM_FILE, patient=True)
        if refused:
            log.error("%s: not reloaded, the policy in force stays: %s", why, "; ".join(refused))
            self._record(policy_refused(0, refused, monotonic()))
        else:
            self._warn_of_bootstrap(report)
            self._report = report
            log.info("%s: policy reloaded (%s)", why, self._plane.policy.digest[:12])

    def _warn_of_bootstrap(self, report: LintReport) -> None:
        """Say which changed parts of the file only a start takes up, so that nobody waits for them."""
        old, new = self._report.document, report.document
        changed = [name for name in _AT_START if getattr(old, name) != getattr(new, name)]
        if changed:
            log.warning(
                "%s changed in the file; that takes effect at the next start (SIGUSR2 starts anew without a "
                "lost call)",
                ", ".join(changed),
            )
