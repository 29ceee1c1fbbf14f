"""ArchiveService: decode, call the use case, encode."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import Final

from seawall.v1 import admin_archives_pb2 as pb
from seawall.v1 import admin_archives_pb2_grpc
from seawall_control.api import codec
from seawall_control.api.caller import author
from seawall_control.api.errors import Context, abort, answered
from seawall_control.domain import paging
from seawall_control.domain.archives import SUFFIX, Archive
from seawall_control.domain.errors import InvalidRequest
from seawall_control.domain.events import MICROS
from seawall_control.domain.export import Format
from seawall_control.services.archives import Archives
from seawall_control.services.edge import Clock

DEFAULT_AGE_US: Final = 14 * 86_400 * MICROS
_MAX_TEXT: Final = 512
_SCOPE: Final = ("archives",)


def archive_message(archive: Archive, directory: Path) -> pb.EventArchive:
    """Encode an archive."""
    return pb.EventArchive(
        name=archive.name,
        events=archive.events,
        first_time=codec.timestamp(archive.first_us),
        last_time=codec.timestamp(archive.last_us),
        size_bytes=archive.size_bytes,
        text_bytes=archive.text_bytes,
        sha256=archive.sha256,
        create_time=codec.timestamp(archive.create_time_us),
        actor=archive.actor,
        reason=archive.reason,
        removed=archive.is_removed,
        path=str(directory / f"{archive.name}{SUFFIX}"),
    )


class ArchiveServicer(admin_archives_pb2_grpc.ArchiveServiceServicer):
    """seawall.v1.ArchiveService."""

    def __init__(self, archives: Archives, clock: Clock) -> None:
        self._archives = archives
        self._clock = clock

    def _message(self, archive: Archive) -> pb.EventArchive:
        return archive_message(archive, self._archives.directory.absolute())

    async def ArchiveEvents(
        self, request: pb.ArchiveEventsRequest, context: Context
    ) -> pb.ArchiveEventsResponse:
        """Move old resolved events to files."""

        async def work() -> pb.ArchiveEventsResponse:
            age_us = DEFAULT_AGE_US
            if request.HasField("older_than"):
                age_us = codec.duration_us(request.older_than)
            if age_us < 0:
                raise InvalidRequest("older_than must not be negative")
            before_us = self._clock.now_us() - age_us
            if request.validate_only:
                events, size = await self._archives.preview(before_us=before_us)
                return pb.ArchiveEventsResponse(events=events, store_bytes=size)
            done = await self._archives.archive(
                before_us=before_us,
                actor=author(request.actor)[:_MAX_TEXT],
                reason=request.reason[:_MAX_TEXT],
            )
            return pb.ArchiveEventsResponse(
                events=done.events, archives=[self._message(one) for one in done.archives]
            )

        return await answered(context, work())

    async def ListArchives(
        self, request: pb.ListArchivesRequest, context: Context
    ) -> pb.ListArchivesResponse:
        """Return a page of archives."""

        async def work() -> pb.ListArchivesResponse:
            limit = paging.page_size(request.page_size, default=50, most=1000)
            everything = await self._archives.all()
            rest = everything
            if request.page_token:
                created_us, name = paging.decode(request.page_token, _SCOPE)
                after = (-int(created_us), str(name))
                rest = [one for one in everything if (-one.create_time_us, one.name) > after]
            page = rest[:limit]
            return pb.ListArchivesResponse(
                archives=[self._message(one) for one in page],
                next_page_token=paging.encode((page[-1].create_time_us, page[-1].name), _SCOPE)
                if len(rest) > limit
                else "",
                total=len(everything),
                total_bytes=sum(one.size_bytes for one in everything),
            )

        return await answered(context, work())

    async def GetArchive(self, request: pb.GetArchiveRequest, context: Context) -> pb.GetArchiveResponse:
        """Return one archive."""

        async def work() -> pb.GetArchiveResponse:
            return pb.GetArchiveResponse(archive=self._message(await self._archives.get(request.name)))

        return await answered(context, work())

    async def ReadArchive(self, request: pb.ReadArchiveRequest, context: Context) -> None:
        """Write its events in parts."""
        try:
            if int(request.format) not in range(4):
                raise InvalidRequest(
                    "format is EXPORT_FORMAT_NDJSON, EXPORT_FORMAT_CSV or EXPORT_FORMAT_JSON"
                )
            form = Format(int(request.format) or Format.NDJSON)
            parts = self._archives.read(request.name, filter_text=request.filter, form=form)
            async with aclosing(parts) as chunks:
                async for chunk, number in chunks:
                    await context.write(pb.ReadArchiveResponse(chunk=chunk, events=number))
        except Exception as error:  # noqa: BLE001 - the table decides
            await abort(context, error)

    async def VerifyArchive(
        self, request: pb.VerifyArchiveRequest, context: Context
    ) -> pb.VerifyArchiveResponse:
        """Check one."""

        async def work() -> pb.VerifyArchiveResponse:
            archive, fault = await self._archives.verify(request.name)
            return pb.VerifyArchiveResponse(archive=self._message(archive), fault=fault)

        return await answered(context, work())

    async def RestoreArchive(
        self, request: pb.RestoreArchiveRequest, context: Context
    ) -> pb.RestoreArchiveResponse:
        """Put its events back."""

        async def work() -> pb.RestoreArchiveResponse:
            archive, matched, restored = await self._archives.restore(
                request.name, filter_text=request.filter, validate_only=request.validate_only
            )
            return pb.RestoreArchiveResponse(
                archive=self._message(archive), matched=matched, restored=restored
            )

        return await answered(context, work())

    async def DeleteArchive(
        self, request: pb.DeleteArchiveRequest, context: Context
    ) -> pb.DeleteArchiveResponse:
        """Delete one."""

        async def work() -> pb.DeleteArchiveResponse:
            return pb.DeleteArchiveResponse(archive=self._message(await self._archives.delete(request.name)))

        return await answered(context, work())
