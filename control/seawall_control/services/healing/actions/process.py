"""Actions on this process and its store: memory given back, the store checked."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc

from seawall_control.domain.healing.engine import Case
from seawall_control.domain.machine import MIB
from seawall_control.services.healing.actions.base import AtOnce, Done


class FreeMemory(AtOnce):
    """Gives memory back to the system."""

    async def preview(self, case: Case) -> str:
        """See `Handler.preview`."""
        used = (await self._reach.machine.look(max_age_s=0)).resident_bytes
        return f"would collect garbage and give free memory back; {used / MIB:.0f} MiB are in use"

    async def do(self, case: Case) -> Done:
        """See `Handler.do`."""
        before = (await self._reach.machine.look(max_age_s=0)).resident_bytes
        await asyncio.to_thread(_give_back)
        after = (await self._reach.machine.look(max_age_s=0)).resident_bytes
        return Done(
            ok=True, text=f"{case.subject}: {before / MIB:.0f} MiB before, {after / MIB:.0f} MiB after"
        )


class CheckStore(AtOnce):
    """Checks the store."""

    async def preview(self, case: Case) -> str:
        """See `Handler.preview`."""
        report = await self._reach.store.report_state()
        return f"would check the store, {report.size_bytes / MIB:.1f} MiB of {report.engine}"

    async def do(self, case: Case) -> Done:
        """See `Handler.do`."""
        findings = await self._reach.signals.check_store()
        found = "; ".join(findings[:10])[:1000]
        return Done(ok=True, text=found or f"{case.subject} is sound")


def _give_back() -> None:
    gc.collect()
    # glibc keeps freed memory for itself unless it is asked; other C libraries have no such call.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
