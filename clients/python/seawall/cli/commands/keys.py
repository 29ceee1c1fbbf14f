"""`seawall keys`: the keys with which the store's secrets are encrypted and the audit is sealed."""

from __future__ import annotations

import click

from seawall.cli import exits, render
from seawall.cli.options import connect, control_option, emit, output_option, say


@click.group()
def keys() -> None:
    """See and change the keys of the store.

    They are in a file beside the control plane's authority (authority/store.keys, or --store-keys), not in
    the store. Secrets of alert channels are encrypted, and the audit is sealed, with the current one. Takes
    the role admin.
    """


@keys.command("list")
@control_option
@output_option
@click.pass_context
def list_(ctx: click.Context, target: str, output: str) -> None:
    """List the keys; exit code 1 when there is no current one."""
    from seawall.cli import access_shapes

    with connect(target) as seawall:
        found = seawall.access.keys()

    def table() -> str:
        rows: list[list[str | render.Cell]] = [
            [
                key.name,
                "current" if key.current else "-",
                "yes" if key.available else render.Cell("no", "red"),
            ]
            for key in found.keys
        ]
        return render.table(["KEY", "USE", "IN THE FILE"], rows)

    emit(output, access_shapes.keys(found), table)
    if found.problem:
        say(found.problem)
    ctx.exit(exits.FAILED if found.problem else exits.OK)


@keys.command()
@click.option(
    "--prepare",
    is_flag=True,
    help="Only add the key to the file: copy that to the other control planes, then rotate.",
)
@click.option(
    "--accept-loss",
    is_flag=True,
    help="The file is lost: begin with a new one. Secrets have to be given anew.",
)
@control_option
@output_option
def rotate(*, prepare: bool, accept_loss: bool, target: str, output: str) -> None:
    """Make a new key the current one and encrypt all secrets with it.

    Older keys stay in the file: what was sealed with them is verified with them.
    """
    with connect(target) as seawall:
        done = seawall.access.rotate_key(prepare_only=prepare, accept_loss=accept_loss)
    emit(output, {"name": done.name, "resealed": done.resealed, "prepared": prepare}, lambda: done.name)
    if prepare:
        say("Copy the key file to the other control planes now, then run `seawall keys rotate`.")
    else:
        say(f"Secrets of {done.resealed} documents are encrypted with it now. Keep a copy of the key file.")
