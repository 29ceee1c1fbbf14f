"""`seawall archive`: events that have left the record and are kept as files."""

from __future__ import annotations

import sys
from datetime import UTC
from typing import IO, TYPE_CHECKING, Final, TypeVar

import click

from seawall.cli import exits, render
from seawall.cli.commands.events import FILTER_HELP
from seawall.cli.options import DURATION, connect, control_option, emit, output_option, say

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from seawall.v1 import admin_archives_pb2 as pb

    R = TypeVar("R", bound=Message)

_SERVICE: Final = "/seawall.v1.ArchiveService"
_TIMEOUT_S: Final = 3600.0
"""Moving and reading many events takes a while."""


@click.group()
def archive() -> None:
    """Move old resolved events to files; list, read, check and put back those.

    An archive is a gzip file of NDJSON in the data directory of the control plane, with its check sum. Events
    leave the record only when the file is on the disk. What is unresolved is never moved.
    """


def _send(target: str, method: str, request: Message, response: type[R]) -> R:
    with connect(target, timeout_s=_TIMEOUT_S) as seawall:
        return seawall.call(f"{_SERVICE}/{method}", request, response)


def _row(one: pb.EventArchive) -> list[str | render.Cell]:
    return [
        one.name,
        render.count(one.events),
        f"{one.first_time.ToDatetime(tzinfo=UTC):%Y-%m-%d %H:%M}",
        f"{one.last_time.ToDatetime(tzinfo=UTC):%Y-%m-%d %H:%M}",
        render.size(one.size_bytes),
        one.actor or "-",
    ]


@archive.command()
@click.option(
    "--older-than",
    type=DURATION,
    default="336h",
    show_default=True,
    help="Age from which resolved events are moved.",
)
@click.option("--reason", default="", help="Why; kept with the archive.")
@click.option("--dry-run", is_flag=True, help="Only say how many there are.")
@control_option
@output_option
def events(older_than: float, reason: str, dry_run: bool, target: str, output: str) -> None:
    """Move resolved events to files."""
    from google.protobuf.duration_pb2 import Duration

    from seawall.cli import archive_shapes
    from seawall.client.calls import default_author
    from seawall.v1 import admin_archives_pb2 as pb

    request = pb.ArchiveEventsRequest(validate_only=dry_run, actor=default_author(), reason=reason)
    request.older_than.CopyFrom(Duration())
    request.older_than.FromNanoseconds(int(older_than * 1e9))
    done = _send(target, "ArchiveEvents", request, pb.ArchiveEventsResponse)
    emit(output, archive_shapes.archived(done), lambda: _table(list(done.archives)) if done.archives else "")
    if dry_run:
        say(
            f"{render.count(done.events)} events would be moved; they take about "
            f"{render.size(done.store_bytes)} of the store. Nothing was changed."
        )
    else:
        say(f"{render.count(done.events)} events moved to {len(done.archives)} archives.")


def _table(found: list[pb.EventArchive]) -> str:
    return render.table(
        ["ARCHIVE", "EVENTS", "FROM (UTC)", "TO (UTC)", "SIZE", "BY"],
        [_row(one) for one in found],
        right="EVENTS SIZE",
    )


@archive.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Most to show.")
@control_option
@output_option
def list_(limit: int, target: str, output: str) -> None:
    """List the archives, the newest first."""
    from seawall.cli import archive_shapes
    from seawall.v1 import admin_archives_pb2 as pb

    request = pb.ListArchivesRequest(page_size=limit)
    found = _send(target, "ListArchives", request, pb.ListArchivesResponse)
    emit(
        output,
        {
            "archives": [archive_shapes.archive(one) for one in found.archives],
            "total": found.total,
            "total_bytes": found.total_bytes,
        },
        lambda: _table(list(found.archives)) if found.archives else "",
    )
    say(f"{found.total} archives of {render.size(found.total_bytes)}." if found.total else "No archive.")


