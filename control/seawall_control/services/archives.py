"""Writes old resolved events to files before they leave the record, and reads those files.

Order of an archive, so that no event is lost whenever the process ends: the file is written under another
name and synced, then renamed, then its manifest is written and synced with the directory; only then are its
events removed from the record, and the manifest says so. A life that ended in between is made up for by the
next archive. What is unresolved, or was changed to be so meanwhile, is never removed.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from seawall_control.domain import export, filters
from seawall_control.domain.archives import (
    MANIFEST,
    SUFFIX,
    Archive,
    archive_of,
    checked_name,
    manifest_text,
    name_of,
)
from seawall_control.domain.errors import NotFound, PreconditionFailed
from seawall_control.domain.events import MICROS, Event, Severity
from seawall_control.domain.export import Format
from seawall_control.domain.filters import EVERYTHING, Node
from seawall_control.services.archive_files import DAMAGED, Writer, fault_of, opened, parts_of
from seawall_control.services.durable_files import sync_directory
from seawall_control.services.edge import Clock
from seawall_control.services.machine import disk_at
from seawall_control.store.port import EventQuery, Store

PAGE: Final = 1000
PART_EVENTS: Final = 50_000
"""Events of one file; what is more goes to further ones."""
PART_BYTES: Final = 64 * 2**20
"""Bytes of text after which a file is full."""
MIN_FREE_BYTES: Final = 2 * PART_BYTES
"""With less room than this no archive is begun: the store needs the rest."""
PAUSE_S: Final = 0.02
"""Between two removals, so that others get their turn at the store."""
_PART: Final = ".part"

_log = logging.getLogger("seawall.control.archives")


@dataclass(frozen=True, slots=True)
class Archived:
    """What one run has done."""

    archives: tuple[Archive, ...]
    events: int
    size_bytes: int
    """Of the files."""
    text_bytes: int
    """Of what is in them."""


class Archives:
    """The archives of a control plane. They lie on its own machine, also where its store does not."""

    def __init__(self, directory: Path, store: Store, clock: Clock) -> None:
        self.directory = directory
        self._store = store
        self._clock = clock
        self._lock = asyncio.Lock()

    # ------------------------------------------------------------------------------------------------ writing

    async def preview(self, *, before_us: int) -> tuple[int, int]:
        """Return how many events would be archived now, and about how many bytes of the store they take."""
        events = await self._store.delete_resolved(before_us=before_us, dry_run=True)
        return events, events * await bytes_per_event(self._store, self._clock)

    async def archive(self, *, before_us: int, actor: str, reason: str) -> Archived:
        """Move the resolved events with a timestamp before this into archives. Raise `PreconditionFailed`
        where there is no room for them; what is archived already stays so.
        """
        return await self._archive(f'timestamp < "{_rfc3339(before_us)}"', actor, reason)

    async def archive_by_age(self, before_us: Mapping[Severity, int], *, actor: str, reason: str) -> Archived:
        """Move the resolved events of each severity with a timestamp before its own time; see `archive`."""
        parts = [
            f'(severity = {severity.name} AND timestamp < "{_rfc3339(at_us)}")'
            for severity, at_us in before_us.items()
        ]
        return await self._archive(f"({' OR '.join(parts)})", actor, reason)

    async def newest_of(self, actor: str) -> int:
        """Return when somebody had the newest archive made, in microseconds; 0 for never."""
        return max((one.create_time_us for one in await self.all() if one.actor == actor), default=0)

    async def _archive(self, condition: str, actor: str, reason: str) -> Archived:
        if self._lock.locked():
            raise PreconditionFailed("events are being archived already; wait until that is done")
        async with self._lock:
            await self._make_up_for()
            made: list[Archive] = []
            wanted = filters.parse(f"resolved = true AND {condition}")
            after: tuple[int, str] | None = None
            while True:
                archive, ids, after = await self._write(wanted, after, actor=actor, reason=reason)
                if archive is None:
                    break
                made.append(await self._remove(archive, ids))
            return Archived(
                tuple(made),
                sum(one.events for one in made),
                sum(one.size_bytes for one in made),
                sum(one.text_bytes for one in made),
            )

    async def _write(
        self, wanted: Node, after: tuple[int, str] | None, *, actor: str, reason: str
    ) -> tuple[Archive | None, list[str], tuple[int, str] | None]:
        """Write one file, of the events after a place; return the place that it ends at."""
        found = await self._store.events(EventQuery(wanted, PAGE, descending=False, after=after))
        if not found:
            return None, [], after
        await asyncio.to_thread(self._prepare)
        writer = Writer(self.directory / f"{self._clock.now_us():x}{_PART}")
        try:
            ids: list[str] = []
            first_us = found[0].timestamp_us
            while found:
                await asyncio.to_thread(writer.add, found)
                ids += [event.id for event in found]
                after = (found[-1].timestamp_us, found[-1].id)
                if len(ids) >= PART_EVENTS or writer.text_bytes >= PART_BYTES:
                    break
                found = await self._store.events(EventQuery(wanted, PAGE, descending=False, after=after))
            assert after is not None
            now_us = self._clock.now_us()
            name = name_of(first_us, after[0], now_us)
            size, digest = await asyncio.to_thread(writer.finish, self.directory / f"{name}{SUFFIX}")
            archive = Archive(
                name=name,
                events=len(ids),
                first_us=first_us,
                last_us=after[0],
                size_bytes=size,
                text_bytes=writer.text_bytes,
                sha256=digest,
                create_time_us=now_us,
                actor=actor,
                reason=reason,
            )
            await asyncio.to_thread(self._keep, archive)
        except OSError as error:
            raise PreconditionFailed(
                f"the archive cannot be written: {error}; nothing of it left the record"
            ) from error
        finally:
            writer.discard()
        _log.info("events archived", extra={"fields": {"archive": name, "events": len(ids), "bytes": size}})
        return archive, ids, after

    def _prepare(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self.directory.glob(f"*{_PART}"):
            left.unlink(missing_ok=True)
        free = disk_at(self.directory).free_bytes
        if free < MIN_FREE_BYTES:
            raise PreconditionFailed(
                f"{free / 2**20:.0f} MiB are free, an archive needs {MIN_FREE_BYTES / 2**20:.0f} MiB; move "
                f"archives from {self.directory} elsewhere, or delete old ones"
            )

    def _keep(self, archive: Archive) -> None:
        """Write the manifest, whole or not at all."""
        path = self.directory / f"{archive.name}{MANIFEST}"
        temporary = path.with_suffix(_PART)
        with opened(temporary) as file:
            file.write(manifest_text(archive).encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_directory(self.directory)

    async def _remove(self, archive: Archive, ids: Sequence[str]) -> Archive:
        for start in range(0, len(ids), PAGE):
            await self._store.delete_events(ids[start : start + PAGE])
            await asyncio.sleep(PAUSE_S)
        removed = replace(archive, is_removed=True)
        await asyncio.to_thread(self._keep, removed)
        return removed

    async def _make_up_for(self) -> None:
        """Remove from the record what an earlier life has archived and not removed any more."""
        for archive in await self.all():
            if archive.is_removed:
                continue
            if (await self.verify(archive.name))[1]:
                continue
            ids = [event.id async for part in self._events(archive.name, EVERYTHING) for event in part]
            await self._remove(archive, ids)

    # ------------------------------------------------------------------------------------------------ reading

    async def all(self) -> list[Archive]:
        """Return the archives, the newest first."""
        return await asyncio.to_thread(self._list)

    def _list(self) -> list[Archive]:
        found: list[Archive] = []
        for path in self.directory.glob(f"events-*{MANIFEST}"):
            try:
                found.append(archive_of(path.read_text(encoding="utf-8")))
            except (OSError, ValueError) as error:
                _log.warning(
                    "a manifest cannot be read", extra={"fields": {"path": str(path), "error": str(error)}}
                )
        return sorted(found, key=lambda one: (-one.create_time_us, one.name))

    async def get(self, name: str) -> Archive:
        """Return an archive. Raise `NotFound` or `InvalidRequest`."""
        wanted = checked_name(name)
        for archive in await self.all():
            if archive.name == wanted:
                return archive
        raise NotFound(
            f"there is no archive {wanted} on this control plane; `seawall archive list` shows them"
        )

    async def read(
        self, name: str, *, filter_text: str = "", form: Format = Format.NDJSON
    ) -> AsyncGenerator[tuple[bytes, int], None]:
        """Yield the events of an archive that match, oldest first, as a file in parts, each with its number
        of events. Raise `NotFound`, `InvalidFilter`, or `PreconditionFailed` for a file that is damaged.
        """
        wanted = filters.parse(filter_text)
        await self.get(name)
        first = True
        async for part in self._events(name, wanted):
            yield export.chunk(part, form, first=first, last=False).encode(), len(part)
            first = False
        end = export.chunk([], form, first=first, last=True).encode()
        if end:
            yield end, 0

    async def _events(self, name: str, wanted: Node) -> AsyncGenerator[Sequence[Event], None]:
        parts = parts_of(self.directory / f"{name}{SUFFIX}", wanted)
        try:
            while (part := await asyncio.to_thread(next, parts, None)) is not None:
                if part:
                    yield part
        except DAMAGED as error:
            raise PreconditionFailed(
                f"archive {name} is damaged ({error}); `seawall archive verify {name}` says more"
            ) from error
        finally:
            # Whoever is cancelled leaves a thread that reads on for a moment.
            with suppress(ValueError):
                parts.close()

    async def restore(
        self, name: str, *, filter_text: str = "", validate_only: bool = False
    ) -> tuple[Archive, int, int]:
        """Put the events of an archive that match back into the record, as they were, each once; return the
        archive, how many match, and how many of them were not there (0 where they are only counted). The
        archive stays. Raise `NotFound`,
        `InvalidFilter`, or `PreconditionFailed` for one that is damaged or whose events are still in the
        record.
        """
        wanted = filters.parse(filter_text)
        if self._lock.locked():
            raise PreconditionFailed("events are being archived or put back already; wait until that is done")
        async with self._lock:
            archive, fault = await self.verify(name)
            if fault:
                raise PreconditionFailed(f"archive {name} is damaged: {fault}")
            if not archive.is_removed:
                raise PreconditionFailed(
                    f"the events of {name} are not all out of the record yet, and those that are put back "
                    "would go with them; `seawall archive events` sees to it"
                )
            matched = restored = 0
            async for part in self._events(name, wanted):
                matched += len(part)
                if not validate_only:
                    restored += await self._store.restore_events(part)
                await asyncio.sleep(PAUSE_S)
        _log.info("events put back", extra={"fields": {"archive": name, "events": restored}})
        return archive, matched, restored

    async def verify(self, name: str) -> tuple[Archive, str]:
        """Read an archive's file whole; return what is wrong with it, or an empty text. Raise `NotFound`."""
        archive = await self.get(name)
        return archive, await asyncio.to_thread(fault_of, self.directory / f"{name}{SUFFIX}", archive)

    async def delete(self, name: str) -> Archive:
        """Delete an archive. Raise `NotFound`, and `PreconditionFailed` while only some of its events may be
        out of the record, unless it is damaged and of no use to anybody.
        """
        archive = await self.get(name)
        if not archive.is_removed and not (await self.verify(name))[1]:
            raise PreconditionFailed(
                f"the events of {name} are not all out of the record yet; `seawall archive events` sees to it"
            )
        await asyncio.to_thread(self._delete, name)
        return archive

    def _delete(self, name: str) -> None:
        # The manifest first: a file without one is no archive.
        (self.directory / f"{name}{MANIFEST}").unlink(missing_ok=True)
        (self.directory / f"{name}{SUFFIX}").unlink(missing_ok=True)
        sync_directory(self.directory)


async def bytes_per_event(store: Store, clock: Clock) -> int:
    """Return about how many bytes of the store an event takes, with its share of the indexes."""
    report = await store.report_state()
    total = (await store.counts(at_us=clock.now_us())).total
    return report.size_bytes // total if total else 0


def _rfc3339(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / MICROS, UTC).isoformat(timespec="microseconds")
