"""`seawall alerts channels`: where people are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from seawall.cli import exits, render
from seawall.cli.alert_calls import author, read_file, send
from seawall.cli.options import control_option, emit, output_option, say, whole

if TYPE_CHECKING:
    from seawall.v1 import admin_alerts_pb2 as pb

_OWN = ("update_time", "resting", "unusable")


@click.group()
def channels() -> None:
    """See, set and test channels. Secrets are shown as `***`, and stay what they are when that is applied."""


def _plain(channel: pb.Channel) -> dict[str, Any]:
    from seawall.cli.plain import to_plain

    return to_plain(channel)


def _get(target: str, name: str) -> pb.Channel:
    from seawall.v1 import admin_alerts_pb2 as pb

    return send(target, "GetChannel", pb.GetChannelRequest(name=name), pb.GetChannelResponse).channel


@channels.command("list")
@control_option
@output_option
def list_(target: str, output: str) -> None:
    """List the channels by name."""
    from seawall.cli import alert_shapes
    from seawall.v1 import admin_alerts_pb2 as pb

    found = whole(
        target, "/seawall.v1.AlertService/ListChannels", pb.ListChannelsRequest(), pb.ListChannelsResponse
    ).channels
    rows: list[list[str | render.Cell]] = [
        [
            item.name,
            item.WhichOneof("settings") or "-",
            render.Cell("off", "yellow")
            if item.disabled
            else render.Cell("unusable", "red")
            if item.unusable
            else render.Cell("resting", "red")
            if item.resting
            else "on",
            alert_shapes.severity(item.min_severity).upper(),
            render.span(item.digest.seconds) if item.HasField("digest") else "-",
        ]
        for item in found
    ]
    emit(
        output,
        {"channels": [_plain(item) for item in found]},
        lambda: render.table(["CHANNEL", "KIND", "STATE", "FROM-SEVERITY", "DIGEST"], rows),
    )


@channels.command()
@click.argument("name")
@control_option
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def show(name: str, target: str, output: str) -> None:
    """Show channel NAME in the form that `apply` reads."""
    found = {key: value for key, value in _plain(_get(target, name)).items() if key not in _OWN}
    emit(output, found, lambda: "")


@channels.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Check only.")
@control_option
@output_option
def apply(file: Any, dry_run: bool, target: str, output: str) -> None:
    """Add or change a channel from FILE (YAML or JSON; `-` is stdin), in the form of `show`."""
    from seawall.errors import NotFound
    from seawall.v1 import admin_alerts_pb2 as pb

    channel = read_file(file, pb.Channel)
    for name in _OWN:
        channel.ClearField(name)
    try:
        _get(target, channel.name)
    except NotFound:
        create = pb.CreateChannelRequest(channel=channel, validate_only=dry_run, actor=author())
        kept = send(target, "CreateChannel", create, pb.CreateChannelResponse).channel
    else:
        update = pb.UpdateChannelRequest(channel=channel, validate_only=dry_run, actor=author())
        update.update_mask.paths.append("*")
        kept = send(target, "UpdateChannel", update, pb.UpdateChannelResponse).channel
    emit(output, _plain(kept), lambda: "")
    if dry_run:
        say(f"{kept.name} is fine; nothing was changed.")
    else:
        say(f"{kept.name} is in force; `seawall alerts channels test {kept.name}` sends a message.")


@channels.command()
@click.argument("name")
@control_option
def delete(name: str, target: str) -> None:
    """Delete channel NAME; messages that wait for it are given up."""
    from seawall.v1 import admin_alerts_pb2 as pb

    request = pb.DeleteChannelRequest(name=name, actor=author())
    send(target, "DeleteChannel", request, pb.DeleteChannelResponse)
    say(f"{name} is deleted.")


@channels.command()
@click.argument("name")
@control_option
@output_option
@click.pass_context
def test(ctx: click.Context, name: str, target: str, output: str) -> None:
    """Send a test message to channel NAME now. Exit code: 1 when it did not arrive."""
    from seawall.cli import shapes
    from seawall.v1 import admin_alerts_pb2 as pb

    found = send(
        target, "TestChannel", pb.TestChannelRequest(name=name, actor=author()), pb.TestChannelResponse
    )
    took_s = shapes.seconds(found.took)
    shape = {"ok": found.ok, "error": found.error, "took_s": took_s}
    emit(output, shape, lambda: "")
    say(f"It arrived, after {render.span(took_s)}." if found.ok else f"It did not arrive: {found.error}.")
    ctx.exit(exits.OK if found.ok else exits.FAILED)