@archive.command()
@click.argument("name")
@control_option
@output_option
def show(name: str, target: str, output: str) -> None:
    """Say everything about archive NAME."""
    from seawall.cli import archive_shapes
    from seawall.v1 import admin_archives_pb2 as pb

    one = _send(target, "GetArchive", pb.GetArchiveRequest(name=name), pb.GetArchiveResponse).archive
    shape = archive_shapes.archive(one)
    emit(
        output,
        shape,
        lambda: render.fields(
            [
                ("Archive", one.name),
                ("Events", f"{render.count(one.events)}, {shape['first_time']} to {shape['last_time']}"),
                ("Size", f"{render.size(one.size_bytes)} ({render.size(one.text_bytes)} of text)"),
                ("SHA-256", one.sha256),
                ("Written", f"{shape['create_time']} by {one.actor or 'nobody known'}"),
                ("Why", one.reason),
                ("Record", "its events have left it" if one.removed else "its events are in it as well"),
                ("File", one.path),
            ]
        ),
    )


@archive.command()
@click.argument("name")
@click.option("--filter", "filter_", default="", help=FILTER_HELP)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["ndjson", "csv", "json"]),
    default="ndjson",
    show_default=True,
    help="A JSON object a line, CSV with a line of names, or one JSON array.",
)
@click.option(
    "--out", "file", type=click.File("wb", lazy=True), default="-", help="File to write; default is stdout."
)
@control_option
def read(name: str, filter_: str, format_: str, file: IO[bytes], target: str) -> None:
    """Write the events of archive NAME, oldest first."""
    from seawall.v1 import admin_archives_pb2 as pb
    from seawall.v1 import admin_events_pb2

    request = pb.ReadArchiveRequest(
        name=name,
        filter=filter_,
        format=getattr(admin_events_pb2, f"EXPORT_FORMAT_{format_.upper()}"),
    )
    total = 0
    with connect(target) as seawall:
        for part in seawall.follow(f"{_SERVICE}/ReadArchive", request, pb.ReadArchiveResponse):
            file.write(part.chunk)
            total += part.events
    file.flush()
    sys.stdout.flush()
    say(f"{render.count(total)} events written.")


@archive.command()
@click.argument("name")
@control_option
@output_option
@click.pass_context
def verify(ctx: click.Context, name: str, target: str, output: str) -> None:
    """Read archive NAME whole and compare it with its check sum; exit code 1 when it is damaged."""
    from seawall.cli import archive_shapes
    from seawall.v1 import admin_archives_pb2 as pb

    found = _send(target, "VerifyArchive", pb.VerifyArchiveRequest(name=name), pb.VerifyArchiveResponse)
    emit(
        output,
        {"archive": archive_shapes.archive(found.archive), "fault": found.fault},
        lambda: "",
    )
    say(f"{name} is damaged: {found.fault}." if found.fault else f"{name} is sound.")
    ctx.exit(exits.FAILED if found.fault else exits.OK)


@archive.command()
@click.argument("name")
@click.option("--filter", "filter_", default="", help=FILTER_HELP)
@control_option
@output_option
def restore(name: str, filter_: str, target: str, output: str) -> None:
    """Put the events of archive NAME back into the record, as they were, each once.

    The archive stays. Events keep their times, so what moves or deletes old events takes them again.
    """
    from seawall.cli import archive_shapes
    from seawall.v1 import admin_archives_pb2 as pb

    request = pb.RestoreArchiveRequest(name=name, filter=filter_)
    found = _send(target, "RestoreArchive", request, pb.RestoreArchiveResponse)
    emit(
        output,
        {
            "archive": archive_shapes.archive(found.archive),
            "matched": found.matched,
            "restored": found.restored,
        },
        lambda: "",
    )
    there = found.matched - found.restored
    say(
        f"{render.count(found.restored)} events are back in the record"
        + (f"; {render.count(there)} were there." if there else ".")
    )


@archive.command()
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Delete it; without it nothing is done.")
@control_option
def delete(name: str, yes: bool, target: str) -> None:
    """Delete archive NAME; its events are gone then."""
    from seawall.v1 import admin_archives_pb2 as pb

    if not yes:
        one = _send(target, "GetArchive", pb.GetArchiveRequest(name=name), pb.GetArchiveResponse).archive
        say(f"{name} has {render.count(one.events)} events. Nothing was deleted; --yes deletes it.")
        return
    _send(target, "DeleteArchive", pb.DeleteArchiveRequest(name=name), pb.DeleteArchiveResponse)
    say(f"{name} is deleted.")
