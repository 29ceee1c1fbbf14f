"""Actions on the record: groups muted, old events archived, room made on a disk that is nearly full."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from seawall_control.domain.errors import PreconditionFailed
from seawall_control.domain.events import MICROS, Severity
from seawall_control.domain.groups import Until
from seawall_control.domain.healing.engine import Case
from seawall_control.domain.machine import GIB, MIB, Disk
from seawall_control.domain.retention import BATCH, DAY_S, Prune
from seawall_control.services.archives import bytes_per_event
from seawall_control.services.healing.actions.base import ACTOR, AtOnce, Done, number, reason, subject_of

CLEAN_DAYS: Final = (30.0, 14.0, 7.0, 3.0, 1.0, 0.25)
"""Ages of resolved events that a full disk may cost, the oldest first."""
SETTLE_S: Final = 10.0
"""How long the store may take to give room back after events were deleted."""
_LOOK_S: Final = 0.25
_DAY_US: Final = DAY_S * MICROS


class ArchiveGroup(AtOnce):
    """Mutes a group until it escalates."""

    async def preview(self, case: Case) -> str:
        """See `Handler.preview`."""
        group = await self._reach.store.group(subject_of(case, "group"))
        return f"would mute group {group.id} ({group.events} events so far) until it escalates"

    async def do(self, case: Case) -> Done:
        """See `Handler.do`."""
        done = await self._reach.groups.update(
            subject_of(case, "group"), archive=(Until.ESCALATING, 0), note=reason(case), actor=ACTOR
        )
        return Done(ok=True, text="muted until it escalates", undo=done.id)

    async def undo(self, case: Case) -> Done:
        """See `Handler.undo`."""
        await self._reach.groups.reopen(case.undo, note=f"{case.id}: it did not help", actor=ACTOR)
        return Done(ok=True, text="the group is open again")


class ArchiveEvents(AtOnce):
    """Moves old resolved events to files."""

    def _before_us(self, case: Case) -> int:
        return self._reach.ages.now_us() - int(number(case, "older_than_days") * _DAY_US)

    async def preview(self, case: Case) -> str:
        """See `Handler.preview`."""
        days = number(case, "older_than_days")
        events, size = await self._reach.archives.preview(before_us=self._before_us(case))
        return (
            f"would archive {events} resolved events older than {days:g} days, which take about "
            f"{size / MIB:.1f} MiB of the store, to {self._reach.archives.directory}"
        )

    async def do(self, case: Case) -> Done:
        """See `Handler.do`."""
        done = await self._reach.archives.archive(
            before_us=self._before_us(case), actor=ACTOR, reason=reason(case)
        )
        if not done.archives:
            return Done(ok=True, text="no resolved event is that old; nothing was archived")
        names = ", ".join(one.name for one in done.archives[:5])
        return Done(
            ok=True,
            text=f"{done.events} resolved events ({done.text_bytes / MIB:.1f} MiB of text) were moved to "
            f"{len(done.archives)} archives of {done.size_bytes / MIB:.1f} MiB: {names}",
        )


class CleanDisk(AtOnce):
    """Deletes resolved events until so much of the disk is free: the oldest ages first, and within an age the
    least severe first. What is unresolved, and archives, which may be the only copy, are never touched.
    """

    async def _disk(self) -> Disk:
        disk = (await self._reach.machine.look(max_age_s=0)).disk
        if disk is None:
            raise PreconditionFailed(
                "the store is not on this machine's disk, or the disk does not answer; nothing was deleted"
            )
        return disk

    def _steps(self) -> Iterator[tuple[float, Severity, Prune]]:
        now_us = self._reach.ages.now_us()
        for days in CLEAN_DAYS:
            for severity in Severity:
                yield days, severity, Prune(now_us - int(days * _DAY_US), severity, limit=BATCH)

    async def preview(self, case: Case) -> str:
        """See `Handler.preview`."""
        disk, wanted = await self._disk(), number(case, "free_share")
        missing = _missing(disk, wanted)
        if missing <= 0:
            return f"would delete nothing: {1 - disk.used_share:.0%} of the disk is free"
        each = await bytes_per_event(self._reach.store, self._reach.clock)
        before_us = self._reach.ages.now_us()
        events = 0
        for days in CLEAN_DAYS:
            events = await self._reach.store.delete_resolved(
                before_us=before_us - int(days * _DAY_US), dry_run=True
            )
            if events * each >= missing:
                return (
                    f"would delete about {-(-missing // max(1, each))} resolved events older than {days:g} "
                    f"days, the least severe first, to free {missing / GIB:.2f} GiB"
                )
        return (
            f"would delete all {events} resolved events older than {CLEAN_DAYS[-1]:g} days (about "
            f"{events * each / GIB:.2f} GiB), which is not enough: {missing / GIB:.2f} GiB are missing"
        )

    async def do(self, case: Case) -> Done:
        """See `Handler.do`."""
        wanted = number(case, "free_share")
        before = disk = await self._disk()
        each = max(1, await bytes_per_event(self._reach.store, self._reach.clock))
        deleted = since = 0
        for _, _, prune in self._steps():
            more = True
            while more and _missing(disk, wanted) > 0:
                number_ = await self._reach.store.prune_events(prune)
                more = number_ == prune.limit
                deleted += number_
                since += number_
                # The file becomes smaller some time after: as much as is missing is deleted, then looked.
                if since * each >= _missing(disk, wanted):
                    disk = await self._settled(wanted)
                    since = 0
                await asyncio.sleep(0)
            if _missing(disk, wanted) <= 0:
                break
        disk = await self._settled(wanted) if since else disk
        said = (
            f"{deleted} resolved events deleted, {1 - disk.used_share:.0%} of the disk is free "
            f"({(disk.free_bytes - before.free_bytes) / MIB:+.1f} MiB)"
        )
        if _missing(disk, wanted) > 0 and deleted == 0:
            return Done(
                ok=False, text=f"{said}; nothing is left that may go: unresolved events are never deleted"
            )
        return Done(ok=True, text=said)

    async def _settled(self, wanted: float) -> Disk:
        """Return the disk once it is free enough, or after it has had its time."""
        disk = await self._disk()
        waited_s = 0.0
        while _missing(disk, wanted) > 0 and waited_s < SETTLE_S:
            await asyncio.sleep(_LOOK_S)
            waited_s += _LOOK_S
            disk = await self._disk()
        return disk


def _missing(disk: Disk, free_share: float) -> int:
    return int(free_share * disk.total_bytes) - disk.free_bytes
